"use strict";

// The table works without this file: a link loads it again. With it, rows follow what the API says has changed.
(() => {
    const board = document.getElementById("live-board");
    if (!board) {
        return;
    }
    const LONGEST_PAUSE = 60;
    const PATIENCE = 10_000;
    const SHOWN_FOR = 6_000;
    const MOST_ROWS = 200;
    const find = (name) => board.querySelector(`[data-${name}]`);
    const rows = find("rows");
    const state = {
        cursor: board.dataset.cursor,
        interval: Number(board.dataset.interval),
        isPaused: false,
        isAsking: false,
        totalsAreOld: false,
        failures: 0,
        heardAt: Date.now(),
        timer: 0,
    };

    // Asking ---------------------------------------------------------------------------------------------------------

    async function ask(url, options = {}) {
        const answer = await fetch(url, { ...options, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
        if (!answer.ok || answer.redirected) {
            throw Object.assign(new Error("refused"), { status: answer.redirected ? 401 : answer.status });
        }
        return answer.json();
    }

    async function poll() {
        if (state.isAsking) {
            return;
        }
        clearTimeout(state.timer);
        state.isAsking = true;
        try {
            const answer = await ask(`${board.dataset.changes}&after=${encodeURIComponent(state.cursor)}`);
            show(answer);
            state.cursor = answer.cursor;
            state.totalsAreOld = state.totalsAreOld || answer.changed;
            if (state.totalsAreOld) {
                showTotals(await ask(board.dataset.totals));
                state.totalsAreOld = false;
            }
            state.failures = 0;
            state.heardAt = Date.now();
            find("problem").hidden = true;
        } catch (error) {
            state.failures += 1;
            tellProblem(error.status);
        } finally {
            state.isAsking = false;
        }
        tellState();
        wait();
    }

    function pause() {
        return state.failures ? Math.min(state.interval * 2 ** state.failures, LONGEST_PAUSE) : state.interval;
    }

    function wait() {
        clearTimeout(state.timer);
        if (!state.isPaused && !document.hidden) {
            state.timer = setTimeout(poll, pause() * 1000);
        }
    }

    // The server counts the open screens, and says how often each of them may ask.
    async function beHere() {
        if (state.isPaused || document.hidden) {
            return;
        }
        const body = new URLSearchParams(new FormData(find("token")));
        body.set("screen", board.dataset.screen);
        try {
            state.interval = (await ask(board.dataset.here, { method: "POST", body })).interval;
            tellState();
        } catch {
            // Whether the server answers is for the next poll to say.
        }
    }

    // Showing --------------------------------------------------------------------------------------------------------

    function show(answer) {
        const said = [];
        let elsewhere = 0;
        // The last that was active comes first, and so is put on top last.
        for (const customer of [...(answer.results || [])].reverse()) {
            const known = rowOf(customer.id);
            const row = known || (board.hasAttribute("data-takes-new") ? newRow(customer) : null);
            if (!row) {
                elsewhere += 1;
                continue;
            }
            const points = customer.points_balance - Number(row.dataset.points);
            fill(row, customer);
            if (!known) {
                rows.prepend(row);
                said.push(`${nameOf(customer)}, new in this list, ${figure(customer.points_balance)} points`);
                mark(row, "");
            } else if (points) {
                said.push(`${nameOf(customer)} ${signed(points)}, now ${figure(customer.points_balance)} points`);
                mark(row, signed(points));
            }
        }
        for (const id of answer.removed || []) {
            remove(id);
        }
        for (const row of [...rows.children].slice(MOST_ROWS)) {
            row.remove();
        }
        find("table").hidden = !rows.children.length;
        find("empty").hidden = rows.children.length > 0;
        tell(said);
        tellElsewhere(elsewhere);
    }

    function rowOf(id) {
        return rows.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
    }

    function newRow(customer) {
        const row = find("blank").content.firstElementChild.cloneNode(true);
        row.dataset.id = customer.id;
        for (const link of row.querySelectorAll("a")) {
            const url = link.getAttribute("href").replace("__id__", encodeURIComponent(customer.id));
            link.setAttribute("href", url.replace("__phone__", encodeURIComponent(customer.phone)));
        }
        return row;
    }

    function fill(row, customer) {
        const at = new Date(customer.updated_at);
        const cells = {
            name: nameOf(customer),
            phone: spaced(customer.phone),
            points_balance: figure(customer.points_balance),
            tier_level: customer.tier_level,
            total_points_earned: figure(customer.total_points_earned),
            total_points_redeemed: figure(customer.total_points_redeemed),
            programs: String(customer.programs),
            updated_at: day(at),
        };
        row.dataset.points = customer.points_balance;
        for (const cell of row.querySelectorAll("[data-field]")) {
            const text = cells[cell.dataset.field];
            const place = cell.querySelector("time") || cell;
            // A phone that the server has spelt stays as it is.
            const isSame = cell.dataset.field === "phone" && place.textContent.replace(/\D/g, "") === text.replace(/\D/g, "");
            if (!isSame && place.textContent !== text) {
                place.textContent = text;
            }
            if (place.dateTime) {
                place.dateTime = customer.updated_at;
                place.removeAttribute("title");
            }
        }
    }

    function mark(row, difference) {
        const place = row.querySelector("[data-diff]");
        row.classList.remove("live-moved");
        place.textContent = difference;
        void row.offsetWidth; // a second move begins to fade anew
        row.classList.add("live-moved");
        clearTimeout(Number(row.dataset.timer));
        row.dataset.timer = setTimeout(() => {
            row.classList.remove("live-moved");
            place.textContent = "";
        }, SHOWN_FOR);
    }

    function remove(id) {
        const row = rowOf(id);
        if (row && row.contains(document.activeElement)) {
            find("refresh").focus();
        }
        if (row) {
            row.remove();
        }
    }

    function showTotals(totals) {
        for (const place of board.querySelectorAll("[data-total]")) {
            const text = totals[place.dataset.total];
            if (place.textContent.trim() !== text) {
                place.textContent = text;
            }
        }
    }

    // Words ----------------------------------------------------------------------------------------------------------

    function nameOf(customer) {
        return customer.name || "No name";
    }

    function figure(number) {
        return number.toLocaleString("en-GB");
    }

    function signed(points) {
        return points > 0 ? `+${figure(points)}` : `\u2212${figure(-points)}`;
    }

    function spaced(phone) {
        return phone.replace(/^\+44(7\d{3})(\d{6})$/, "+44 $1 $2");
    }

    // As the server writes it, in UTC.
    function day(at) {
        const [date, time] = at.toISOString().split("T");
        if (date === new Date().toISOString().slice(0, 10)) {
            return `Today, ${time.slice(0, 5)}`;
        }
        return at.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    }

    function tell(said) {
        if (said.length) {
            find("said").textContent = said.length > 3 ? `${said.length} customers have changed.` : `${said.join(". ")}.`;
        }
    }

    function tellElsewhere(count) {
        if (count) {
            const who = count === 1 ? "A customer who is" : `${count} customers who are`;
            find("elsewhere").textContent = `${who} not on this page changed as well. Refresh to sort them in.`;
            find("elsewhere").hidden = false;
        }
    }

    function tellState() {
        const name = state.isPaused ? "paused" : state.failures ? "broken" : "live";
        const words = {
            live: `● Live (auto-refresh: ${state.interval}s)`,
            paused: "Paused",
            broken: "Not live",
        };
        if (find("state").textContent !== words[name]) {
            find("state").textContent = words[name];
            board.dataset.now = name;
        }
        tellAge();
    }

    function tellAge() {
        const seconds = Math.max(0, Math.round((Date.now() - state.heardAt) / 1000));
        const age = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
        find("age").textContent = `Updated ${age} ago`;
    }

    function tellProblem(status) {
        const at = new Date(state.heardAt).toLocaleTimeString("en-GB");
        const place = find("problem");
        const again = state.isPaused ? "" : ` Trying again in ${pause()} s.`;
        place.replaceChildren();
        if (status === 401 || status === 403) {
            const link = Object.assign(document.createElement("a"), { href: window.location.href, textContent: "Log in again" });
            place.append("Your login has ended, or may no longer see this. ", link, `. These figures are of ${at}.`);
        } else if (status === 404) {
            place.append(`You no longer belong to this business. These figures are of ${at}.`);
        } else {
            place.append(`The server does not answer. These figures are of ${at}, and may be old.${again}`);
        }
        place.hidden = false;
    }

    // Buttons --------------------------------------------------------------------------------------------------------

    find("pause").hidden = false;
    find("pause").addEventListener("click", () => {
        state.isPaused = !state.isPaused;
        find("pause").textContent = state.isPaused ? "Resume" : "Pause";
        tellState();
        if (state.isPaused) {
            wait();
        } else {
            poll();
            beHere();
        }
    });

    // Rows are sorted anew by a load; otherwise the click only asks at once.
    find("refresh").addEventListener("click", (event) => {
        if (find("elsewhere").hidden && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
            event.preventDefault();
            poll();
        }
    });

    document.addEventListener("visibilitychange", () => {
        if (document.hidden || state.isPaused) {
            wait();
        } else {
            poll();
            beHere();
        }
    });

    tellState();
    setInterval(tellAge, 1000);
    setInterval(beHere, 60_000);
    beHere();
    wait();
})();
