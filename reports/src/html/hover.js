// Shows the values under the pointer. Each [data-points] holds "place:text|place:text", places from 0 to 1000 across the
// plot, each text valid from its place to the next. The page is complete without this.
for (const chart of document.querySelectorAll(".chart")) {
  const plot = chart.querySelector(".plot");
  const crosses = chart.querySelectorAll(".cross");
  const readings = [...chart.querySelectorAll("[data-points]")].map((holder) => ({
    output: holder.querySelector("output"),
    points: holder.dataset.points.split("|").map((point) => {
      const colon = point.indexOf(":");
      return [Number(point.slice(0, colon)), point.slice(colon + 1)];
    }),
  }));
  const clear = () => {
    chart.classList.remove("pointed");
    for (const reading of readings) reading.output.textContent = "";
  };
  chart.addEventListener("pointerleave", clear);
  chart.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * 1000;
    if (!(place >= 0 && place <= 1000)) return clear();
    chart.classList.add("pointed");
    for (const cross of crosses) cross.style.left = place / 10 + "%";
    for (const { output, points } of readings) {
      const passed = points.filter(([from]) => from <= place);
      output.textContent = passed.length ? passed[passed.length - 1][1] : "";
    }
  });
}
