"""What goes wrong on purpose, switched at run time: the faults of Loops, and what all faults have in common."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Generic, TypeVar

from config.sandbox.wire import Response, json_response

KINDS = {
    "rate_limited": "429 to every call",
    "server_error": "500, or a load balancer's HTML page",
    "slow": "The write is done at once, the answer comes late",
    "hang": "No answer until this is switched off (at most 120 s)",
    "reset": "The write is done, then the connection is reset",
    "reset_before": "The connection is reset, nothing is written",
    "unauthorized": "401 to every key",
    "reject": "400, for good",
    "redirect": "302 to another address",
}
OWN_OPTIONS: dict[str, tuple[str, ...]] = {
    "retry_after": ("rate_limited",),
    "status": ("server_error",),
    "html": ("server_error",),
    "seconds": ("slow",),
}
MAX_WAIT_SECONDS = 120.0
# A client that follows redirects lands on a 200 and believes its write was done: the worst that can happen to it.
REDIRECT_LOCATION = "/api/v1/api-key"
GATEWAY_PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


def is_count(value: Any) -> bool:
    """A whole number from 1, or none."""
    return value is None or (type(value) is int and value >= 1)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_retry_after(value: Any) -> bool:
    if isinstance(value, str):  # an HTTP date is allowed too; a line break would be a header of its own
        return value.isascii() and value.isprintable()
    return value is None or (_is_number(value) and value >= 0)


RULES: dict[str, Callable[[Any], bool]] = {
    "times": is_count,
    "probability": lambda value: _is_number(value) and 0 <= value <= 1,
    "match": lambda value: isinstance(value, str),
    "retry_after": _is_retry_after,
    "status": lambda value: value is None or (type(value) is int and 500 <= value <= 599),
    "html": lambda value: isinstance(value, bool),
    "seconds": lambda value: value is None or (_is_number(value) and 0 <= value <= MAX_WAIT_SECONDS),
}


@dataclass(slots=True)
class Fault:
    """One kind of failure and when it strikes.

    `times`: so many requests, then off by itself. `probability`: 0 to 1. `match`: only requests whose email contains
    this. `retry_after` goes with rate_limited, `status` and `html` with server_error, `seconds` with slow; given to
    another kind they raise ValueError, as does any value out of range.
    """

    kind: str
    times: int | None = None
    probability: float = 1.0
    match: str = ""
    retry_after: float | str | None = None
    status: int | None = None
    html: bool = False
    seconds: float | None = None

    KINDS: ClassVar[Mapping[str, str]] = KINDS
    OWN_OPTIONS: ClassVar[Mapping[str, tuple[str, ...]]] = OWN_OPTIONS
    RULES: ClassVar[Mapping[str, Callable[[Any], bool]]] = RULES

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in self.KINDS:
            raise ValueError(f"kind must be one of {', '.join(self.KINDS)}")
        for option, owners in self.OWN_OPTIONS.items():
            if getattr(self, option) not in (None, False) and self.kind not in owners:
                raise ValueError(f"{option} goes with {' or '.join(owners)}, not with {self.kind}")
        for option, valid in self.RULES.items():
            if not valid(getattr(self, option)):
                raise ValueError(f"{option} is out of range")

    def strikes(self, email: str) -> bool:
        return not self.match or self.match.lower() in email

    @property
    def delay(self) -> float:
        """Seconds a slow answer waits: one unless said."""
        return 1.0 if self.seconds is None else self.seconds

    @property
    def answers(self) -> bool:
        """Whether it answers in the place of Loops; `slow`, `hang` and the resets do not."""
        return self.kind in _ANSWERS

    def response(self) -> Response:
        return _ANSWERS[self.kind](self)


SomeFault = TypeVar("SomeFault", bound=Fault)


def parse_fault(payload: dict[str, Any], of: type[SomeFault]) -> SomeFault:
    """A fault from JSON. Raises ValueError on an unknown option."""
    unknown = payload.keys() - {option.name for option in fields(of)}
    if unknown:
        raise ValueError(f"unknown option: {', '.join(sorted(unknown))}")
    return of(**{"kind": "", **payload})


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request meets: a delay, and at most one other fault. `hang_over` tells a hanging request to go on."""

    delay: float
    fault: Fault | None
    hang_over: threading.Event

    @property
    def kind(self) -> str:
        return self.fault.kind if self.fault else ""


