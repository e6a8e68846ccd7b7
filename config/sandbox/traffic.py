"""What came in, and how much of it may come in: the request log and the rate window."""

from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

LOG_LENGTH = 50_000
WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class RecordedRequest:
    """A call of the Loops API, or of Nango's.

    `connection` and `provider` tell whose it was when it went on to a CRM. `status` is None until answered, and stays
    so when the connection was reset or left hanging. `at` is `time.monotonic()` at arrival; `number` counts from 0
    since the start or the last reset. No header is kept, so no key either.
    """

    number: int
    at: float
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    status: int | None = None
    connection: str = ""
    provider: str = ""

    @property
    def email(self) -> str:
        """Whom the call speaks of, lower-cased; empty when it names no email."""
        email = self.body.get("email") or self.query.get("email")
        return email.lower() if isinstance(email, str) else ""


class RequestLog:
    """The last 50,000 requests, in order of arrival, and the count of all by status."""

    def __init__(self) -> None:
        self.total = 0
        self.by_status: Counter[str] = Counter()
        self._entries: deque[RecordedRequest] = deque(maxlen=LOG_LENGTH)

    def record(
        self, at: float, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> RecordedRequest:
        entry = RecordedRequest(self.total, at, method, path, query, body)
        self._entries.append(entry)
        self.total += 1
        return entry

    def finish(self, entry: RecordedRequest, status: int | None) -> None:
        entry.status = status
        self.by_status["none" if status is None else str(status)] += 1

    def since(self, number: int) -> list[RecordedRequest]:
        """The kept entries numbered `number` and above."""
        dropped = self.total - len(self._entries)
        return list(islice(self._entries, max(number - dropped, 0), None))

    def latest(self, count: int) -> list[RecordedRequest]:
        return list(islice(reversed(self._entries), count))


class RateWindow:
    """At most `limit` admitted requests in any one second; None or 0 admits all.

    Baseline of Loops: 10 a second per team, told in two headers on every response (loops_api.md 5). A refused request
    takes no room, as in the usual sliding log; how Loops counts refused ones is not documented.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit or 0
        self._admitted: deque[float] = deque()

    def admit(self, now: float) -> bool:
        if not self.limit:
            return True
        self._forget(now)
        if len(self._admitted) >= self.limit:
            return False
        self._admitted.append(now)
        return True

    def headers(self, now: float) -> dict[str, str]:
        """`x-ratelimit-*`; nothing when there is no limit to tell."""
        if not self.limit:
            return {}
        self._forget(now)
        remaining = self.limit - len(self._admitted)
        return {"x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(remaining)}

    def _forget(self, now: float) -> None:
        while self._admitted and self._admitted[0] <= now - WINDOW_SECONDS:
            self._admitted.popleft()
