"use strict";

// Without this file there is still an empty row to add one tier at a time.

// A button adds a row for another tier, as empty as the last one was.
function offerMoreTiers() {
    for (const table of document.querySelectorAll("table.tiers[data-add]")) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button small";
        button.textContent = table.dataset.add;
        button.addEventListener("click", () => {
            const rows = table.tBodies[0].rows;
            const row = rows[rows.length - 1].cloneNode(true);
            for (const input of row.querySelectorAll("input")) {
                input.value = "";
                input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, rows.length + 1));
            }
            table.tBodies[0].append(row);
            row.querySelector("input").focus();
        });
        table.after(button);
    }
}

document.addEventListener("DOMContentLoaded", offerMoreTiers);
