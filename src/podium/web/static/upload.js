// A data set can be sent without this file. It adds dropping one, how far it is sent, and a way
// to stop; what is wrong is told in the form, which keeps what was chosen.
"use strict";

{
  const byId = (name) => document.getElementById(name);
  const form = byId("upload");
  const zone = byId("drop");
  const file = byId("file");
  const sending = byId("sending");
  const limit = Number(form.dataset.limit);
  const named = { file: t("The file"), body: "" }; // what a message begins with
  const boxes = [...form.querySelectorAll("[type=checkbox][name=models]")];
  let request;

  function tell(title, lines) {
    byId("problem").replaceChildren(problemBox(title, lines));
    byId("problem").focus();
  }

  function tooLarge(one) {
    const { sheet, sheetWords } = form.dataset;
    if (sheet && one.name.toLowerCase().endsWith(".xlsx") && one.size > Number(sheet)) {
      tell(t("Too large"), [t("{name} has {size}; of Excel files at most {limit} are taken. Save it as CSV.",
        { name: one.name, size: fileSize(one.size), limit: sheetWords })]);
      return true;
    }
    if (one.size <= limit) return false;
    const values = { name: one.name, size: fileSize(one.size), limit: form.dataset.limitWords };
    tell(t("Too large"), [form.dataset.images
      ? t("{name} has {size}; at most {limit} are taken. Split it into several.", values)
      : t("{name} has {size}; at most {limit} are taken. Split it, or send it as Parquet, which is smaller.", values)]);
    return true;
  }

  function noModel() {
    if (!boxes.length || boxes.some((box) => box.checked)) return false;
    tell(t("No model"), [t("No model is chosen. Choose at least one.")]);
    return true;
  }

  function taken(one) {
    byId("problem").replaceChildren();
    zone.classList.add("full");
    zone.querySelector(".hint").replaceChildren(
      Object.assign(document.createElement("strong"), { textContent: one.name }),
      " ", t("{size}. Drop or choose another to replace it.", { size: fileSize(one.size) }),
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
      told = { title: t("Not sent"), detail: t("The server answered with status {status}. Try again in a moment.", { status: request.status }) };
    }
    const lines = (told.errors ?? []).map(({ field, message }) => `${named[field] ?? field} ${message}`.trim());
    const wait = request.getResponseHeader("Retry-After");
    ended();
    tell(told.title, [...(lines.length ? lines : [told.detail]), ...(wait ? [t("Try again in {n} s.", { n: wait })] : [])]);
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
    byId("sending-said").textContent = t("{percent}% sent", { percent: 10 * Math.floor(10 * part) });
    byId("sending-title").textContent = sent < total ? t("Being sent") : t("Sent");
    byId("sending-words").textContent = sent < total ? sentSoFar(sent, total, rate, seconds) : t("The server keeps it.");
  }

  function sentSoFar(sent, total, rate, seconds) {
    const values = { sent: fileSize(sent), total: fileSize(total), rate: fileSize(rate || 0), left: Math.ceil((total - sent) / rate) };
    return sent && seconds > 2
      ? t("{sent} of {total}, {rate} a second, {left} s left.", values)
      : t("{sent} of {total}, {rate} a second.", values);
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
    request.setRequestHeader("Accept-Language", document.documentElement.lang);
    request.upload.onprogress = (progress) => show(started, progress);
    request.onload = loaded;
    request.onerror = () => {
      ended();
      tell(t("Not sent"), [t("The connection broke off while the file was sent. Look at the connection and try again.")]);
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
}
