// Shows the values under the pointer beside it. Each [data-points] holds "place:text|place:text", places from 0 to 1000
// across the plot, each text valid from its place to the next. The page is complete without this.
for (const chart of document.querySelectorAll(".chart")) {
  const plot = chart.querySelector(".plot");
  const tip = chart.appendChild(document.createElement("div"));
  tip.className = "tip";
  const readings = [...chart.querySelectorAll("[data-points]")].map((holder) => {
    const row = tip.appendChild(document.createElement("div"));
    row.append(...[...holder.childNodes].map((node) => node.cloneNode(true)));
    const points = holder.dataset.points.split("|").map((point) => {
      const colon = point.indexOf(":");
      return [Number(point.slice(0, colon)), point.slice(colon + 1)];
    });
    return { value: row.appendChild(document.createElement("output")), points };
  });
  chart.addEventListener("pointerleave", () => chart.classList.remove("pointed"));
  chart.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * 1000;
    chart.classList.toggle("pointed", place >= 0 && place <= 1000);
    for (const cross of chart.querySelectorAll(".cross")) cross.style.left = place / 10 + "%";
    for (const { value, points } of readings) {
      const passed = points.filter(([from]) => from <= place);
      value.textContent = passed.length ? passed[passed.length - 1][1] : "";
    }
    const around = chart.getBoundingClientRect();
    const across = event.clientX - around.left;
    tip.style.top = event.clientY - around.top + 14 + "px";
    tip.style.left = place < 600 ? across + 14 + "px" : "auto";
    tip.style.right = place < 600 ? "auto" : around.width - across + 14 + "px";
  });
}
