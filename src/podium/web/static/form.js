// The form works without this file. It keeps the model when an example is chosen.
"use strict";

// An example fills the form, and leaves the model that was chosen.
for (const link of document.querySelectorAll("a.chip")) {
  link.addEventListener("click", () => {
    const address = new URL(link.href);
    address.searchParams.set("model", document.querySelector("[name=model]").value);
    link.href = address;
  });
}
