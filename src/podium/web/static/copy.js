// A button with data-copy copies the text of the element with that id, in one click.
"use strict";

{
  function copyBySelection(text) {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Browsers have no clipboard for pages that come over plain HTTP.
      return copyBySelection(text);
    }
  }

  const timers = new WeakMap();

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const said = button.parentElement.querySelector("[role=status]");
    const copied = await copy(source.value ?? source.textContent);
    if (!copied) getSelection().selectAllChildren(source);
    button.focus();
    said.textContent = copied ? t("Copied") : t("Selected. Press Ctrl+C to copy.");
    clearTimeout(timers.get(said));
    timers.set(said, setTimeout(() => said.replaceChildren(), 4000));
  });
}
