// Draws the page's figures. What that takes is large, and loaded with the first figure.
"use strict";

{
  const vendor = document.currentScript.dataset.vendor;
  const NARROW = 280; // pixels below which labels need another place
  const SLIM = 400; // pixels below which a legend needs the room under an axis, too
  const SYMBOL = 34; // pixels of a legend that a name's symbol takes, and the gap to the next name
  const pen = document.createElement("canvas").getContext("2d");
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

  // A text in lines that fit: between its words, or within one that is too wide itself.
  function lines(text, room) {
    const wide = (part) => pen.measureText(part).width > room;
    const parts = text.replace(/\s+/g, " ").split(/(?<=[ _-])/);
    const found = [""];
    for (const part of parts.flatMap((one) => (wide(one) ? [...one] : [one]))) {
      if (found.at(-1) && wide(found.at(-1) + part.trimEnd())) found.push("");
      found.push(found.pop() + part);
    }
    return found.map((line) => line.trim());
  }

  // As many names in a row as fit, each of them whole.
  function fit({ legend, scale: { domain } }, room) {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const widest = Math.max(...domain.map((name) => pen.measureText(name).width));
    const names = domain.map((name) => lines(name, room - SYMBOL));
    legend.columns = Math.max(1, Math.floor(room / (widest + SYMBOL)));
    legend.labelExpr = `${JSON.stringify(names)}[datum.index]`;
    legend.labelLimit = 0;
  }

  function look(width) {
    const slim = width < SLIM;
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
        ...(slim && { layout: { bottom: { direction: "horizontal", offset: 18, anchor: "end" } } }) },
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
    const width = figure.clientWidth;
    for (const { encoding } of spec.layer ?? []) {
      if (width < NARROW && encoding?.x?.axis?.labelAngle === 0) encoding.x.axis.labelAngle = -40;
      if (encoding?.color?.legend) fit(encoding.color, width - (width < SLIM ? 24 : 170));
    }
    drawn.set(figure, await vegaEmbed(place, spec, {
      ast: true, actions: false, defaultStyle: false, renderer: "svg", mode: "vega-lite",
      tooltip: { disableDefaultStyle: true, theme: "plain" }, config: look(width),
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
    // Both may be printed before anybody scrolls to their figures; a report has the libraries in it.
    if (!vendor) show();
    else if (document.querySelector(".gallery")) (window.requestIdleCallback ?? setTimeout)(show);
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
