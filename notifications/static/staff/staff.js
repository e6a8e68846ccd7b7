"use strict";

// The admin works without this file; it only saves clicks.

// On a phone each row of a list is a card: its cells say which column they are.
function labelCells() {
    for (const table of document.querySelectorAll("#result_list")) {
        const labels = Array.from(table.querySelectorAll("thead th"), (head) => {
            const text = head.querySelector(".text");
            return text ? text.textContent.trim() : "";
        });
        for (const row of table.querySelectorAll("tbody tr")) {
            Array.from(row.children).forEach((cell, index) => {
                if (labels[index]) {
                    cell.dataset.label = labels[index];
                }
            });
        }
    }
}

// Ready-made reasons fill the field above them.
function offerSuggestions() {
    for (const list of document.querySelectorAll("[data-fills]")) {
        list.hidden = false;
        list.addEventListener("click", (event) => {
            const chip = event.target.closest("button");
            const field = document.getElementById(list.dataset.fills);
            if (chip && field) {
                field.value = chip.textContent.trim();
                field.focus();
            }
        });
    }
}

// A decision is sent once, however often its button is pressed.
function sendOnce() {
    for (const form of document.querySelectorAll("form.decision, form.review-form")) {
        form.addEventListener("submit", (event) => {
            if (form.dataset.sent) {
                event.preventDefault();
            }
            form.dataset.sent = "yes";
        });
    }
    window.addEventListener("pageshow", () => {
        for (const form of document.querySelectorAll("form[data-sent]")) {
            delete form.dataset.sent;
        }
    });
}

document.addEventListener("DOMContentLoaded", () => {
    labelCells();
    offerSuggestions();
    sendOnce();
});
