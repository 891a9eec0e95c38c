// Draws the page's figures. What that takes is large, and loaded with the first figure.
"use strict";

{
  const vendor = document.currentScript.dataset.vendor;
  const drawn = new Map();
  let library;

  function script(name) {
    return new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = vendor + name;
      element.async = false; // run in their order, though they load side by side
      element.onload = resolve;
      element.onerror = reject;
      document.head.append(element);
    });
  }

  function load() {
    const names = ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"];
    library ??= Promise.all(names.map(script));
    return library;
  }

  function look() {
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    const text = { labelColor: colour("--soft"), titleColor: colour("--soft"), labelFontSize: 12,
      titleFontSize: 12, titleFontWeight: 400, labelPadding: 6 };
    return {
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      axis: { ...text, gridColor: colour("--line"), domain: false, ticks: false },
      axisBand: { labelColor: colour("--text"), labelFontSize: 13, labelPadding: 10 },
      axisX: { grid: false },
      title: { color: colour("--text"), fontSize: 13, fontWeight: 500, anchor: "start", limit: 260 },
      style: {
        interval: { color: colour("--mark"), opacity: 0.16, cornerRadius: 5 },
        pass: { color: colour("--mark"), opacity: 0.6, size: 18 },
        mean: { color: colour("--text"), strokeWidth: 1.5 },
        count: { color: colour("--mark"), opacity: 0.6 },
      },
    };
  }

  async function draw(figure) {
    drawn.get(figure)?.finalize();
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector(".drawing") ?? document.createElement("div");
    place.className = "drawing";
    figure.append(place);
    drawn.set(figure, await vegaEmbed(place, spec, {
      ast: true, actions: false, defaultStyle: false, renderer: "svg", mode: "vega-lite",
      tooltip: { disableDefaultStyle: true, theme: "plain" }, config: look(),
    }));
  }

  async function show(root) {
    const closed = (figure) => figure.closest("details:not([open])");
    const figures = [...root.querySelectorAll("[data-figure]")]
      .filter((figure) => !closed(figure) && !drawn.has(figure));
    for (const [figure, view] of drawn) {
      if (!figure.isConnected) {
        view?.finalize();
        drawn.delete(figure);
      }
    }
    if (!figures.length) return;
    for (const figure of figures) drawn.set(figure, undefined); // under way: not twice
    await load();
    for (const section of document.querySelectorAll("[data-figures]")) section.hidden = false;
    for (const figure of figures) await draw(figure);
  }

  document.addEventListener("toggle", (event) => show(event.target), true);
  document.addEventListener("htmx:afterSwap", () => show(document));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => [...drawn.keys()].forEach(draw));
  show(document);
}
