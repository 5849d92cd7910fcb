// Shows the values under the pointer beside it, and for a chart that has the focus those at a place that the arrow keys
// move. Each [data-points] holds "place:text|place:text", places from 0 to 1000 across the plot, each text valid from its
// place to the next. The page is complete without this.
for (const chart of document.querySelectorAll(".chart")) {
  const plot = chart.querySelector(".plot");
  const tip = chart.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.setAttribute("role", "status");
  const readings = [...chart.querySelectorAll("[data-points]")].map((holder) => {
    const row = tip.appendChild(document.createElement("div"));
    row.append(...[...holder.childNodes].map((node) => node.cloneNode(true)));
    const points = holder.dataset.points.split("|").map((point) => {
      const colon = point.indexOf(":");
      return [Number(point.slice(0, colon)), point.slice(colon + 1)];
    });
    return { value: row.appendChild(document.createElement("output")), points };
  });
  const show = (place, across, top) => {
    chart.classList.toggle("pointed", place >= 0 && place <= 1000);
    for (const cross of chart.querySelectorAll(".cross")) cross.style.left = place / 10 + "%";
    for (const { value, points } of readings) {
      const passed = points.filter(([from]) => from <= place);
      value.textContent = passed.length ? passed[passed.length - 1][1] : "";
    }
    const width = chart.getBoundingClientRect().width;
    tip.style.top = top + 14 + "px";
    tip.style.left = place < 600 ? across + 14 + "px" : "auto";
    tip.style.right = place < 600 ? "auto" : width - across + 14 + "px";
  };
  const hide = () => chart.classList.remove("pointed");
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const around = chart.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * 1000;
    show(place, event.clientX - around.left, event.clientY - around.top);
  });
  let at = 0;
  const moves = { ArrowLeft: -10, ArrowRight: 10, PageUp: -100, PageDown: 100, Home: -1000, End: 1000 };
  chart.tabIndex = 0;
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in moves) || event.target !== chart) return;
    event.preventDefault();
    at = Math.min(1000, Math.max(0, at + moves[event.key]));
    const box = plot.getBoundingClientRect();
    const around = chart.getBoundingClientRect();
    show(at, box.left - around.left + (at / 1000) * box.width, box.top - around.top);
  });
}
// A table wider than the page can be scrolled by keys.
const scrollers = () => {
  for (const scroller of document.querySelectorAll(".scroll, pre, .flags")) {
    if (scroller.scrollWidth > scroller.clientWidth) scroller.tabIndex = 0;
    else scroller.removeAttribute("tabindex");
  }
};
scrollers();
addEventListener("resize", scrollers);
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", scrollers);
// Paper cannot be clicked: what held is printed too.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.held")) fold.open = true;
});
