// Draws the page's figures. What that takes is large, and loaded with the first figure.
"use strict";

{
  const vendor = document.currentScript.dataset.vendor;
  const NARROW = 280; // pixels below which labels need another place
  const drawn = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Chosen to stay apart for every kind of colour vision, and from the ground (3:1, but the second).
  const colours = {
    light: ["#2d6fb3", "#cf8a1b", "#a8325a", "#341a9c", "#929292", "#652800", "#2b97ee", "#967028"],
    dark: ["#5aa9e6", "#f0c04e", "#e8618c", "#7156d8", "#8af6fb", "#956725", "#c0992a", "#bd307d"],
  };
  let library;
  let last = Promise.resolve(); // drawing, which the next one waits for

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
    library ??= window.vegaEmbed ? Promise.resolve() : Promise.all(names.map(script));
    return library;
  }

  function look(narrow) {
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
        bar: { opacity: 0.85 },
        line: { color: colour("--mark"), strokeWidth: 2 },
        dot: { color: colour("--mark"), opacity: 0.7, size: 34 },
        "large-dot": { opacity: 1, size: 80 },
        span: { strokeWidth: 2.5 },
        guide: { color: colour("--soft"), strokeDash: [4, 4], opacity: 0.8 },
        "interval-line": { color: colour("--mark"), opacity: 0.25 },
        "pass-line": { color: colour("--text"), opacity: 0.4, strokeWidth: 1 },
        wrong: { shape: "M-1,-1L1,1M1,-1L-1,1", color: colour("--bad"), filled: false,
          strokeWidth: 1.5, size: 24 },
        cell: { color: colour("--mark") },
        "cell-text": { color: colour("--text"), fontSize: 13 },
        "cell-text-strong": { color: colour("--panel"), fontSize: 13, fontWeight: 600 },
      },
      range: { category: dark.matches ? colours.dark : colours.light },
      legend: { labelColor: colour("--text"), labelFontSize: 12, symbolSize: 64, symbolStrokeWidth: 2,
        rowPadding: 4, columnPadding: 14,
        ...(narrow && { layout: { bottom: { direction: "horizontal", offset: 18, anchor: "end" } } }) },
    };
  }

  function draw(figure) {
    last = last.catch(() => undefined).then(() => figure.isConnected && drawNow(figure));
    return last;
  }

  async function drawNow(figure) {
    drawn.get(figure)?.finalize();
    figure.dataset.scheme = dark.matches ? "dark" : "light";
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector(".drawing") ?? document.createElement("div");
    place.className = "drawing";
    figure.append(place);
    const narrow = figure.clientWidth < NARROW;
    for (const { encoding } of narrow ? spec.layer ?? [] : []) {
      if (encoding?.x?.axis?.labelAngle === 0) encoding.x.axis.labelAngle = -40;
    }
    drawn.set(figure, await vegaEmbed(place, spec, {
      ast: true, actions: false, defaultStyle: false, renderer: "svg", mode: "vega-lite",
      tooltip: { disableDefaultStyle: true, theme: "plain" }, config: look(narrow),
    }));
  }

  function forgetGone() {
    for (const [figure, view] of drawn) {
      if (figure.isConnected) continue;
      view?.finalize();
      drawn.delete(figure);
    }
  }

  // What is closed or hidden has no place on the page, and is not near.
  const near = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) show();
  }, { rootMargin: "300px" });

  function watch() {
    forgetGone();
    near.disconnect();
    for (const section of document.querySelectorAll("[data-figures]")) section.hidden = false;
    for (const figure of document.querySelectorAll("[data-figure]")) {
      if (!drawn.has(figure)) near.observe(figure);
    }
    if (!vendor) show(); // a report has the libraries in it, and may be printed unseen
  }

  async function show() {
    const figures = [...document.querySelectorAll("[data-figure]")]
      .filter((figure) => !figure.closest("details:not([open])") && !drawn.has(figure));
    for (const figure of figures) {
      near.unobserve(figure);
      drawn.set(figure, undefined); // under way: not twice
    }
    try {
      await load();
      for (const figure of figures) {
        await draw(figure);
        await new Promise((resolve) => setTimeout(resolve)); // between two the page can be used
      }
    } catch {
      giveUp(figures);
    }
  }

  // What the server has drawn stays; a section that holds figures alone goes.
  function giveUp(figures) {
    library = undefined;
    for (const figure of figures) if (!drawn.get(figure)) drawn.delete(figure);
    for (const section of document.querySelectorAll("[data-figures]")) section.hidden = true;
    near.disconnect();
  }

  document.addEventListener("htmx:afterSwap", watch);
  addEventListener("beforeprint", show);
  dark.addEventListener("change", () => {
    const views = [...drawn].filter(([, view]) => view);
    Promise.all(views.map(([figure]) => draw(figure))).catch(() => undefined); // the old ones stay
  });
  watch();
}
