// Follows a data set: how fast it is scored, what a screen reader hears, what to do in trouble. Asks
// before one is removed, and keeps in the address which of its rows are shown.
"use strict";

{
  const WEIGHT = 0.3; // of the newest of the rates that are averaged
  const FROM_PART = 0.1; // before that no rate is known well enough
  const ASLEEP_MS = 15000; // after so long without an answer the rate is measured anew
  const LONGEST_MS = 30000; // between two attempts, while the server does not answer
  let last; // rows come in lumps: where, and when, the last one was seen
  let rate;
  let told = "";
  let answered; // when the server last did
  let tag; // of what is shown, so that the server says no more than that it still holds
  let pause = 1000;
  let quietUntil = 0;
  let search = location.search; // which says what rows are shown
  let goesBack = false;

  function duration(seconds) {
    if (seconds < 10) return t("a few seconds left");
    if (seconds < 55) return t("about {n} s left", { n: 10 * Math.round(seconds / 10) });
    if (seconds < 3570) return t("about {n} min left", { n: Math.round(seconds / 60) });
    const hours = seconds / 3600;
    return t("about {n} h left", { n: hours < 10 ? Number(hours.toFixed(1)) : Math.round(hours) });
  }

  function measure(done) {
    const now = { at: Date.now(), done };
    if (now.at - answered > ASLEEP_MS) last = undefined;
    answered = now.at;
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
      told = t("at {rate} a second, {left}", { rate: each, left: duration((rows - done) / rate) });
    }
    progress.querySelector(".rate").textContent = told;
  }

  function say(words) {
    const said = document.getElementById("said");
    if (said.textContent !== words) said.textContent = words;
  }

  function tell() {
    const progress = document.getElementById("progress");
    say(progress?.dataset.said ?? document.querySelector("#job .stage")?.textContent ?? "");
    if (progress) tellRate(progress);
  }

  function trouble(message) {
    goesBack = false;
    const place = document.querySelector("#progress .rate") ?? document.getElementById("rows-place");
    if (place) place.textContent = message;
    pause = Math.min(2 * pause, LONGEST_MS);
    quietUntil = Date.now() + pause;
  }

  function unreachable() {
    trouble(document.getElementById("rows")
      ? t("The server cannot be reached. Look at the connection and try again.")
      : t("The server cannot be reached; this page goes on asking."));
  }

  // A view of the rows has come: its address is a link to it, and a screen reader hears of it.
  function showRows({ pathInfo }) {
    const address = `${pathInfo.requestPath.split("#")[0]}#rows`;
    if (!goesBack && new URL(address, location).search !== location.search) history.pushState(null, "", address);
    goesBack = false;
    search = location.search;
    say(document.getElementById("rows-place").textContent);
  }

  // Back, or forward again, to a view of the rows; also to the page as it first was.
  function restoreRows() {
    if (!document.getElementById("rows") || location.search === search) return;
    const asked = new URLSearchParams(location.search);
    if (!asked.has("rows")) asked.set("rows", "first");
    goesBack = true;
    htmx.ajax("GET", `${location.pathname}?${asked}`, { source: "#rows", target: "#rows", swap: "outerHTML show:none" });
  }

  const polls = ({ detail }) => detail.elt.id === "progress";
  document.addEventListener("htmx:configRequest", (event) => {
    if (polls(event) && tag) event.detail.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (polls(event) && Date.now() < quietUntil) event.preventDefault();
  });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target?.id === "rows" || detail.elt.id === "rows") showRows(detail);
    else tell();
  });
  document.addEventListener("htmx:sendError", unreachable);
  document.addEventListener("htmx:timeout", unreachable);
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    // Every answer of the application has an id; a proxy's page does not belong here.
    const own = xhr.getResponseHeader("X-Request-Id");
    const same = xhr.status === 304;
    const known = same || (xhr.status < 500 && xhr.getResponseHeader("Content-Type")?.startsWith("text/html"));
    if (!own || !known) {
      event.detail.shouldSwap = false;
      trouble(document.getElementById("rows")
        ? t("The server answered with status {status}. Try again in a moment.", { status: xhr.status })
        : t("The server answered with status {status}; this page goes on asking.", { status: xhr.status }));
      return;
    }
    pause = 1000;
    quietUntil = 0;
    event.detail.shouldSwap = !same;
    if (same) return tell();
    tag = polls(event) ? xhr.getResponseHeader("ETag") : tag;
    // It was removed meanwhile: nothing else on the page can be used any more.
    if (xhr.status === 404) event.detail.target = document.getElementById("job");
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
  addEventListener("popstate", restoreRows);
  tell();
}
