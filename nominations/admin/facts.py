"""What staff are shown of people and of how far the news of a decision has come."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from nominations.models import Delivery, Nominator, Nominee

NOMINEE_FACTS = (
    ("job_title", "Job title"),
    ("company", "Company"),
    ("industry", "Industry"),
    ("company_size", "Size"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("country", "Country"),
    ("linkedin_url", "LinkedIn"),
    ("website", "Website"),
)
NOMINATOR_FACTS = tuple(pair for pair in NOMINEE_FACTS if hasattr(Nominator, pair[0]))


@dataclass(frozen=True)
class Fact:
    """A line of a description; `href` only where it is safe to follow."""

    label: str
    value: str
    href: str = ""


@dataclass(frozen=True)
class Step:
    """One contact on its way: `name` is waiting, sending, delivered, late or failed."""

    role: str
    email: str
    name: str
    label: str
    note: str
    at: datetime | None

    @property
    def is_final(self) -> bool:
        """Nothing more happens by itself."""
        return self.name in ("delivered", "failed")


def facts_of(row: Nominee | Nominator) -> list[Fact]:
    """What is known of a nominee or nominator, in the order one reads it."""
    pairs = NOMINEE_FACTS if isinstance(row, Nominee) else NOMINATOR_FACTS
    values = [(name, label, str(getattr(row, name) or "")) for name, label in pairs]
    return [Fact(label, value, _href(name, value)) for name, label, value in values if value]


def steps_of(deliveries: Iterable[Delivery]) -> list[Step]:
    """The deliveries in staff's words."""
    return [_step(delivery) for delivery in deliveries]


def _href(name: str, value: str) -> str:
    if name == "email":
        return f"mailto:{value}"
    return value if value.startswith(("https://", "http://")) else ""


def _step(delivery: Delivery) -> Step:
    name, label, note = "waiting", "Waiting", "A worker takes it in a moment."
    at = None
    if delivery.is_discarded:
        name, label, note = "failed", "Not told", delivery.last_error
    elif delivery.status == "done":
        name, label, note, at = "delivered", "Delivered", "", delivery.synced_at
    elif delivery.status == "dead":
        name, label = "failed", "Not delivered"
        once_mended = f"mend the cause, then retry it in {delivery.place}."
        note = f"{delivery.last_error} It is not tried again by itself: {once_mended}"
    elif delivery.status == "processing":
        name, label, note = "sending", "Sending", "Loops is being told."
    elif delivery.attempts:
        times = "once" if delivery.attempts == 1 else f"{delivery.attempts} times"
        name, label = "late", "Trying again"
        note = f"Tried {times}: {delivery.last_error} It is tried again by itself, at growing intervals."
    return Step(delivery.role, delivery.email, name, label, note, at)
