// Follows the drills of a running command. Asks for what it lacks twice a second, draws it, and at the end shows the
// reports, which it has fetched while the command was there.
"use strict";

const OUTCOMES = ["ok", "degraded", "failed", "unknown"];
const QUANTILES = ["p50", "p95", "p99"];
const PAUSE_MS = 500;
const MOST_POINTS = 400;
const GIVE_UP_AFTER = 6;
const VERDICTS = { passed: "good", failed: "bad", inconclusive: "doubtful", interrupted: "doubtful", "not-run": "bad" };

const byId = (id) => document.getElementById(id);
const viewer = Math.floor(Math.random() * 2 ** 52);
const reports = new Map();
let shown = null;
let pinned = false;
let seconds = [];
let state = null;
let failures = 0;
let over = false;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function millis(ms) {
  if (ms >= 1000) return (ms / 1000).toFixed(ms >= 10000 ? 0 : 1) + " s";
  return ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : 2) + " ms";
}

const moment = (ms) => (ms / 1000).toFixed(1) + " s";
const number = (value) => Math.round(value).toLocaleString("en-US");
const counted = (count, noun) => number(count) + " " + noun + (count === 1 ? "" : "s");

// --- asking ---------------------------------------------------------------------------------------------------------

async function ask() {
  const query = new URLSearchParams({ viewer, reports: reports.size });
  if (shown !== null) {
    query.set("drill", shown);
    query.set("from", seconds.length);
  }
  const answer = await fetch("state?" + query, { cache: "no-store" });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function fetchReports() {
  for (const [number, drill] of state.drills.entries()) {
    if (drill.report && !reports.has(number)) {
      const answer = await fetch("report/" + number, { cache: "no-store" });
      reports.set(number, await answer.text());
    }
  }
}

async function look() {
  const [drill, from] = [shown, seconds.length];
  const answer = await ask();
  const detail = answer.drill;
  // Another answer may have come in between, or a click.
  if (drill === shown && from === seconds.length && detail) {
    if (detail.number !== shown) change(detail.number);
    seconds.push(...detail.seconds);
  }
  state = answer;
  failures = 0;
  await fetchReports();
  if (!pinned && answer.running !== shown) {
    change(answer.running);
    return look();
  }
  if (answer.over) {
    over = true;
    // Tells the command that nothing is lacking.
    await ask().catch(() => {});
  }
}

async function follow() {
  try {
    await look();
  } catch (error) {
    failures += 1;
    const ended = state && state.drills.every((drill) => drill.verdict);
    if (ended || failures >= GIVE_UP_AFTER) over = true;
  }
  draw();
  if (over) finish();
  else setTimeout(follow, PAUSE_MS);
}

function change(number) {
  shown = number;
  seconds = [];
}

async function post(path) {
  try {
    const answer = await fetch(path, { method: "POST" });
    say(answer.ok ? "" : (await answer.text()).trim());
  } catch {
    say("the command cannot be reached");
  }
}

function say(text) {
  byId("said").textContent = text;
}

// --- the end --------------------------------------------------------------------------------------------------------

function finish() {
  if (state && !pinned && reports.size > 0) {
    const bad = state.drills.findIndex((drill, number) => drill.verdict !== "passed" && reports.has(number));
    const last = Math.max(...reports.keys());
    shown = bad >= 0 ? bad : last;
  }
  draw();
  byId("stop").disabled = true;
  const complete = state && state.drills.every((drill, number) => drill.verdict && (!drill.report || reports.has(number)));
  if (!complete) {
    byId("state").textContent = "gone";
    say("The command has ended or cannot be reached. " + (state ? "Its reports are in " + state.out + "." : ""));
  }
}

function showReport() {
  const text = reports.get(shown);
  const drill = state && state.drills[shown];
  const visible = text !== undefined && (over || pinned || state.drills.length === 1);
  document.body.classList.toggle("reporting", visible);
  const frame = byId("report");
  frame.hidden = !visible;
  if (visible && frame.dataset.shown !== String(shown)) {
    frame.dataset.shown = String(shown);
    // Unlike the text of a frame, it has an address of its own, to which the report's contents list can refer.
    frame.src = URL.createObjectURL(new Blob([text], { type: "text/html" }));
    document.title = drill.scenario + ": " + drill.verdict;
    byId("reported").textContent = document.title;
  }
}

// --- drawing --------------------------------------------------------------------------------------------------------

function draw() {
  if (!state) return;
  drawDrills();
  showReport();
  const detail = state.drill;
  if (!detail || detail.number !== shown) return;
  const drill = state.drills[shown];
  drawBanner(drill, detail);
  drawTiles(detail);
  drawChart(detail);
  drawFaults(drill, detail);
}

function drawDrills() {
  const nav = byId("drills");
  nav.hidden = state.drills.length < 2;
  while (nav.children.length < state.drills.length) {
    const number = nav.children.length;
    const button = element("button");
    button.type = "button";
    button.append(element("span"), element("span", "chip"));
    button.addEventListener("click", () => {
      pinned = over || number !== state.running;
      change(number);
      if (over) draw();
      else look().then(draw, () => {});
    });
    nav.append(button);
  }
  for (const [number, drill] of state.drills.entries()) {
    const button = nav.children[number];
    button.setAttribute("aria-current", String(number === shown));
    // Once the command is gone, only what was fetched can be shown.
    button.disabled = over && !reports.has(number);
    button.firstChild.textContent = drill.scenario;
    button.lastChild.textContent = drill.verdict || drill.state;
    button.lastChild.className = "chip " + (VERDICTS[drill.verdict] || "");
  }
}

function drawBanner(drill, detail) {
  byId("banner").className = "banner " + (VERDICTS[drill.verdict] || "plain");
  const step = detail.step || drill.state;
  byId("state").textContent = drill.verdict || (state.stopping ? "stopping: " + step : step);
  byId("name").textContent = drill.scenario;
  byId("about").textContent = detail.about;
  if (detail.reasons.length) say(detail.reasons[0]);
  if (!drill.verdict) document.title = drill.scenario + ": " + step;
  const done = detail.now_ms === undefined ? 0 : Math.min(1, Math.max(0, detail.now_ms / detail.load_ms));
  byId("course").value = drill.verdict ? 1 : done;
  byId("stop").disabled = over || state.stopping || state.over;
}

function setTile(id, value, beside, alarm) {
  const tile = byId(id);
  tile.children[1].textContent = value;
  tile.children[2].textContent = beside;
  tile.classList.toggle("alarm", Boolean(alarm));
}

function drawTiles(detail) {
  const last = seconds[seconds.length - 1];
  const sum = last ? last.outcomes.reduce((all, count) => all + count, 0) : 0;
  const quantile = (place) => (last && last.response_ms ? millis(last.response_ms[place]) : "–");
  const [, degraded, failed, unknown] = detail.totals;
  setTile("tile-rate", last ? number(sum / last.lasting) : "–", "per second");
  setTile("tile-p95", quantile(1), "of the last second");
  setTile("tile-p99", quantile(2), "of the last second");
  setTile("tile-errors", number(failed + unknown), number(failed) + " failed, " + number(unknown) + " unknown", failed + unknown);
  setTile("tile-degraded", number(degraded), "answered by the fallback");
  const active = detail.fallback.filter(([, to]) => to === null);
  const since = active.length ? "since " + moment(Math.min(...active.map(([from]) => from))) : "";
  setTile("tile-fallback", active.length ? "active" : "off", since || counted(detail.fallback.length, "activation"), active.length);
  setTile("tile-breaker", detail.breaker_state, counted(detail.breaker.length, "outage"), detail.breaker_state !== "closed");
}

// Neighbouring seconds are merged where a screen has no room for all of them.
function points() {
  const width = Math.ceil(seconds.length / MOST_POINTS) || 1;
  const merged = [];
  for (let at = 0; at < seconds.length; at += width) {
    const group = seconds.slice(at, at + width);
    const lasting = group.reduce((sum, one) => sum + one.lasting, 0);
    const end = group[group.length - 1].at_ms;
    const rates = OUTCOMES.map((_, place) => group.reduce((sum, one) => sum + one.outcomes[place], 0) / lasting);
    const known = group.filter((one) => one.response_ms);
    const response = QUANTILES.map((_, place) => Math.max(...known.map((one) => one.response_ms[place])));
    merged.push({ from: end - lasting * 1000, to: end, rates, response: known.length ? response : null });
  }
  return merged;
}

function drawChart(detail) {
  const latest = seconds.length ? seconds[seconds.length - 1].at_ms : 0;
  const until = Math.max(detail.load_ms, detail.now_ms || 0, latest);
  const x = (ms) => (Math.min(until, Math.max(0, ms)) / until) * 1000;
  const data = points();
  drawLanes(detail, x, until);
  drawThroughput(data, detail, x, until);
  drawLatency(data, detail, x, until);
  const axis = byId("moments");
  axis.replaceChildren();
  for (const at of ticks(until / 1000, 6)) {
    const mark = element("span", "", at + " s");
    mark.style.left = (at * 1000 / until) * 100 + "%";
    axis.append(mark);
  }
}

function ticks(most, about) {
  const rough = most / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const all = [];
  for (let at = 0; at <= most * 1.0001; at += step) all.push(Number(at.toPrecision(6)));
  return all;
}

function bar(className, from, to, x, until, text) {
  const made = element("div", className, text);
  made.style.left = x(from) / 10 + "%";
  made.style.width = (x(to === null ? until : to) - x(from)) / 10 + "%";
  return made;
}

function lane(name, bars) {
  const made = element("div", "lane");
  made.append(element("span", "y", name), ...bars);
  return made;
}

function drawLanes(detail, x, until) {
  const now = detail.now_ms === undefined ? until : Math.min(until, detail.now_ms);
  const own = (className, [from, to], text) => bar(className, from, to === null ? now : to, x, until, text);
  const lanes = detail.faults.map((fault, place) => lane(detail.faults.length > 1 ? "fault " + place : "fault", [
    ...fault.planned.map(([from, to]) => bar("planned", from, to, x, until)),
    ...fault.on.map((span) => own("bar fault", span, fault.kind)),
  ]));
  lanes.push(lane("fallback", detail.fallback.map((span) => own("bar fallback", span, ""))));
  if (detail.breaker.length) lanes.push(lane("breaker", detail.breaker.map((span) => own("bar fault", span, "open"))));
  const plot = byId("lanes");
  plot.className = "plot lanes";
  plot.replaceChildren(...lanes);
  const on = detail.faults.filter((fault) => fault.on.some(([, to]) => to === null)).map((fault) => fault.kind);
  plot.setAttribute("aria-label", on.length ? "Faults that are on: " + on.join(", ") : "No fault is on");
}

function svg(children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("viewBox", "0 0 1000 100");
  made.setAttribute("preserveAspectRatio", "none");
  made.setAttribute("aria-hidden", "true");
  made.append(...children);
  return made;
}

function path(className, d) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
  made.setAttribute("class", className);
  made.setAttribute("d", d);
  return made;
}

