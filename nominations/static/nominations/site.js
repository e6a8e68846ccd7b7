"use strict";
// Every page works without this file; it only saves a few looks and clicks.

const counters = document.querySelectorAll("textarea[maxlength]");
for (const area of counters) {
  const limit = Number(area.maxLength);
  const counter = document.createElement("p");
  counter.className = "counter";
  counter.setAttribute("aria-hidden", "true");
  const count = () => {
    counter.textContent = `${area.value.length} / ${limit}`;
    counter.classList.toggle("counter-near", area.value.length > limit * 0.9);
  };
  area.after(counter);
  area.addEventListener("input", count);
  count();
}

const summary = document.querySelector("[data-focus]");
if (summary) {
  summary.focus();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (navigator.clipboard) {
    const label = button.querySelector("[data-label]");
    const before = label.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Link copied";
      setTimeout(() => { label.textContent = before; }, 2500);
    });
  }
}
