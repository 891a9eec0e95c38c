// An image can be chosen without this file. It adds dropping, pasting and previewing one.
"use strict";

{
  const input = document.getElementById("image");
  const drop = document.getElementById("drop");

  function show(file) {
    const preview = document.getElementById("preview"); // an answer replaces it
    if (preview.src.startsWith("blob:")) URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(file);
    preview.hidden = false;
  }

  {
    const take = takeDrops(drop, input, show);
    document.addEventListener("paste", (event) => take(event.clipboardData.files));
  }
}