// A plot with its grid, the faults as bands, and a key for each series.
function plot(id, size, keys, marks, paths, detail, x, until) {
  const now = detail.now_ms === undefined ? until : Math.min(until, detail.now_ms);
  const bands = detail.faults.flatMap((fault) => fault.on.map(([from, to]) => bar("mark fault", from, to === null ? now : to, x, until)));
  const labels = marks.map(([height, text]) => {
    const label = element("span", "y", text);
    label.style.bottom = height + "%";
    return label;
  });
  const grid = marks.map(([height]) => path("grid", "M0 " + (100 - height) + "H1000"));
  const box = byId(id);
  box.className = "plot " + size;
  box.replaceChildren(...bands, svg([...grid, ...paths]), ...labels);
  const head = box.previousElementSibling;
  if (head.children.length === 2) {
    for (const [name, className] of keys) {
      const key = element("span", "key");
      key.append(element("i", className), name);
      head.append(key);
    }
  }
}

function drawThroughput(data, detail, x, until) {
  const most = Math.max(1, ...data.map((point) => point.rates.reduce((sum, rate) => sum + rate, 0)));
  const all = ticks(most, 3);
  const top = Math.max(most, all[all.length - 1]) * 1.05;
  const y = (rate) => 100 - (rate / top) * 100;
  const below = data.map(() => 0);
  const paths = OUTCOMES.map((outcome, place) => {
    const d = data.map((point, at) => {
      const from = below[at];
      below[at] += point.rates[place];
      const [left, right] = [x(point.from), x(point.to)];
      return point.rates[place] ? "M" + left + " " + y(from) + "V" + y(below[at]) + "H" + right + "V" + y(from) + "Z" : "";
    });
    return path("area " + outcome, d.join(""));
  });
  const keys = OUTCOMES.map((outcome) => [outcome, "swatch " + outcome]);
  plot("throughput", "middle", keys, all.map((at) => [100 - y(at), number(at)]), paths, detail, x, until);
  const last = data[data.length - 1];
  const says = last ? OUTCOMES.map((outcome, place) => number(last.rates[place]) + " " + outcome).join(", ") : "nothing yet";
  byId("throughput").setAttribute("aria-label", "Operations per second, now " + says);
}

