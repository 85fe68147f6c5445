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
  // Numbers as the rest of the page writes them: rates.py and words.py have the same rules.
  const count = (number) => number.toLocaleString("en-US");
  const oneDigit = (value) => {
    const lower = Math.floor(value * 10);
    const isTie = Number.isInteger(value * 4) && !Number.isInteger(value * 2);
    return isTie ? ((lower % 2 ? lower + 1 : lower) / 10).toFixed(1) : value.toFixed(1);
  };
  const share = (part, whole, few) => {
    if (!whole) return "–";
    const value = part / whole;
    if (whole < few) return "too few to say";
    if (value > 0 && value < 0.0005) return "under 0.1%";
    if (value >= 0.9995 && value < 1) return "over 99.9%";
    return `${oneDigit(value * 100)}%`;
  };
  const interval = (part, whole, z) => {
    if (!whole) return "–";
    const value = part / whole, scale = 1 + z ** 2 / whole;
    const middle = (value + z ** 2 / (2 * whole)) / scale;
    const margin = (z * Math.sqrt((value * (1 - value)) / whole + z ** 2 / (4 * whole ** 2))) / scale;
    const ends = [middle - margin, middle + margin].map((end) => oneDigit(Math.min(1, Math.max(0, end)) * 100));
    return `${ends[0]}–${ends[1]}%`;
  };

  // A figure whose period and group are chosen in the page; what is chosen stands in the address behind the '#'.
  const choose = (form) => {
    const { counts, optional, intervals, few, z } = JSON.parse(document.getElementById(form.dataset.choices).textContent);
    const figure = form.closest("figure"), heading = figure.querySelector("h3"), rows = figure.querySelectorAll("tbody tr");
    const { period, group, funnel } = form.elements, told = form.querySelector("output");
    const picked = (select) => select.options[select.selectedIndex].textContent;
    const address = () => new URLSearchParams([period, group].filter((select) => select.value).map((select) => [select.name, select.value])).toString();

    const show = () => {
      const months = period.selectedIndex ? [counts[period.selectedIndex - 1]] : counts;
      const sums = [0, 1].map((side) => optional.map((_, step) => months.reduce((sum, month) => sum + month[group.selectedIndex][side][step], 0)));
      const [reached, open] = sums, entered = reached[0];
      let before = 0, last = 0;
      optional.forEach((skips, step) => {
        const sure = intervals ? interval(reached[step], entered, z) : "–";
        const texts = [count(reached[step]), step ? share(reached[step], reached[before], few) : "–", share(reached[step], entered, few), sure, count(open[step])];
        [...rows[step].cells].slice(1).forEach((cell, place) => (cell.textContent = texts[place]));
        if (!skips) before = last = step;
      });
      const rate = entered < few ? "too few to say a share" : share(reached[last], entered, few) + (intervals ? `, 95% interval ${interval(reached[last], entered, z)}` : "");
      const when = period.selectedIndex ? picked(period) : "all time";
      heading.textContent = `${picked(group)}, ${when}: ${count(reached[last])} of ${count(entered)} completed – ${rate}`;
    };

    const read = () => {
      const hash = location.hash.slice(1);
      if (hash && hash !== figure.id && !hash.includes("=")) return;
      const asked = new URLSearchParams(hash.includes("=") ? hash : "");
      const unknown = [period, group].filter((select) => {
        select.value = asked.get(select.name) ?? "";
        if (select.selectedIndex < 0) select.selectedIndex = 0;
        return asked.get(select.name) && !select.value;
      });
      show();
      told.textContent = unknown.length
        ? `Not in this funnel: ${unknown.map((select) => `“${asked.get(select.name)}”`).join(", ")}; shown is ${picked(group)}, ${picked(period)}.`
        : "";
      if (asked.size) figure.scrollIntoView();
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => {
      const chosen = address();
      if (event.target === funnel) location.href = funnel.value + (chosen ? `#${chosen}` : "");
      else location.hash = chosen || figure.id;
    });
    addEventListener("hashchange", read);
    addEventListener("pageshow", () => funnel && funnel.querySelector("[selected]") && (funnel.value = funnel.querySelector("[selected]").value));
    heading.setAttribute("aria-live", "polite");
    form.hidden = false;
    read();
  };
  document.querySelectorAll("[data-choices]").forEach(choose);

  const groups = document.querySelectorAll(".menu details");
  const closeMenu = (event) => groups.forEach((group) => group.contains(event.target) && !event.target.closest("a") || (group.open = false));
  addEventListener("click", closeMenu);
  addEventListener("keydown", (event) => event.key === "Escape" && groups.forEach((group) => (group.open = false)));
  addEventListener("beforeprint", () => document.querySelectorAll("figure details").forEach((details) => (details.open = true)));
})();
