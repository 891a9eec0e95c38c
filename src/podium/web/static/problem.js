// What went wrong, as a page tells it.
"use strict";

function problemBox(title, lines) {
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const box = document.createElement("div");
  box.className = "problem";
  box.setAttribute("role", "alert");
  box.append(element("h2", title), ...lines.map((line) => element("p", line)));
  return box;
}
