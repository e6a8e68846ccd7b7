"use strict";

// The pages work without this file. With it, the CRM's sign-in opens in a tab beside this one by the same click that
// asks for its address: browsers let nothing but a click open a tab, so it is opened empty first.
let signIn = null;

function openTab(event) {
    if (event.target.matches("[data-opens-tab]")) {
        signIn = window.open("", "_blank");
    }
}

function leadThere() {
    const link = document.querySelector("[data-sign-in]");
    if (signIn && link) {
        signIn.location = link.href;
    } else if (signIn) {
        signIn.close();
    }
    signIn = null;
}

document.addEventListener("submit", openTab);
for (const end of ["htmx:afterSwap", "htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(end, leadThere);
}
