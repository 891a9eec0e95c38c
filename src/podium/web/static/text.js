// What the other scripts say, in the page's language. The English text is the key of its translation.
"use strict";

const TEXTS = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

function t(text, values = {}) {
  return (TEXTS[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
