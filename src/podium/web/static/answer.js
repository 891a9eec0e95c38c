// Says how it stands with an answer that htmx brings, whether it is for what the form holds now,
// and sends again what failed.
"use strict";

{
  const SLOW = 3000; // milliseconds after which a visitor wonders
  const SPARE = 5000; // for the way; so long the server's own word on its limit may take
  const form = document.getElementById("form");
  const answer = document.getElementById("answer");
  const said = document.getElementById("said");
  const menu = document.getElementById("model"); // of models, where there are several
  let sender; // the button that sent the form last
  let every = Boolean(answer.querySelector(".compared")); // whether that was for all models
  let asker = form; // what asked last: the form, or that of a kept answer
  let cameFromAll; // whether the answer was opened out of a comparison
  let timers = [];

  // What the form holds, as far as the answer depends on it.
  function held() {
    const parts = [...new FormData(form)].filter(([name]) => name !== "model" || !every);
    return JSON.stringify(parts.map(([name, value]) => [name, value.name ?? value, value.size, value.size && value.lastModified]));
  }
  let answered = held();

  function markOld() {
    if (answer.hasAttribute("aria-busy")) return;
    const old = answer.querySelector(".label, .verdict") && held() !== answered;
    if (Boolean(old) === answer.classList.contains("old")) return;
    answer.classList.toggle("old");
    answer.querySelector(".earlier")?.remove();
    said.textContent = "";
    if (!old) return;
    const note = Object.assign(document.createElement("p"), {
      className: "warning earlier", textContent: t("This answer is for the earlier values."),
    });
    answer.prepend(note);
    said.textContent = note.textContent;
  }

  function button(text) {
    return Object.assign(document.createElement("button"), { className: "second", textContent: text });
  }

  function fail(title, ...lines) {
    const box = problemBox(title, lines);
    if (asker === form) {
      const again = button(t("Try again"));
      again.type = "button";
      again.dataset.retry = "0";
      box.append(again);
    } else {
      box.append(asker); // it alone knows what was asked
    }
    answer.replaceChildren(box);
  }

  function limit() {
    // How many models a kept answer asks again is not known here.
    const models = every || asker !== form ? menu?.length ?? 1 : 1;
    return answer.dataset.timeout * 1000 * models + SPARE;
  }

  function offerComparison() {
    const back = button(t("Back to the comparison"));
    for (const [name, value] of [["form", "form"], ["type", "submit"], ["name", "model"], ["value", "*"]]) {
      back.setAttribute(name, value);
    }
    answer.prepend(back);
    htmx.process(back); // which tells it the button that was pressed
  }

  function sayStill() {
    const note = Object.assign(document.createElement("p"), {
      className: "waiting", textContent: t("Still working…"),
    });
    answer.prepend(note);
    said.textContent = note.textContent;
  }

  function stop() {
    timers.forEach(clearTimeout);
    timers = [];
    answer.querySelector(".waiting")?.remove();
  }

  function start() {
    stop();
    timers = [setTimeout(sayStill, SLOW), setTimeout(() => htmx.trigger(asker, "htmx:abort"), limit())];
  }

  function countDown(button) {
    const left = Number(button.dataset.retry);
    button.disabled = left > 0;
    button.textContent = left > 0 ? t("Try again in {seconds} s", { seconds: left }) : t("Try again");
    button.dataset.retry = left - 1;
    if (left > 0) setTimeout(() => button.isConnected && countDown(button), 1000);
  }

  function markWrong() {
    for (const control of form.querySelectorAll("[aria-describedby]")) {
      const wrong = isWrong(control);
      control.closest(".field")?.classList.toggle("wrong", wrong);
      if (wrong) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }

  function bringIntoView() {
    const { top, bottom } = answer.getBoundingClientRect();
    const hidden = top < 0 || top > innerHeight * 0.7 || bottom < innerHeight * 0.3;
    // The form leads to a field that is wrong.
    if (hidden && !form.querySelector(".wrong")) answer.scrollIntoView({ block: "start" });
  }

  function leadTo(link, event) {
    const control = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!control) return;
    event.preventDefault();
    const inner = control.querySelector(":checked") ?? control.querySelector("input");
    (control.matches("fieldset") ? inner : control).focus();
  }

  function isOwn({ detail }) {
    return detail.elt === form || detail.target === answer;
  }

  form.addEventListener("submit", ({ submitter }) => {
    sender = submitter;
    every = submitter?.value === "*";
    cameFromAll = Boolean(submitter?.closest(".compared"));
    // The menu tells which model's answer is there.
    if (submitter?.name === "model" && !every) menu.value = submitter.value;
  });
  answer.addEventListener("click", (event) => {
    const again = event.target.closest("[data-retry]");
    const link = event.target.closest(".marked a, .warning a, .unsure a");
    if (link) leadTo(link, event);
    if (!again || (again.form && again.form !== form)) return;
    event.preventDefault();
    form.requestSubmit(sender?.form === form ? sender : null);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isOwn(event)) return;
    asker = event.detail.elt;
    if (asker === form) answered = held();
    answer.setAttribute("aria-busy", "true");
    said.textContent = "";
    start();
  });
  // While a large image is still on its way nothing is wrong.
  document.addEventListener("htmx:xhr:progress", () => timers.length && start());
  document.addEventListener("htmx:afterRequest", () => {
    answer.removeAttribute("aria-busy");
    stop();
    // A button that is off while one waits loses its focus.
    if (document.activeElement === document.body && sender?.isConnected) sender.focus({ preventScroll: true });
  });
  document.addEventListener("htmx:sendError", () => {
    fail(t("No answer"), t("The server cannot be reached. Look at the connection and try again."));
  });
  document.addEventListener("htmx:sendAbort", () => {
    fail(t("No answer"), t("There was no answer within {seconds} seconds. The server may be busy.",
      { seconds: Math.round(limit() / 1000) }));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    // Every answer of the application has an id; a proxy's page does not belong here.
    const own = xhr.getResponseHeader("X-Request-Id");
    const isPage = xhr.getResponseHeader("Content-Type")?.startsWith("text/html");
    if (own && isPage) return;
    event.detail.shouldSwap = false;
    if (xhr.status === 413) {
      fail(t("No answer"), t("What was sent is too large for the server."));
    } else {
      fail(t("No answer"), t("The server answered with status {status}. Try again in a moment.",
        { status: xhr.status }));
    }
  });
  // What changes the form, by hand or by a script in its wake.
  for (const name of ["input", "change", "click", "drop", "paste", "pointerup"]) {
    document.addEventListener(name, () => setTimeout(markOld));
  }
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (target !== answer) return; // each note of the form settles, too
    markWrong();
    if (cameFromAll && asker === form && answer.querySelector(".label")) offerComparison();
    bringIntoView();
    answer.classList.remove("old");
    said.textContent = answer.querySelector("[data-said]")?.dataset.said ?? "";
    const again = answer.querySelector("[data-retry]");
    if (again) countDown(again);
    markOld();
  });
}
