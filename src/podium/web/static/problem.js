// What went wrong, as a page tells it.
"use strict";

// Whether what describes a control is a mistake in it.
function isWrong(control) {
  return control.getAttribute("aria-describedby").split(" ")
    .some((id) => document.getElementById(id)?.matches(".error"));
}

// A message without the key of podium.toml that it names for makers.
function withoutKeys(message) {
  return message.replace(/ \(\[\w+\] \w+\)/, "");
}

function problemBox(title, lines) {
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const box = document.createElement("div");
  box.className = "problem";
  box.setAttribute("role", "alert");
  box.append(element("h2", title), ...lines.map((line) => element("p", withoutKeys(line))));
  return box;
}