function drawLatency(data, detail, x, until) {
  const known = data.filter((point) => point.response);
  const low = Math.log10(Math.max(0.01, Math.min(1, ...known.map((point) => point.response[0]))));
  const high = Math.log10(Math.max(10, ...known.map((point) => point.response[2])));
  const from = Math.floor(low);
  const to = Math.max(from + 1, high + 0.1);
  const y = (ms) => 100 - ((Math.log10(Math.max(ms, 0.001)) - from) / (to - from)) * 100;
  const marks = [];
  for (let power = from; power <= to; power += 1) marks.push([100 - y(10 ** power), power < 3 ? 10 ** power + " ms" : 10 ** (power - 3) + " s"]);
  const paths = QUANTILES.map((name, place) => {
    let pen = "M";
    const d = data.map((point) => {
      if (!point.response) {
        pen = "M";
        return "";
      }
      const piece = pen + x((point.from + point.to) / 2) + " " + y(point.response[place]);
      pen = "L";
      return piece;
    });
    return path("line " + name, d.join(""));
  });
  const keys = QUANTILES.map((name) => [name, "line " + name]);
  plot("latency", "middle", keys, marks, paths.reverse(), detail, x, until);
  const last = known[known.length - 1];
  const says = last ? QUANTILES.map((name, place) => name + " " + millis(last.response[place])).join(", ") : "nothing yet";
  byId("latency").setAttribute("aria-label", "Response time, now " + says);
}

