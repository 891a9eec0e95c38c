// An area to draw in with mouse, finger or pen: dark on white, as on paper.
"use strict";

// Calls `changed` after each stroke; returns what gives the drawing as a file, if there is one.
function drawingArea(panel, changed) {
  const canvas = panel.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const tools = [...panel.querySelectorAll("button")];
  const [undo, clear] = tools;
  const strokes = [];
  let stroke;

  function place({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(clientX - left) * canvas.width / width, (clientY - top) * canvas.height / height];
  }

  function trace(points) {
    const [[x, y]] = points;
    pen.beginPath();
    pen.moveTo(x, y);
    for (let i = 1; i < points.length - 1; i += 1) {
      // A curve from middle to middle of what the pointer told has no corners.
      const [[x1, y1], [x2, y2]] = points.slice(i, i + 2);
      pen.quadraticCurveTo(x1, y1, (x1 + x2) / 2, (y1 + y2) / 2);
    }
    const [endX, endY] = points.at(-1);
    pen.lineTo(endX + 0.01, endY); // a line of no length would leave no dot
    pen.stroke();
  }

  function paint() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.strokeStyle = "#16191d";
    pen.lineWidth = canvas.width / 12;
    pen.lineCap = pen.lineJoin = "round";
    strokes.forEach(trace);
  }

  function done() {
    stroke = undefined;
    paint();
    for (const tool of tools) tool.disabled = !strokes.length;
    changed();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke = [place(event)];
    strokes.push(stroke);
    paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || !event.isPrimary) return;
    const between = event.getCoalescedEvents?.() ?? [];
    stroke.push(...(between.length ? between : [event]).map(place));
    paint();
  });
  canvas.addEventListener("lostpointercapture", () => stroke && done());
  undo.addEventListener("click", () => done(strokes.pop()));
  clear.addEventListener("click", () => done(strokes.splice(0)));
  paint();

  return () => {
    if (!strokes.length) return undefined;
    const [, text] = canvas.toDataURL("image/png").split(",");
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new File([bytes], "drawing.png", { type: "image/png" });
  };
}
