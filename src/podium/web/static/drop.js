// The page takes a dropped file into an input, and so does a link whose file is an example.
"use strict";

function giveFile(input, file) {
  const given = new DataTransfer();
  if (file) given.items.add(file);
  input.files = given.files;
  input.dispatchEvent(new Event("input", { bubbles: true })); // as if it had been chosen
}

function fileSize(bytes) {
  const [unit, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([one]) => bytes >= one) ?? [1, "B"];
  const number = bytes / unit;
  return `${number.toFixed(number < 10 && unit > 1 ? 1 : 0)} ${name}`;
}

// `zone` shows where a file lands; it may be dropped anywhere, lest the browser leave the page for it.
function takeDrops(zone, input, taken) {
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");

  function take(files) {
    if (!files.length) return;
    giveFile(input, files[0]);
    taken(files[0]);
  }

  async function takeExample(event) {
    const { href } = event.currentTarget;
    event.preventDefault();
    try {
      const answer = await fetch(href);
      if (!answer.ok) throw new Error(answer.statusText);
      const body = await answer.blob();
      take([new File([body], decodeURIComponent(href.split("/").pop().split("?")[0]), { type: body.type })]);
      zone.scrollIntoView({ block: "nearest" });
    } catch {
      location.assign(href); // the browser says what is wrong
    }
  }

  input.addEventListener("change", () => input.files.length && taken(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over"); // out of the window
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  for (const link of document.querySelectorAll("[data-example]")) {
    link.addEventListener("click", takeExample);
  }
  return take;
}
