"use strict";

// Saves selecting the text; without it the field can be copied by hand.
for (const button of document.querySelectorAll("[data-copies]")) {
    const field = document.getElementById(button.dataset.copies);
    if (field && navigator.clipboard) {
        const label = button.textContent;
        button.hidden = false;
        button.addEventListener("click", async () => {
            await navigator.clipboard.writeText(field.value);
            button.textContent = "Copied";
            setTimeout(() => { button.textContent = label; }, 2500);
        });
    }
}