function drawFaults(drill, detail) {
  byId("none").hidden = detail.faults.length > 0;
  const rows = byId("rows");
  if (rows.dataset.drill !== String(detail.number)) {
    rows.dataset.drill = String(detail.number);
    rows.replaceChildren(...detail.faults.map((fault, place) => faultRow(fault, place, detail.number)));
    // Who starts faults by hand needs the buttons first.
    if (detail.faults.some((fault) => fault.wanted !== undefined)) byId("now").before(byId("faults"));
  }
  const active = drill.state === "load" && !state.stopping && !over;
  for (const [place, fault] of detail.faults.entries()) {
    const [chip, , now, doing] = rows.children[place].children;
    const since = fault.on.find(([, to]) => to === null);
    const word = since ? (fault.wanted === false ? "ending" : "on") : fault.wanted ? "starting" : "off";
    chip.firstChild.textContent = word;
    chip.firstChild.className = "chip " + (since ? "bad" : "");
    now.textContent = since ? "since " + moment(since[0]) : fault.on.length ? "was on " + times(fault.on.length) : planned(fault);
    if (doing.children.length) {
      doing.children[0].disabled = !active || fault.wanted || Boolean(since);
      doing.children[1].disabled = !active || !fault.wanted;
    }
  }
}

const times = (count) => (count === 1 ? "once" : counted(count, "time"));

function planned(fault) {
  if (fault.wanted !== undefined) return "started by hand";
  return fault.planned.length ? "planned at " + moment(fault.planned[0][0]) : "waits for the store";
}

const named = (fault, place) => (fault.name === String(place) ? "" : ", called " + fault.name);

function faultRow(fault, place, drill) {
  const row = element("tr");
  const chip = element("td");
  chip.append(element("span", "chip"));
  const name = element("td");
  name.append(element("code", "", fault.kind), element("span", "under quiet", "fault " + place + named(fault, place)));
  const doing = element("td", "cell-do");
  if (fault.wanted !== undefined) {
    for (const [word, wish] of [["Start", "start"], ["End", "end"]]) {
      const button = element("button", "", word);
      button.type = "button";
      button.setAttribute("aria-label", word + " fault " + fault.name + ", " + fault.kind);
      button.addEventListener("click", () => post("drill/" + drill + "/fault/" + place + "/" + wish));
      doing.append(button);
    }
  }
  row.append(chip, name, element("td", "cell-now quiet"), doing);
  return row;
}

byId("stop").addEventListener("click", () => {
  if (window.confirm("Stop the drill? Its faults are healed, and its report is written.")) post("stop");
});
follow();
