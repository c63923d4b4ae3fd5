"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = read("themes");
  const views = {};
  const picked = () =>
    [...document.querySelectorAll(".legend button[aria-pressed=true]")].map((button) => button.dataset.name);

  async function draw(element) {
    const scheme = dark.matches ? "dark" : "light";
    const made = await vegaEmbed(element, read(element.dataset.spec), {
      actions: false, renderer: "svg", ast: true, config: themes[scheme], tooltip: { theme: scheme },
    });
    if (views[element.id]) views[element.id].finalize();
    const view = (views[element.id] = made.view);
    if (element.dataset.picks) await view.signal("picked", picked()).runAsync();
    if (element.dataset.drives) {
      view.addSignalListener("brush", (name, value) => {
        if (value.centre) show(element.dataset.drives, value.centre[0], value.centre[1]);
      });
    }
    const zoom = document.querySelector(`.zoom[data-chart="${element.id}"]`);
    if (zoom && zoom.dataset.now) show(element.id, ...JSON.parse(zoom.dataset.now));
  }

  async function drawAll() {
    for (const element of document.querySelectorAll(".chart")) await draw(element);
    document.body.dataset.drawn = "1";
  }

  function show(id, from, to) {
    const view = views[id];
    const zoom = document.querySelector(`.zoom[data-chart="${id}"]`);
    if (!view || !(to > from)) return;
    zoom.dataset.now = JSON.stringify([from, to]);
    const words = (value) => Math.round(value).toLocaleString("en");
    zoom.querySelector(".where").textContent = `${words(from)} to ${words(to)}`;
    view.signal("from_bp", from).signal("to_bp", to).runAsync();
  }

  for (const zoom of document.querySelectorAll(".zoom")) {
    zoom.hidden = false;
    const first = Number(zoom.dataset.from), last = Number(zoom.dataset.to);
    zoom.addEventListener("click", (event) => {
      const move = event.target.dataset.move;
      if (!move) return;
      let [from, to] = zoom.dataset.now ? JSON.parse(zoom.dataset.now) : [first, last];
      const middle = (from + to) / 2, width = to - from;
      if (move === "all") { from = first; to = last; }
      if (move === "in") { from = middle - width / 4; to = middle + width / 4; }
      if (move === "out") { from = middle - width; to = middle + width; }
      if (move === "left") { from -= width / 2; to -= width / 2; }
      if (move === "right") { from += width / 2; to += width / 2; }
      const kept = Math.min(to - from, last - first);
      from = Math.min(Math.max(from, first), last - kept);
      show(zoom.dataset.chart, from, from + kept);
    });
  }

  for (const legend of document.querySelectorAll(".legend")) {
    legend.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
      for (const element of document.querySelectorAll(".chart[data-picks]")) {
        if (views[element.id]) views[element.id].signal("picked", picked()).runAsync();
      }
    });
  }

  for (const search of document.querySelectorAll(".search")) {
    search.hidden = false;
    const rows = [...search.nextElementSibling.querySelectorAll("tbody tr")];
    search.querySelector("input").addEventListener("input", (event) => {
      const words = event.target.value.trim().toLowerCase();
      let found = 0;
      for (const row of rows) {
        const fits = [...row.cells].slice(0, 2).some((cell) => cell.textContent.toLowerCase().includes(words));
        row.hidden = !fits;
        found += fits;
      }
      search.querySelector(".found").textContent = words ? `${found} found` : "";
    });
  }

  dark.addEventListener("change", drawAll);
  drawAll();
})();
