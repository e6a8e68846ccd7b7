"""The sandbox without its sockets: one account of Loops, what came in, what goes wrong, under one lock; and Nango."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from config.sandbox.faults import CALM, MAX_WAIT_SECONDS, Fault, FaultBoard, Plan, unauthorized_response
from config.sandbox.loops import BASE_PATH, Call, Loops
from config.sandbox.loops_contacts import Contact, snapshot
from config.sandbox.loops_webhooks import make_webhook
from config.sandbox.nango import Nango
from config.sandbox.nango_webhooks import deliver
from config.sandbox.traffic import RateWindow, RecordedRequest, RequestLog
from config.sandbox.wire import Hangup, Request, Response, parse_json_object

SHOWN_MAILS = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """What a page or a monitor shows, read in one moment."""

    now: float
    rate: int
    contacts: list[Contact]
    mails: list[dict[str, Any]]
    requests: list[RecordedRequest]
    faults: list[dict[str, Any]]
    counters: dict[str, Any]


class Sandbox:
    """A stand-in of one Loops account, and of Nango as `nango`, which has a lock, a log and faults of its own.

    Thread safe; the lock is never held while a request waits.
    """

    def __init__(
        self, *, rate: int | None, bare: bool, api_key: str | None, templates: Iterable[str], nango_key: str | None
    ) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._rate, self._bare, self._api_key, self._templates = rate, bare, api_key, tuple(templates)
        self._faults: FaultBoard[Fault] = FaultBoard()
        self.nango = Nango(stopping=self._stopping, api_key=nango_key)
        self._webhook_url = self._webhook_secret = ""
        self._start_afresh()

    @property
    def contacts(self) -> list[Contact]:
        """Copies of all contacts as `find` answers them, the one written last at the end."""
        with self._lock:
            return self._loops.contacts.snapshots()

    def contact(self, email: str) -> Contact | None:
        """The contact as `find` answers it, custom keys inline, in whatever case the email is written."""
        with self._lock:
            found = self._loops.contacts.by_email(email)
            return snapshot(found) if found else None

    @property
    def requests(self) -> list[RecordedRequest]:
        """The calls of the Loops API since the start or the last reset, in order of arrival (the last 50,000)."""
        return self.requests_since(0)

    def requests_since(self, number: int) -> list[RecordedRequest]:
        with self._lock:
            return self._log.since(number)

    @property
    def mails(self) -> list[dict[str, Any]]:
        """The mails sent, oldest first: `email`, `transactionalId`, `dataVariables` and the idempotency `key`."""
        with self._lock:
            return list(self._loops.mails)

    def set_webhook(self, url: str, secret: str) -> None:
        """Where Loops tells of what people do there, and what it signs with; an empty address is nowhere."""
        with self._lock:
            self._webhook_url, self._webhook_secret = url, secret

    def act(self, email: str, action: str) -> list[int | None]:
        """A person unsubscribes, resubscribes, bounces or deletes a contact, and Loops tells of it.

        The statuses that came back, None where nobody answered. `action`: see `loops_webhooks.ACTIONS`. Raises
        KeyError when there is no such contact or action.
        """
        with self._lock:
            events, url, secret = self._loops.act(email, action), self._webhook_url, self._webhook_secret
        return [deliver(url, make_webhook(event, secret)) for event in events] if url else []

    def set_fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on, in place of an active one of its kind. Options and what they refuse: see `Fault`."""
        self.switch_on(Fault(kind, **options))

    def switch_on(self, fault: Fault) -> None:
        with self._lock:
            self._faults.switch_on(fault)

    def clear_faults(self, kind: str | None = None) -> None:
        """Switch one kind off, or all. Calls that hang are performed now, if their client still waits."""
        with self._lock:
            self._faults.switch_off(kind)

    def reset(self) -> None:
        """Back to the start: no contacts, no faults, no requests, the first custom properties; Nango too."""
        with self._lock:
            self._start_afresh()
        self.nango.reset()

    def overview(self, *, contacts: int | None = None, requests: int = 0) -> Overview:
        """The newest `contacts` (None: all, oldest first) and the newest `requests`, newest first."""
        with self._lock:
            store = self._loops.contacts
            return Overview(
                now=time.monotonic(),
                rate=self._window.limit,
                contacts=store.snapshots() if contacts is None else store.latest(contacts),
                mails=list(islice(reversed(self._loops.mails), SHOWN_MAILS)),
                requests=self._log.latest(requests),
                faults=self._faults.active(),
                counters={
                    "contacts": len(store),
                    "requests": self._log.total,
                    "by_status": dict(self._log.by_status),
                    **self._loops.counters,
                },
            )

    def answer_loops(self, request: Request, client_left: Callable[[], bool]) -> Response | Hangup:
        """One call of the API, through key, rate limit and faults, in this order.

        The limit is the team's, so a call with a wrong key takes none of it. A hanging call is performed only when let
        go while its client still waits: a write that nobody waits for any more must not overtake a newer one.
        """
        call = _as_call(request)
        with self._lock:
            log, loops = self._log, self._loops  # a reset meanwhile must not receive what belongs to the time before
            entry = log.record(time.monotonic(), request.method, request.path, dict(call.query), call.body or {})
            refusal = self._refusal(request, entry.at)
            plan = self._faults.draw(lambda fault: fault.strikes(entry.email)) if refusal is None else CALM
            headers = self._window.headers(entry.at)
        if plan.kind == "hang" and (not plan.hang_over.wait(MAX_WAIT_SECONDS) or client_left()):
            answer: Response | Hangup = Hangup(reset=False)
        else:
            answer = refusal or self._perform(loops, call, plan)
        if plan.delay:
            self._stopping.wait(plan.delay)
        with self._lock:
            log.finish(entry, answer.status if isinstance(answer, Response) else None)
        if isinstance(answer, Response):
            answer.headers.update(headers)
        return answer

    def _start_afresh(self) -> None:
        self._loops = Loops(bare=self._bare, templates=self._templates)
        self._log = RequestLog()
        self._window = RateWindow(self._rate)
        self._faults.switch_off()

    def _refusal(self, request: Request, now: float) -> Response | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip() or self._api_key not in (None, key.strip()):
            return unauthorized_response()
        if not self._window.admit(now):
            return Fault("rate_limited").response()
        return None

    def _perform(self, loops: Loops, call: Call, plan: Plan) -> Response | Hangup:
        if plan.kind == "reset_before":
            return Hangup(reset=True)
        if plan.fault and plan.fault.answers:
            return plan.fault.response()
        with self._lock:
            response = loops.answer(call)
        return Hangup(reset=True) if plan.kind == "reset" else response


def _as_call(request: Request) -> Call:
    return Call(
        method=request.method,
        path=request.path.removeprefix(BASE_PATH),
        query=dict(parse_qsl(request.query, keep_blank_values=True)),
        body=parse_json_object(request.body),
        idempotency_key=request.headers.get("idempotency-key", ""),
    )
