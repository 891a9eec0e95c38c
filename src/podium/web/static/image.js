// An image can be chosen without this file. It adds dropping, pasting, taking, drawing and seeing
// one, and says before it is sent what is wrong with it.
"use strict";

{
  const byId = (name) => document.getElementById(name);
  const field = byId("picture");
  const input = byId("image");
  const zone = byId("drop");
  const chosen = byId("chosen");
  const about = chosen.querySelector("[role=status]");
  const camera = byId("camera");
  const address = byId("image_url");
  const ways = [...field.querySelectorAll("[role=tab]")]; // to choose and to draw, or none
  // The beginnings of the formats that are read, as `podium.pipeline.files` names them.
  const STARTS = ["\xff\xd8\xff", "\x89PNG", "GIF8", "BM", "II*\0", "MM\0*", "II+\0", "MM\0+"];
  const OTHERS = /^(RIFF....WEBP|....ftyp(avi|hei|hev|mif1|msf1))/s;
  let picture; // the chosen file, which waits while a drawing is in its place
  let drawing; // gives what is drawn
  let source; // the preview's address
  let seen; // whether the browser can show it

  function tell(message) {
    const note = byId("image-note"); // an answer replaces it
    if (message) note.setAttribute("role", "alert");
    note.className = message ? "error" : "help";
    note.textContent = message;
    field.classList.toggle("wrong", Boolean(message));
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  function hide(preview) {
    preview.hidden = true;
    preview.removeAttribute("src");
    if (source) URL.revokeObjectURL(source);
    source = undefined;
  }

  function show() {
    const preview = byId("preview"); // an answer replaces it
    const facts = { name: picture.name, size: fileSize(picture.size) };
    const number = (pixels) => pixels.toLocaleString(document.documentElement.lang);
    hide(preview);
    about.textContent = "";
    chosen.hidden = false;
    zone.classList.add("full");
    preview.onload = () => {
      seen = true;
      preview.hidden = false;
      const sides = { width: number(preview.naturalWidth), height: number(preview.naturalHeight) };
      about.textContent = t("{name}, {size}, {width} × {height} pixels", { ...facts, ...sides });
    };
    preview.onerror = () => {
      seen = false;
      about.textContent = t("{name}, {size}. No preview in this browser.", facts);
    };
    source = preview.src = URL.createObjectURL(picture);
  }

  function remove() {
    picture = undefined;
    giveFile(input);
    hide(byId("preview"));
    chosen.hidden = true;
    zone.classList.remove("full");
  }

  async function mistake(file) {
    const { name } = file;
    if (!file.size) return t("{name} is empty (0 bytes). Choose another file.", { name });
    if (file.size > Number(field.dataset.limit)) {
      const sizes = { size: fileSize(file.size), limit: field.dataset.limitWords };
      return t("{name} has {size}; at most {limit} are taken. Choose a smaller image.", { name, ...sizes });
    }
    try {
      const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
      if (STARTS.some((start) => head.startsWith(start)) || OTHERS.test(head)) return "";
      return t("{name} is not an image. Choose a photo or a picture, such as a JPEG or a PNG.", { name });
    } catch {
      return t("{name} cannot be read any more. Choose it again.", { name });
    }
  }

  async function taken(file) {
    picture = file;
    turnTo(ways[0]);
    tell("");
    const wrong = await mistake(file);
    if (picture !== file) return; // another one came meanwhile
    if (wrong) {
      remove();
      tell(wrong);
    } else {
      if (address) address.value = "";
      show();
    }
  }

  const isOn = (way) => way?.getAttribute("aria-selected") === "true";

  function turnTo(way) {
    if (!way || isOn(way)) return;
    for (const one of ways) {
      one.setAttribute("aria-selected", one === way);
      one.tabIndex = one === way ? 0 : -1;
      byId(one.getAttribute("aria-controls")).hidden = one !== way;
    }
    giveFile(input, way === ways[0] ? picture : drawing());
    tell("");
  }

  function refuseNothing(event) {
    if (input.files.length || address?.value.trim()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const draws = isOn(ways[1]);
    tell(draws ? t("Nothing is drawn yet. Draw first.") : t("There is no image yet. Choose one first."));
    (draws ? ways[1] : input).focus();
  }

  function offerDrawing() {
    const [{ parentElement: list }] = ways;
    drawing = drawingArea(byId("draw"), () => {
      giveFile(input, drawing());
      tell("");
      if (address) address.value = "";
    });
    list.hidden = false;
    for (const way of ways) way.addEventListener("click", () => turnTo(way));
    list.addEventListener("keydown", ({ key, target }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const other = ways.find((way) => way !== target);
      turnTo(other);
      other.focus();
    });
  }

  {
    const take = takeDrops(zone, input, taken);
    document.addEventListener("paste", (event) => {
      const { files, types } = event.clipboardData;
      const typing = event.target.closest?.("input:not([type=file]), textarea");
      if (!typing || !types.includes("text/plain")) take(files);
    });
    const phone = matchMedia("(pointer: coarse)").matches;
    byId("photograph").hidden = !phone;
    byId("photograph").addEventListener("click", () => camera.click());
    camera.addEventListener("change", () => take(camera.files));
    byId("also").hidden = phone;
    zone.classList.add("ready");
  }

  // Some browsers drop the file when the choice of another one is cancelled.
  input.addEventListener("change", () => input.files.length || giveFile(input, picture));
  input.form.addEventListener("submit", refuseNothing, true); // before htmx sends it
  chosen.querySelector("button").addEventListener("click", () => {
    remove();
    tell("");
    input.focus();
  });
  address?.addEventListener("input", () => {
    if (!address.value) return;
    turnTo(ways[0]);
    remove();
    tell("");
  });
  document.addEventListener("htmx:afterSettle", () => {
    const preview = byId("preview");
    if (!preview.src.startsWith("data:")) return;
    if (picture && !seen) about.textContent = t("{name}, {size}", { name: picture.name, size: fileSize(picture.size) });
    else if (!picture && !address?.value) hide(preview); // of a drawing, which is seen anyway
  });
  if (ways.length) offerDrawing();
}
