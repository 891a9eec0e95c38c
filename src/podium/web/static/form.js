// The form works without this file. It keeps sliders, address and calls in step with the fields,
// fills examples in place, and leads to what is wrong.
"use strict";

{
  const form = document.getElementById("form");
  const text = document.getElementById("text");
  const model = form.querySelector("select[name=model]");
  const clear = form.querySelector(".clear");
  const LONG_TEXT = 1500;
  const LONG_ADDRESS = 2000;
  const NEAR = 0.9; // of a text's limit
  const calls = document.getElementById("calls");
  const FIELD = "field."; // what leads the features' names in this form
  const fields = [...form.elements].filter((one) => one.tagName !== "FIELDSET"
    && (one.name.startsWith(FIELD) || ["text", "image_url"].includes(one.name)));
  let renewing = new AbortController();

  // The server tells all mistakes at once, each beside its field.
  form.noValidate = true;

  function whenQuiet(wait, act) {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(act, wait);
    };
  }

  function bare(name) {
    return name.startsWith(FIELD) ? name.slice(FIELD.length) : name;
  }

  function query() {
    const found = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const usual = name === "model" && !model?.selectedIndex;
      const tells = typeof value === "string" && value && !usual;
      if (tells && value.length <= LONG_TEXT) found.append(bare(name), value);
    }
    return String(found);
  }

  function keepInAddress() {
    if (document.querySelector(".answer .kept")) return; // a kept answer stays at its address
    const found = query();
    const fits = found && found.length <= LONG_ADDRESS;
    history.replaceState(history.state, "", form.getAttribute("action") + (fits ? `?${found}` : ""));
  }

  async function renewCalls() {
    const sent = new FormData();
    for (const [name, value] of new FormData(form)) sent.append(name, value.name ?? value);
    renewing.abort();
    const { signal } = renewing = new AbortController();
    let codes = null;
    try {
      const answer = await fetch(form.dataset.calls, { method: "POST", body: sent, signal });
      if (answer.ok) codes = await answer.json();
    } catch {
      // No answer, as where the server is gone; a later one says what holds.
    }
    if (signal.aborted) return;
    for (const [id, code] of Object.entries(codes ?? {})) {
      document.getElementById(`call-${id}`).textContent = code;
    }
    calls.classList.toggle("stale", !codes);
    calls.querySelector(".error").textContent = codes ? "" : t("These calls could not be brought up to date.");
    for (const button of calls.querySelectorAll("[data-copy]")) button.disabled = !codes;
  }

  function tooLong() {
    return text && [...text.value].length > Number(text.dataset.most);
  }

  function countText() {
    const most = Number(text.dataset.most);
    const left = most - [...text.value].length;
    const said = text.parentElement.querySelector(".left");
    said.classList.toggle("over", left < 0);
    if (left < 0) said.textContent = t("{count} characters too many", { count: -left });
    else said.textContent = left < most * (1 - NEAR) ? t("{count} characters left", { count: left }) : "";
  }

  function numberOf(field) {
    return field.value.trim() ? Number(field.value) : NaN;
  }

  function showSlider(slider) {
    const number = numberOf(document.getElementById(slider.dataset.of));
    slider.classList.toggle("unset", Number.isNaN(number));
    if (Number.isNaN(number)) slider.value = (Number(slider.min) + Number(slider.max)) / 2;
    else slider.value = number;
    slider.ariaValueText = Number.isNaN(number) ? t("not set") : null;
  }

  function showOutside(note) {
    const { value, dataset } = document.getElementById(note.dataset.of);
    const number = value.trim() ? Number(value) : NaN;
    const outside = number < Number(dataset.low) || number > Number(dataset.high);
    note.firstElementChild.hidden = !(outside && Number.isFinite(number));
  }

  function show() {
    form.querySelectorAll(".slider").forEach(showSlider);
    form.querySelectorAll(".outside").forEach(showOutside);
    if (text) countText();
    if (clear) clear.hidden = fields.every((one) => (one.type === "radio" ? !one.checked || !one.value : !one.value));
  }

  const soonInAddress = whenQuiet(300, keepInAddress);
  const soonInCalls = whenQuiet(600, renewCalls);

  function changed() {
    show();
    soonInAddress();
    soonInCalls();
  }

  function fill(values) {
    for (const one of fields) {
      const value = values.get(bare(one.name)) ?? "";
      if (one.type === "radio") one.checked = one.value === value;
      else one.value = value;
    }
    changed();
  }

  function slide({ target: slider }) {
    const field = document.getElementById(slider.dataset.of);
    const { low, high } = slider.dataset;
    // Its steps are round, the ends of the range need not be.
    if (Number(slider.value) <= Number(low)) field.value = low;
    else if (Number(slider.value) >= Number(high)) field.value = high;
    else field.value = slider.value;
    changed();
  }

  function readNumber({ target }) {
    if (!target.closest(".number")) return;
    const unit = target.nextElementSibling?.textContent;
    const typed = target.value.trim();
    const number = unit && typed.endsWith(unit) ? typed.slice(0, -unit.length).trim() : typed;
    // 1,234 may be a thousand or one and a bit: the server asks.
    const read = number.replace(/^([+-]?\d*),(\d{1,2}|\d{4,})$/, "$1.$2");
    if (read === typed || !read || Number.isNaN(Number(read))) return;
    target.value = read;
    changed();
  }

  function useExample(event) {
    const link = event.currentTarget;
    const values = new URL(link.href).searchParams;
    const fits = fields.some((one) => values.has(bare(one.name)));
    if (!fits && link !== clear) {
      // The server knows what is too long for an address.
      if (model) values.set("model", model.value);
      link.search = values;
      return;
    }
    event.preventDefault();
    fill(values);
    const said = document.getElementById("filled");
    said.textContent = link === clear ? t("The form is empty.") : t("Filled in: {title}", { title: link.textContent });
    if (link === clear) fields[0].focus();
  }

  function focusWrong() {
    const described = [...form.querySelectorAll("[aria-describedby]")];
    const wrong = described.find(isWrong);
    const control = wrong?.tagName === "FIELDSET" ? wrong.querySelector(":checked") ?? wrong.querySelector("input") : wrong;
    control?.focus();
  }

  for (const slider of form.querySelectorAll(".slider")) {
    slider.addEventListener("input", slide);
    // The middle of a slider that was never moved is a choice too.
    slider.addEventListener("click", (event) => slider.classList.contains("unset") && slide(event));
  }
  for (const link of form.querySelectorAll("a.chip, a.clear")) link.addEventListener("click", useExample);
  form.addEventListener("input", (event) => event.target.name && changed());
  form.addEventListener("change", readNumber);
  form.addEventListener("submit", (event) => {
    // The server would refuse it, and how much is too much stands beside it.
    if (!tooLong()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    text.focus();
  }, true);
  form.addEventListener("submit", ({ submitter }) => {
    for (const button of form.querySelectorAll("[type=submit]")) {
      button.classList.toggle("pressed", button === submitter);
    }
  });
  text?.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector(".predict"));
  });
  document.addEventListener("htmx:afterSettle", ({ target }) => target.id === "answer" && focusWrong());
  addEventListener("pageshow", show);
  show();
}
