// Draws the figures of a page: each has its Plotly figure as JSON beside it, with colours named as the style sheet names them.
// It stands in the page, known to the content-security policy by its hash, and brings Plotly itself: from a folder of files,
// nothing else would let this one script in and keep every other out.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const options = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

  const painted = (value, style) => {
    if (Array.isArray(value)) return value.map((item) => painted(item, style));
    if (value !== null && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, style)]));
    const named = typeof value === "string" && /^var\((--[a-z-]+)\)$/.exec(value);
    return named ? style.getPropertyValue(named[1]).trim() : value;
  };

  const draw = (place) => {
    const source = document.getElementById(place.dataset.figure);
    const { data, layout } = painted(JSON.parse(source.textContent), getComputedStyle(document.documentElement));
    place.querySelector(".fallback")?.remove();
    Plotly.react(place, data, layout, options);
  };

  const figures = document.querySelectorAll("[data-figure]");
  const drawAll = () => figures.forEach(draw);
  const start = () => {
    drawAll();
    dark.addEventListener("change", drawAll);
  };

  if (typeof Plotly !== "undefined") start();
  else if (figures.length) {
    const plotly = document.createElement("script");
    plotly.src = "assets/plotly.min.js";
    plotly.onload = start;
    document.head.append(plotly);
  }
  const groups = document.querySelectorAll(".menu details");
  const closeMenu = (event) => groups.forEach((group) => group.contains(event.target) && !event.target.closest("a") || (group.open = false));
  addEventListener("click", closeMenu);
  addEventListener("keydown", (event) => event.key === "Escape" && groups.forEach((group) => (group.open = false)));
  addEventListener("beforeprint", () => document.querySelectorAll("figure details").forEach((details) => (details.open = true)));
})();
