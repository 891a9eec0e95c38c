// Says how fast a data set is scored, tells a screen reader each tenth, asks before one is removed.
"use strict";

{
  const WEIGHT = 0.3; // of the newest of the rates that are averaged
  const FROM_PART = 0.1; // before that no rate is known well enough
  let last; // rows come in lumps: where, and when, the last one was seen
  let rate;
  let told = "";

  function duration(seconds) {
    if (seconds < 10) return "a few seconds";
    if (seconds < 55) return `about ${10 * Math.round(seconds / 10)} s`;
    if (seconds < 3570) return `about ${Math.round(seconds / 60)} min`;
    const hours = seconds / 3600;
    return `about ${hours < 10 ? Number(hours.toFixed(1)) : Math.round(hours)} h`;
  }

  function measure(done) {
    const now = { at: performance.now(), done };
    if (last && done > last.done && last.lump) {
      const newest = (1000 * (done - last.done)) / (now.at - last.at);
      rate = rate ? WEIGHT * newest + (1 - WEIGHT) * rate : newest;
    }
    if (done !== last?.done) last = { ...now, lump: Boolean(last) };
  }

  function tellRate(progress) {
    const { stage, done, rows } = progress.dataset;
    if (stage !== "scoring") return;
    const before = last?.done;
    measure(Number(done));
    if (rate && done / rows >= FROM_PART && before !== Number(done)) {
      const each = Number(rate.toPrecision(2)).toLocaleString("en");
      told = `at ${each} a second, ${duration((rows - done) / rate)} left`;
    }
    progress.querySelector(".rate").textContent = told;
  }

  function tell() {
    const progress = document.getElementById("progress");
    const said = document.getElementById("said");
    const words = progress?.dataset.said ?? document.querySelector("#job .stage")?.textContent ?? "";
    if (said.textContent !== words) said.textContent = words;
    if (progress) tellRate(progress);
    return progress;
  }

  function trouble(message) {
    const rate = document.querySelector("#progress .rate");
    if (rate) rate.textContent = message;
  }

  document.addEventListener("htmx:afterSettle", tell);
  document.addEventListener("htmx:sendError", () => {
    trouble("The server cannot be reached; this page goes on asking.");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    // Every answer of the application has an id; a proxy's page does not belong here.
    const own = xhr.getResponseHeader("X-Request-Id");
    const known = xhr.status < 500 && xhr.getResponseHeader("Content-Type")?.startsWith("text/html");
    // It was removed meanwhile: nothing else on the page can be used any more.
    if (own && known && xhr.status === 404) event.detail.target = document.getElementById("job");
    if (own && known) return;
    event.detail.shouldSwap = false;
    trouble(`The server answered with status ${xhr.status}; this page goes on asking.`);
  });
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  // The browser may bring back how the page was, though the data set is removed.
  addEventListener("pageshow", (event) => {
    const [how] = performance.getEntriesByType("navigation");
    if (event.persisted || how?.type === "back_forward") location.reload();
  });
  // Who has sent a file with the keyboard goes on from here.
  if (document.referrer.endsWith("/datasets")) document.querySelector("h1").focus();
  tell();
}
