"use strict";

// The page works without this file: the form posts, and the page comes back with what came of it. With it, the page
// stays, so that a scanner may go on while the answer is on its way; and a camera can read codes.
(() => {
    const form = document.getElementById("scan-form");
    const field = document.getElementById("scan_code");
    const result = document.getElementById("scan-result");
    const camera = document.getElementById("scan-camera");
    const word = document.getElementById("scan-camera-word");
    const video = document.getElementById("scan-video");
    if (!form || !field) {
        return;
    }
    const PATIENCE = 15_000;
    // A scanner that reads twice, and a code that stays before the camera.
    const SAME_WITHIN = 5_000;
    const LOOK_EVERY = 250;
    let queue = Promise.resolve();
    let last = { code: "", at: 0 };

    // Sending, one after the other -----------------------------------------------------------------------------------

    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const body = new URLSearchParams(new FormData(form));
        const code = field.value.trim();
        field.value = "";
        field.focus();
        if (!code || (code === last.code && Date.now() - last.at < SAME_WITHIN)) {
            return;
        }
        last = { code, at: Date.now() };
        queue = queue.then(() => send(body));
    });

    async function send(body) {
        result.setAttribute("aria-busy", "true");
        try {
            const signal = AbortSignal.timeout(PATIENCE);
            const answer = await fetch(form.action, { method: "POST", body, signal });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            if (!answer.ok || !page.getElementById("scan-form")) {
                throw Object.assign(new Error("refused"), { isElsewhere: answer.ok || answer.status === 403 });
            }
            for (const id of ["scan-result", "scan-last"]) {
                document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
            }
        } catch (error) {
            last.code = "";
            tellProblem(error.isElsewhere);
        }
        result.removeAttribute("aria-busy");
        result.scrollIntoView({ block: "nearest" });
    }

    function tellProblem(isElsewhere) {
        const place = document.createElement("section");
        place.className = "scan-result scan-bad";
        const title = document.createElement("h2");
        const note = document.createElement("p");
        if (isElsewhere) {
            title.textContent = "Your login has ended";
            const link = Object.assign(document.createElement("a"), { href: window.location.href, textContent: "Log in again" });
            note.append(link, ", then scan the code anew. Nothing was booked.");
        } else {
            title.textContent = "No answer from the server";
            note.textContent = "Whether it was booked is not known. Reload the page and look at your last scans.";
        }
        place.append(title, note);
        result.replaceChildren(place);
    }

    // The focus is the scanner's, unless somebody is about to use something else -----------------------------------------

    document.addEventListener("click", (event) => {
        if (!event.target.closest("a, button, input, select, label, summary") && !String(window.getSelection())) {
            field.focus({ preventScroll: true });
        }
    });
    window.addEventListener("focus", () => {
        if (document.activeElement === document.body) {
            field.focus({ preventScroll: true });
        }
    });

    // Camera -----------------------------------------------------------------------------------------------------------

    let stream = null;
    let detector = null;
    let looks = 0;

    function stop() {
        clearTimeout(looks);
        for (const track of stream ? stream.getTracks() : []) {
            track.stop();
        }
        stream = null;
        video.srcObject = null;
        video.hidden = true;
        camera.textContent = "Use the camera";
    }

    async function start() {
        try {
            stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        } catch {
            say("The camera cannot be used: allow it for this page in the browser, or use a scanner.");
            return;
        }
        word.hidden = true;
        video.srcObject = stream;
        video.hidden = false;
        camera.textContent = "Stop the camera";
        await video.play();
        look();
    }

    async function look() {
        if (!stream) {
            return;
        }
        try {
            const [found] = await detector.detect(video);
            if (found && found.rawValue) {
                field.value = found.rawValue.slice(0, field.maxLength);
                form.requestSubmit();
            }
        } catch {
            // This picture could not be read; the next one may.
        }
        looks = setTimeout(look, LOOK_EVERY);
    }

    function say(text) {
        word.textContent = text;
        word.hidden = false;
    }

    async function offerCamera() {
        const kinds = "BarcodeDetector" in window ? await window.BarcodeDetector.getSupportedFormats() : [];
        if (!kinds.includes("qr_code") || !navigator.mediaDevices) {
            say("This browser cannot read codes with its camera. Use a scanner, or type the code.");
            return;
        }
        detector = new window.BarcodeDetector({ formats: ["qr_code"] });
        camera.hidden = false;
        camera.addEventListener("click", () => (stream ? stop() : start()));
        document.addEventListener("visibilitychange", () => {
            if (document.hidden) {
                stop();
            }
        });
    }

    offerCamera();
})();
