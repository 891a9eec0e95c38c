// The page works without this file. It adds dropping, pasting and previewing an image.
"use strict";

const input = document.getElementById("image");
const drop = document.getElementById("drop");
const preview = document.getElementById("preview");

function show(file) {
  if (preview.src.startsWith("blob:")) URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
}

function take(files) {
  if (!files.length) return;
  const chosen = new DataTransfer();
  chosen.items.add(files[0]);
  input.files = chosen.files;
  show(files[0]);
}

async function takeExample(event) {
  event.preventDefault();
  const link = event.currentTarget;
  const body = await (await fetch(link.href)).blob();
  take([new File([body], link.href.split("/").pop(), { type: body.type })]);
  drop.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

if (input) {
  input.addEventListener("change", () => input.files.length && show(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  for (const link of document.querySelectorAll("[data-example]")) {
    link.addEventListener("click", takeExample);
  }
}
