"use strict";
// Every page works without this file. It says how old a page is that asks for news by itself, and counts a code's
// seconds down.

let heardAt = Date.now();
let isBroken = false;

function since(seconds) {
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}

function tellAge() {
  for (const place of document.querySelectorAll("[data-fresh]")) {
    const age = `updated ${since(Math.round((Date.now() - heardAt) / 1000))}`;
    place.textContent = isBroken ? `No connection, ${age}` : age[0].toUpperCase() + age.slice(1);
    place.classList.toggle("fresh-broken", isBroken);
  }
}

document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.elt.closest("#live, #news")) {
    return;
  }
  isBroken = !event.detail.successful;
  if (!isBroken) {
    heardAt = Date.now();
  }
  tellAge();
});
document.addEventListener("htmx:afterSettle", (event) => {
  tellAge();
  // The button that was pressed is gone: whoever uses the keyboard goes on from what came of it.
  if (event.detail.requestConfig?.verb === "post" && document.activeElement === document.body) {
    document.querySelector(".message")?.focus();
  }
});
setInterval(tellAge, 1000);
tellAge();

// The code on the screen: its seconds, and the next one when they are over. Clocks of phones are wrong, so that the
// seconds are counted from when the page came.
let codeEnds = 0;
let codeShown = null;

function countCode() {
  const place = document.querySelector("[data-expires]");
  if (!place) {
    return;
  }
  if (place !== codeShown) {
    codeShown = place;
    codeEnds = Date.now() + Number(place.dataset.expires) * 1000;
  }
  const left = Math.max(0, Math.ceil((codeEnds - Date.now()) / 1000));
  place.textContent = isBroken ? "No connection: this code may be too old." : `New code in ${left} s`;
  if (Date.now() >= codeEnds) {
    codeEnds = Date.now() + 3000;
    window.htmx.trigger("#live", "renew");
  }
}

setInterval(countCode, 250);
document.addEventListener("visibilitychange", countCode);
countCode();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
