"""What reaches a CRM through the proxy, and how a CRM says no."""

from dataclasses import dataclass
from typing import Any

from config.sandbox.wire import Response, json_response


@dataclass(frozen=True, slots=True)
class CrmCall:
    """A request as the CRM sees it: header names lower-case, `body` None when it was no JSON object."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any] | None

    def count(self, name: str, default: int) -> int | None:
        """A whole number of the query; None when it is no such thing."""
        return whole(self.query.get(name, str(default)))


class CrmError(Exception):
    """The answer is an error, in the words of the CRM."""

    def __init__(self, status: int, payload: object) -> None:
        """As JSON."""
        super().__init__(status)
        self.response: Response = json_response(status, payload)


def whole(text: str) -> int | None:
    """A whole number from its digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
