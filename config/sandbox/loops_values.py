"""What Loops takes as a value: emails, identifiers, property types, dates, mailing lists."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_VALUE_CHARACTERS = 500
MAX_UNIX_MILLISECONDS = 8_640_000_000_000_000  # what a JavaScript Date can hold
STANDARD_TYPES = {
    "firstName": "string",
    "lastName": "string",
    "source": "string",
    "userGroup": "string",
    "subscribed": "boolean",
}
# Read elsewhere: identifiers and lists have rules of their own, the event's own keys are no contact properties.
NO_PROPERTIES = frozenset({"email", "userId", "mailingLists", "eventName", "eventProperties"})

_EMAIL = re.compile(
    r"[^\s@.,;<>()\[\]\\\"]+(?:\.[^\s@.,;<>()\[\]\\\"]+)*"
    r"@(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:[^\W\d_]{2,}|xn--[\w-]+)"
)
_UNIX = re.compile(r"-?[0-9]{1,17}")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


class Refusal(Exception):
    """Loops says no: a status and words for people. There is no machine-readable code (loops_api.md 2)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a body names its contact. `sets_user_id` tells a null `userId`, which empties it, from none at all."""

    email: str | None
    user_id: str | None
    sets_user_id: bool


def read_identity(body: Mapping[str, Any]) -> Identity:
    """The identifiers of a write, email lower-cased. Refuses a bad email, an integer `userId`, and neither of them."""
    email = check_email(body["email"]) if "email" in body else None
    user_id = body.get("userId")
    if user_id is not None and not (isinstance(user_id, str) and user_id):
        raise Refusal(400, "userId must be a non-empty string.")
    if email is None and user_id is None:
        raise Refusal(400, "An email or userId is required.")
    return Identity(email, user_id, "userId" in body)


def check_email(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_VALUE_CHARACTERS or not _EMAIL.fullmatch(value):
        raise Refusal(400, "Invalid email address.")
    return value.lower()


def check_lengths(body: Mapping[str, Any]) -> None:
    """Keys and values of at most 500 characters, the two quotes of a string included (loops_api.md 2)."""
    for key, value in body.items():
        if max(len(key) + 2, _length(value)) > MAX_VALUE_CHARACTERS:
            raise Refusal(400, "Some body key or value is longer than allowable")


def settable_properties(body: Mapping[str, Any], custom_types: Mapping[str, str]) -> dict[str, Any]:
    """The properties of a body that will be stored.

    An unknown one is accepted and dropped: the 400 was taken away on 2024-03-13 (loops_api.md 4). Whether Loops
    coerces or refuses a value of the wrong type is not known (loops_api.md 12); the sandbox takes the stricter side.
    """
    properties: dict[str, Any] = {}
    for key, value in body.items():
        if key in NO_PROPERTIES:
            continue
        check_scalar(key, value)
        kind = STANDARD_TYPES.get(key) or custom_types.get(key)
        if kind is not None:
            _check_type(key, kind, value)
            properties[key] = value
    return properties


def check_scalar(key: str, value: object) -> None:
    """No arrays, no objects (loops_api.md 4)."""
    if isinstance(value, (list, dict)):
        raise Refusal(400, f"{key} must be a string, number, boolean or null.")


def read_mailing_lists(body: Mapping[str, Any], known: Iterable[str]) -> dict[str, bool]:
    lists = body.get("mailingLists", {})
    if not isinstance(lists, dict) or not all(isinstance(value, bool) for value in lists.values()):
        raise Refusal(400, "mailingLists must be an object of list ids and booleans.")
    for list_id in lists:
        if list_id not in known:
            raise Refusal(400, f"Mailing list {list_id[:100]} does not exist.")
    return lists


def is_loops_date(value: object) -> bool:
    """Unix milliseconds as int or digits, or an ISO form with at most three fractional digits.

    Six-digit microseconds, as Python's `isoformat()` writes, are not in the documented list (loops_api.md 4).
    """
    if isinstance(value, str) and _UNIX.fullmatch(value):
        return abs(int(value)) <= MAX_UNIX_MILLISECONDS
    if isinstance(value, str):
        return _DATE.fullmatch(value) is not None and _is_on_the_calendar(value)
    return type(value) is int and abs(value) <= MAX_UNIX_MILLISECONDS


def _is_on_the_calendar(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _length(value: object) -> int:
    if isinstance(value, (dict, list)) or value is None:
        return 0
    return len(value) + 2 if isinstance(value, str) else len(str(value))


def _is_finite_number(value: Any) -> bool:
    # 1e999 is read as infinity, which no JSON answer could hold.
    return type(value) in (int, float) and abs(value) != float("inf")


_TYPE_CHECKS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_finite_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": is_loops_date,
}


def _check_type(key: str, kind: str, value: object) -> None:
    # null empties a property (loops_api.md 4); a subscription cannot be empty
    if value is None and key != "subscribed":
        return
    if not _TYPE_CHECKS[kind](value):
        raise Refusal(400, f"{key} must be a valid {kind}.")
