// Says how it stands with an answer that htmx brings.
"use strict";

{
  const answer = document.getElementById("answer");

  function fail(message) {
    answer.replaceChildren(problemBox("No answer", [message]));
  }

  function markWrong() {
    for (const control of document.querySelectorAll("form [aria-describedby]")) {
      const wrong = document.getElementById(control.getAttribute("aria-describedby"))?.matches(".error");
      control.closest(".field").classList.toggle("wrong", wrong);
      if (wrong) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }

  function bringIntoView() {
    const { top, bottom } = answer.getBoundingClientRect();
    const hidden = top > innerHeight * 0.7 || bottom < innerHeight * 0.3;
    if (hidden) answer.scrollIntoView({ block: "start" });
  }

  document.addEventListener("htmx:beforeRequest", () => answer.setAttribute("aria-busy", "true"));
  document.addEventListener("htmx:afterRequest", () => answer.removeAttribute("aria-busy"));
  document.addEventListener("htmx:sendError", () => {
    fail("The server cannot be reached. Look at the connection and try again.");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    // Every answer of the application has an id; a proxy's page does not belong here.
    const own = xhr.getResponseHeader("X-Request-Id");
    const isPage = xhr.getResponseHeader("Content-Type")?.startsWith("text/html");
    if (own && isPage) return;
    event.detail.shouldSwap = false;
    fail(`The server answered with status ${xhr.status}. Try again in a moment.`);
  });
  document.addEventListener("htmx:afterSettle", () => {
    markWrong();
    bringIntoView();
  });
}
