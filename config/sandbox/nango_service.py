"""How Nango answers: through key, faults and log to its API or its proxy, under one lock."""

import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from config.sandbox.faults import CALM, GATEWAY_PAGE, MAX_WAIT_SECONDS, FaultBoard, Plan
from config.sandbox.nango_connections import Connection
from config.sandbox.nango_environment import ApiCall, Environment
from config.sandbox.nango_faults import LASTING, UNKNOWN_ACCOUNT, NangoFault, Target, nango_refusal
from config.sandbox.nango_proxy import aim, proxied
from config.sandbox.nango_values import NangoRefusal
from config.sandbox.traffic import RecordedRequest, RequestLog
from config.sandbox.wire import Hangup, Request, Response, parse_json_object

BASE_PATH = "/nango"
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class NangoService:
    """Thread safe; the lock is never held while a request waits.

    Without `api_key` any key will do. `requires_uuid_keys` refuses those that are no UUID, as Nango does.
    """

    requires_uuid_keys = False

    def __init__(self, *, stopping: threading.Event, api_key: str | None = None) -> None:
        """Nobody is connected; what is slow waits no longer once `stopping` is set."""
        self._lock = threading.RLock()
        self._stopping, self._api_key = stopping, api_key
        self._faults: FaultBoard[NangoFault] = FaultBoard()
        self._connect_url = "/connect"
        self._start_afresh()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The calls since the start or the last reset, in order of arrival (the last 50,000)."""
        return self.requests_since(0)

    def requests_since(self, number: int) -> list[RecordedRequest]:
        """The calls numbered `number` and above."""
        with self._lock:
            return self._log.since(number)

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The active ones, oldest first."""
        with self._lock:
            return self._faults.active()

    def set_fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on, in place of an active one of its kind. Options and what they refuse: see `NangoFault`."""
        self.switch_on(NangoFault(kind, **options))

    def switch_on(self, fault: NangoFault) -> None:
        """The same with a fault that is made already."""
        with self._lock:
            self._faults.switch_on(fault)

    def clear_faults(self, kind: str | None = None) -> None:
        """Switch one kind off, or all. Calls that hang go on, if their client still waits."""
        with self._lock:
            self._faults.switch_off(kind)

    def reset(self) -> None:
        """Back to the start: no connections, no sessions, no faults, no requests."""
        with self._lock:
            self._start_afresh()

    def answer(self, request: Request, client_left: Callable[[], bool]) -> Response | Hangup:
        """One call under the base path."""
        call = _as_call(request)
        with self._lock:
            log, environment = self._log, self._environment
            target, connection = aim(environment, call)
            entry = log.record(time.monotonic(), call.method, call.path, call.query, call.body or {})
            if connection:
                entry.connection, entry.provider = connection.connection_id, connection.account.provider
            refusal = self._key_refusal(call)
            plan = self._faults.draw(lambda fault: fault.concerns(target)) if refusal is None else CALM
        if plan.kind == "hang" and (not plan.hang_over.wait(MAX_WAIT_SECONDS) or client_left()):
            answer: Response | Hangup = Hangup(reset=False)
        else:
            answer = refusal or self._perform(environment, call, plan, target, connection)
        if plan.delay:
            self._stopping.wait(plan.delay)
        with self._lock:
            log.finish(entry, answer.status if isinstance(answer, Response) else None)
        return answer

    def _start_afresh(self) -> None:
        """Everything new but the settings."""
        self._environment = Environment()
        self._environment.connect_url = self._connect_url
        self._log = RequestLog()
        self._faults.switch_off()

    def _key_refusal(self, call: ApiCall) -> Response | None:
        """A 401 for a key that Nango would not take (reference 1.5)."""
        header = call.headers.get("authorization")
        if header is None:
            words = "Authentication failed. The request is missing the Authorization header."
            return NangoRefusal(401, "missing_auth_header", words).response
        scheme, _, key = header.partition(" ")
        if scheme != "Bearer" or not key.strip():
            words = "Authentication failed. The Authorization header is malformed."
            return NangoRefusal(401, "malformed_auth_header", words).response
        if self.requires_uuid_keys and not UUID4.fullmatch(key.strip()):
            words = "Authentication failed. The provided secret key is not a UUID v4."
            return NangoRefusal(401, "invalid_secret_key_format", words).response
        return None if self._api_key in (None, key.strip()) else NangoRefusal(*UNKNOWN_ACCOUNT).response

    def _perform(
        self, environment: Environment, call: ApiCall, plan: Plan, target: Target, connection: Connection | None
    ) -> Response | Hangup:
        """What a call does once it is let through."""
        if plan.kind == "reset":
            return Hangup(reset=True)
        if plan.kind == "server_error" and plan.fault:
            return _own_failure(plan.fault.status or 500, html=plan.fault.html)
        with self._lock:
            if plan.fault:
                refusal = nango_refusal(plan.fault, target, call.method, connection.full() if connection else None)
                if connection and plan.kind in LASTING:
                    connection.has_auth_error = True
                if refusal:
                    return refusal
            if not target.is_proxy:
                return environment.answer(call)
            try:
                return proxied(environment, call, plan.fault)
            except NangoRefusal as refusal_:
                return refusal_.response


def _own_failure(status: int, *, html: bool) -> Response:
    """Nango itself is broken, or the load balancer before it."""
    if html:
        return Response(status, GATEWAY_PAGE, "text/html")
    return NangoRefusal(status, "server_error", "Internal server error").response


def _as_call(request: Request) -> ApiCall:
    """The request without the base."""
    return ApiCall(
        method=request.method,
        path=request.path.removeprefix(BASE_PATH),
        query=dict(parse_qsl(request.query, keep_blank_values=True)),
        headers=request.headers,
        body=parse_json_object(request.body),
    )
