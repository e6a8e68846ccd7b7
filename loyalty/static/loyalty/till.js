"use strict";

// The till works without this file; it only saves keys.

// A ready-made number fills the field and is previewed at once.
document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-points]");
    const form = document.querySelector(".till-form");
    if (!chip || !form) {
        return;
    }
    event.preventDefault();
    form.elements.namedItem("points").value = chip.dataset.points;
    form.requestSubmit(form.elements.namedItem("_preview"));
});

// What was previewed is not what is typed now: nobody confirms it.
document.addEventListener("input", (event) => {
    const preview = document.getElementById("till_preview");
    if (preview && event.target.closest(".till-form")) {
        preview.inert = true;
    }
});

// Only who asked for the preview is led on to its button, and told what is missing.
document.addEventListener("htmx:configRequest", (event) => {
    const cause = event.detail.triggeringEvent;
    event.detail.parameters.delete("_preview");
    if (cause && cause.type === "submit") {
        event.detail.parameters.append("_preview", "1");
    }
});

// Silence is told: the old preview stands for nothing.
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(failure, () => {
        const preview = document.getElementById("till_preview");
        preview.textContent = "No preview. Nothing was moved: reload the page and try again.";
        preview.inert = false;
    });
}

// Whoever was logged out meanwhile logs in again, and comes back to this card.
document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.isError && !event.detail.serverResponse.includes("till_preview")) {
        event.preventDefault();
        window.location.reload();
    }
});

// A key held down is one press, and a form is sent once.
document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.repeat && event.target.closest(".till-page")) {
        event.preventDefault();
    }
});

document.addEventListener("submit", (event) => {
    const form = event.target.closest(".till-confirm");
    if (!form) {
        return;
    }
    if (form.dataset.sent) {
        event.preventDefault();
    }
    form.dataset.sent = "yes";
});

window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll(".till-confirm[data-sent]")) {
        delete form.dataset.sent;
    }
});

// What was looked for is replaced by the next key.
document.addEventListener("DOMContentLoaded", () => {
    const find = document.getElementById("till_q");
    if (find && find.value && document.activeElement === find) {
        find.select();
    }
});
