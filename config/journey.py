"""The main job, driven from outside over HTTP: nominate, approve in the admin, see both contacts in Loops."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from uuid import uuid4

import requests

APPROVE = re.compile(r"/admin/nominations/nomination/([0-9a-f-]{36})/approve/")
DELIVERED_SECONDS = 30


class JourneyError(Exception):
    """A step did not do what it should."""


class Fields(HTMLParser):
    """The values that a browser would send with a page's posted form, untouched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._posting = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect inputs while inside a form that posts to the page itself."""
        given = dict(attrs)
        if tag == "form":
            method, action = (given.get("method") or "").lower(), given.get("action") or ""
            self._posting = method == "post" and "logout" not in action
        if not self._posting or tag != "input" or not given.get("name"):
            return
        if given.get("type") in ("checkbox", "radio") and "checked" not in given:
            return
        if given.get("type") not in ("submit", "file"):
            self.values[str(given["name"])] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """Forms do not nest."""
        if tag == "form":
            self._posting = False


class Journey:
    """One nominator and one nominee nobody has seen before, so that it can be run on any database."""

    def __init__(self, site: str, sandbox: str, say: Callable[[str], object]) -> None:
        self.site, self.sandbox, self.say = site, sandbox, say
        self.session = requests.Session()
        self.token = uuid4().hex[:10]
        self.nominator = f"nominator-{self.token}@example.org"
        self.nominee = f"nominee-{self.token}@example.com"
        self.started = time.monotonic()

    def run(self) -> None:
        """Raises JourneyError at the first step that fails."""
        self.nominate()
        self.log_in()
        url = self.find_nomination()
        self.approve(url)
        self.see_contacts()

    def nominate(self) -> None:
        """Through the public form."""
        values = {
            "nominee-first_name": "Grace",
            "nominee-last_name": f"Check {self.token}",
            "nominee-email": self.nominee,
            "known": "nobody",
            "nominator-first_name": "Ned",
            "nominator-last_name": "Check",
            "nominator-email": self.nominator,
            "why": "The whole journey works.",
        }
        answer = self._post_form("/nominate?category=best-recruiter", values)
        self._must("/nominate/thanks" in answer.url, "the nomination was not taken", answer)
        self._done("nominated through the form")

    def log_in(self) -> None:
        """Into the admin."""
        answer = self._post_form("/admin/login/", {"username": "staff@laurel.test", "password": "laurel-demo"})
        self._must("sessionid" in self.session.cookies, "the login failed", answer)
        self._done("logged into the admin")

    def find_nomination(self) -> str:
        """In the filtered list: the address of its approve page."""
        answer = self.session.get(f"{self.site}/admin/nominations/nomination/?q={self.nominee}", timeout=10)
        match = APPROVE.search(answer.text)
        self._must(match is not None, "the list does not offer to approve it", answer)
        self._done("found it in the list")
        return match.group(0) if match else ""

    def approve(self, url: str) -> None:
        """With the proposed address."""
        answer = self._post_form(url, {})
        self._must(answer.status_code == 200 and answer.url != f"{self.site}{url}", "it was not approved", answer)
        page = self.session.get(f"{self.site}/nominee/grace-check-{self.token}", timeout=10)
        self._must(page.status_code == 200, "the nominee's page is not there", page)
        self._done("approved it; the nominee's page is live")

    def see_contacts(self) -> None:
        """Both at Loops, with the right groups and the live URL."""
        live_url = f"{self.site}/nominee/grace-check-{self.token}"
        wanted = {
            (self.nominator, "Nominator Live", live_url),
            (self.nominee, "Nominess", live_url),
        }
        held: set[tuple[str, str, str]] = set()
        for _attempt in range(DELIVERED_SECONDS * 10):
            state = requests.get(f"{self.sandbox}/_control/state", timeout=5).json()
            held = {
                (row["email"], row["userGroup"], row.get("liveUrl") or row.get("nomineeLiveUrl") or "")
                for row in state["contacts"]
            }
            if wanted <= held:
                self._done("both contacts are right in Loops")
                return
            time.sleep(0.1)
        raise JourneyError(f"Loops holds {sorted(held)}, wanted {sorted(wanted)}")

    def _post_form(self, path: str, values: dict[str, str]) -> requests.Response:
        page = self.session.get(f"{self.site}{path}", timeout=10)
        self._must(page.status_code == 200, f"{path} did not open", page)
        fields = Fields(page.text).values | values
        return self.session.post(page.url, data=fields, headers={"Referer": page.url}, timeout=10)

    def _must(self, holds: bool, complaint: str, answer: requests.Response) -> None:
        if not holds:
            raise JourneyError(f"{complaint} ({answer.status_code} at {answer.url})")

    def _done(self, step: str) -> None:
        self.say(f"ok  {time.monotonic() - self.started:5.1f} s  {step}")