CALM = Plan(0.0, None, threading.Event())


class FaultBoard(Generic[SomeFault]):
    """The active faults, at most one per kind. Not thread safe: the sandbox holds its lock around every call."""

    def __init__(self) -> None:
        self._active: dict[str, SomeFault] = {}
        self._hang_over = threading.Event()
        self._random = random.Random()

    def switch_on(self, fault: SomeFault) -> None:
        """Takes the place of an active fault of the same kind. Requests that already hang go on hanging."""
        self._active.pop(fault.kind, None)
        self._active[fault.kind] = fault

    def switch_off(self, kind: str | None = None) -> None:
        """One kind, or all. Switching off `hang` lets go what hangs, also after its `times` ran out."""
        for name in [kind] if kind else [*self._active, "hang"]:
            self._active.pop(name, None)
            if name == "hang":
                self._hang_over.set()
                self._hang_over = threading.Event()

    def active(self) -> list[dict[str, Any]]:
        """Each fault with the options that are set, oldest first."""
        return [
            {option: value for option, value in asdict(fault).items() if _is_given(value)}
            for fault in self._active.values()
        ]

    def draw(self, strikes: Callable[[SomeFault], bool]) -> Plan:
        """Decide for one request, which only some faults may strike.

        `slow` is decided by itself. The others share one draw, so that each has just its probability (four of 0.25
        leave no call in peace); where they add up to more than 1, the ones switched on first win.
        """
        striking = [fault for fault in self._active.values() if strikes(fault)]
        slow = next((f for f in striking if f.kind == "slow" and self._random.random() < f.probability), None)
        chosen = self._choose([fault for fault in striking if fault.kind != "slow"])
        for fault in (slow, chosen):
            if fault:
                self._spend(fault)
        return Plan(slow.delay if slow else 0.0, chosen, self._hang_over)

    def _choose(self, faults: list[SomeFault]) -> SomeFault | None:
        point = self._random.random()
        for fault in faults:
            if point < fault.probability:
                return fault
            point -= fault.probability
        return None

    def _spend(self, fault: SomeFault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                del self._active[fault.kind]


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ""


def _rate_limited(fault: Fault) -> Response:
    # The real body and Retry-After are not documented (loops_api.md 5): the header comes only when asked for.
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return json_response(429, {"success": False, "message": "Rate limit exceeded"}, headers)


def _server_error(fault: Fault) -> Response:
    status = fault.status or 500
    if fault.html:  # "Bodies may be NON-JSON when a load balancer answers" (loops_api.md 2)
        return Response(status, GATEWAY_PAGE, "text/html")
    return json_response(status, {"success": False, "message": "Internal server error"})


def _unauthorized(_: Fault) -> Response:
    return unauthorized_response()


def _reject(_: Fault) -> Response:
    return json_response(400, {"success": False, "message": "Rejected by the sandbox."})


def _redirect(_: Fault) -> Response:
    return Response(302, headers={"Location": REDIRECT_LOCATION})


def unauthorized_response() -> Response:
    """The documented 401, with the deprecated `error` beside `message` (loops_api.md 2)."""
    return json_response(401, {"success": False, "message": "Invalid API key", "error": "Invalid API key"})


_ANSWERS = {
    "rate_limited": _rate_limited,
    "server_error": _server_error,
    "unauthorized": _unauthorized,
    "reject": _reject,
    "redirect": _redirect,
}
