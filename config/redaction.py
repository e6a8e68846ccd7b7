"""What no log line and no error report may carry: people's addresses and phones, and anybody's keys."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

REMOVED, KEY, PHONE = "[removed]", "[key]", "[phone]"
SHORTEST_SECRET, SHORTEST_PHONE = 8, 9
# Whatever stands under such a name.
SECRET_NAME = re.compile(
    r"(?i)password|secret|token|authorization|cookie|session|csrf|signature|api_?key|dsn|query_string|phone|address"
)
# The first that fits at a place decides. What looks like a number but is an id or a moment stays.
PATTERNS = re.compile(
    r"""
      (?P<detail>\bDETAIL:[^\n]*(?:\n[ \t]+[^\n]*)*)            # PostgreSQL quotes the row that it refuses
    | (?P<query>\?[^\s"'<>=]*=[^\s"'<>]*)
    | (?P<bearer>\b(?i:bearer|basic)\s+[\w.~+/=:-]{6,})
    | (?P<named>\b(?i:password|secret|token|api_?key)["']?\s*[=:]\s*["']?[^\s"',;&]+)
    | (?P<email>[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+)
    | (?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    | (?P<moment>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\w))
    | (?P<hex>\b[0-9a-f]{32}\b)
    | (?P<whsec>\bwhsec_[\w+/=-]+)
    | (?P<long>\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,})
    | (?P<phone>(?<![\w.])(?:\+|\(\+?)?\d(?:[\s().\-\u00a0\u2010-\u2015]*\d){6,}(?!\w))
    """,
    re.VERBOSE,
)
KEPT = ("uuid", "moment", "hex")
INSTEAD = {"detail": f"DETAIL: {REMOVED}", "query": f"?{REMOVED}"}


class Redactor:
    """Takes personal data and keys out of text. One address always becomes the same short hash, which nobody can undo
    without the salt, so that one person's lines can still be followed."""

    def __init__(self, salt: str, secrets: Iterable[str] = ()) -> None:
        self.salt = hashlib.blake2b(salt.encode()).digest()
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self.secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def hash(self, text: str) -> str:
        """Ten characters that stand for the text."""
        return hashlib.blake2b(text.lower().encode("utf-8", "replace"), key=self.salt, digest_size=5).hexdigest()

    def text(self, text: str) -> str:
        """The text without what must not be in it."""
        if self.secrets is not None:
            text = self.secrets.sub(KEY, text)
        return PATTERNS.sub(self._instead, text)

    def value(self, value: Any, *, name: str = "") -> Any:
        """The same for whatever a log line is made of; numbers stay numbers."""
        if name and SECRET_NAME.search(name) and value is not None:
            return REMOVED
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item, name=str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(value if isinstance(value, str) else str(value))

    def _instead(self, found: re.Match[str]) -> str:
        kind, text = found.lastgroup or "", found.group()
        if kind in KEPT:
            return text
        if kind == "email":
            return f"[email {self.hash(text.replace('%40', '@'))}]"
        if kind == "phone":
            digits = sum(letter.isdigit() for letter in text)
            return PHONE if digits >= SHORTEST_PHONE or text.startswith(("+", "(+")) else text
        return INSTEAD.get(kind, KEY)
