// A data set can be sent without this file. It adds dropping one, how far it is sent, and a way
// to stop; what is wrong is told in the form, which keeps what was chosen.
"use strict";

const byId = (name) => document.getElementById(name);
const form = byId("upload");
const zone = byId("drop");
const file = byId("file");
const sending = byId("sending");
const limit = Number(form.dataset.limit);
const named = { file: "The file ", body: "" }; // what a message begins with
const boxes = [...form.querySelectorAll("[type=checkbox][name=models]")];
let request;

function size(bytes) {
  const [unit, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([one]) => bytes >= one) ?? [1, "B"];
  const number = bytes / unit;
  return `${number.toFixed(number < 10 && unit > 1 ? 1 : 0)} ${name}`;
}

function tell(title, lines) {
  byId("problem").replaceChildren(problemBox(title, lines));
  byId("problem").focus();
}

function tooLarge(one) {
  if (one.size <= limit) return false;
  tell("Too large", [`${one.name} has ${size(one.size)}; at most ${form.dataset.limitWords} are taken. `
    + "Split it, or send it as Parquet, which is smaller."]);
  return true;
}

function noModel() {
  if (!boxes.length || boxes.some((box) => box.checked)) return false;
  tell("No model", ["No model is chosen. Choose at least one."]);
  return true;
}

function taken(one) {
  byId("problem").replaceChildren();
  zone.classList.add("full");
  zone.querySelector(".hint").replaceChildren(
    Object.assign(document.createElement("strong"), { textContent: one.name }),
    ` ${size(one.size)}. Drop or choose another to replace it.`,
  );
  tooLarge(one);
}

function asked(submitter) {
  const body = new FormData(form);
  if (submitter?.name) body.append(submitter.name, submitter.value);
  // The file comes last: what is wrong beside it is told before it is sent.
  const chosen = body.get("file");
  body.delete("file");
  body.append("file", chosen, chosen.name);
  return body;
}

function ended() {
  request = undefined;
  sending.hidden = true;
  for (const control of form.elements) control.disabled = false;
}

function failed() {
  let told;
  try {
    told = JSON.parse(request.responseText);
  } catch {
    told = { title: "Not sent", detail: `The server answered with status ${request.status}. Try again in a moment.` };
  }
  const lines = (told.errors ?? []).map(({ field, message }) => `${named[field] ?? `${field} `}${message}`);
  const wait = request.getResponseHeader("Retry-After");
  ended();
  tell(told.title, [...(lines.length ? lines : [told.detail]), ...(wait ? [`Try again in ${wait} s.`] : [])]);
}

function loaded() {
  if (request.status !== 202) return failed();
  const address = request.getResponseHeader("Location");
  ended();
  location.assign(address);
}

function show(started, { loaded: sent, total }) {
  const seconds = (performance.now() - started) / 1000;
  const rate = sent / seconds;
  const part = total ? sent / total : 1; // an empty file is sent at once
  byId("sent").value = part;
  byId("sending-part").textContent = `${Math.floor(100 * part)}%`;
  byId("sending-said").textContent = `${10 * Math.floor(10 * part)}% sent`;
  byId("sending-title").textContent = sent < total ? "Being sent" : "Sent";
  const left = (total - sent) / rate;
  byId("sending-words").textContent = sent < total
    ? `${size(sent)} of ${size(total)}, ${size(rate || 0)} a second${sent && seconds > 2 ? `, ${Math.ceil(left)} s left` : ""}.`
    : "The server keeps it.";
}

function send(event) {
  event.preventDefault();
  if (request || tooLarge(file.files[0]) || noModel()) return;
  byId("problem").replaceChildren();
  const body = asked(event.submitter);
  const started = performance.now();
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = (progress) => show(started, progress);
  request.onload = loaded;
  request.onerror = () => {
    ended();
    tell("Not sent", ["The connection broke off while the file was sent. Look at the connection and try again."]);
  };
  show(started, { loaded: 0, total: file.files[0].size });
  for (const control of form.elements) control.disabled = control.id !== "stop";
  sending.hidden = false;
  request.send(body);
}

takeDrops(zone, file, taken);
form.addEventListener("submit", send);
byId("stop").addEventListener("click", () => {
  request.abort();
  ended();
});
addEventListener("beforeunload", (event) => request && event.preventDefault());

const all = byId("all");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
  });
}
