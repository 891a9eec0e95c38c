// A zone takes a dropped file into its input, and so does a link whose file is an example.
"use strict";

function takeDrops(zone, input, taken) {
  function take(files) {
    if (!files.length) return;
    const chosen = new DataTransfer();
    chosen.items.add(files[0]);
    input.files = chosen.files;
    taken(files[0]);
  }

  async function takeExample(event) {
    event.preventDefault();
    const link = event.currentTarget;
    const body = await (await fetch(link.href)).blob();
    const name = decodeURIComponent(link.href.split("/").pop());
    take([new File([body], name, { type: body.type })]);
    zone.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  input.addEventListener("change", () => input.files.length && taken(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    zone.addEventListener(kind, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  for (const link of document.querySelectorAll("[data-example]")) {
    link.addEventListener("click", takeExample);
  }
  return take;
}
