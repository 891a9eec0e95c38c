// Says how fast a data set is scored, tells a screen reader each tenth, asks before one is removed.
"use strict";

{
  const SEEN = 20; // polls over which the rate is measured
  const seen = [];

  function duration(seconds) {
    if (seconds < 60) return `${Math.ceil(seconds)} s`;
    if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
    return `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
  }

  function tellRate(progress) {
    const { stage, done, rows } = progress.dataset;
    if (stage !== "scoring") return;
    seen.push({ at: performance.now(), done: Number(done) });
    if (seen.length > SEEN) seen.shift();
    const rate = (1000 * (done - seen[0].done)) / (performance.now() - seen[0].at);
    if (!(rate > 0)) return;
    const told = rate < 10 ? rate.toPrecision(2) : Math.round(rate).toLocaleString("en");
    progress.querySelector(".rate").textContent = `at ${told} a second, ${duration((rows - done) / rate)} left`;
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
    if (own && known) return;
    event.detail.shouldSwap = false;
    trouble(`The server answered with status ${xhr.status}; this page goes on asking.`);
  });
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  tell();
}
