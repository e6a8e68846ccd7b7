"""The part of SOQL that reading people takes: SELECT fields FROM object WHERE … ORDER BY … LIMIT n."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from config.sandbox.crms import times

TOKEN = re.compile(
    r"\s*(?:(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<date>\d{4}-\d\d-\d\d)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|'(?P<text>(?:[^'\\]|\\.)*)'|(?P<word>[A-Za-z_$][\w.]*)|(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,))"
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "<>": lambda value, wanted: value != wanted,
    "<": lambda value, wanted: value < wanted,
    "<=": lambda value, wanted: value <= wanted,
    ">": lambda value, wanted: value > wanted,
    ">=": lambda value, wanted: value >= wanted,
}
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


class Record(Protocol):
    """What a condition looks at: values by field name in any case, moments in milliseconds."""

    def __getitem__(self, name: str, /) -> Any:
        """One value."""


Condition = Callable[[Record], bool]


class SoqlError(Exception):
    """The query cannot be read; the message says where."""


@dataclass(slots=True)
class Query:
    """A query that was read. `since` is the lower bound of SystemModstamp that all of WHERE asks for, if it does."""

    fields: list[str]
    table: str
    condition: Condition | None
    used: list[str]
    since: int | None
    order: list[tuple[str, bool]]
    limit: int | None

    @property
    def asks_only_since(self) -> bool:
        """WHERE is that lower bound and nothing else."""
        return self.condition is None or (self.since is not None and len(self.used) == 1)

    @property
    def counts(self) -> bool:
        """SELECT COUNT() instead of fields."""
        return self.fields == ["COUNT()"]


def parse_soql(text: str) -> Query:
    """Raises SoqlError."""
    return Parser(text).query()


class Parser:
    """Reads one query from left to right."""

    def __init__(self, text: str) -> None:
        """Split into tokens: kind and what was written."""
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._used: list[str] = []
        self._since: int | None = None
        end = 0
        while text[end:].strip():
            found = TOKEN.match(text, end)
            if not found:
                raise SoqlError(f"unexpected token: {text[end : end + 20].strip()!r}")
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind]))
            end = found.end()

    def query(self) -> Query:
        """The whole."""
        self._expect("SELECT")
        fields = self._fields()
        self._expect("FROM")
        table = self._name()
        condition = self._any_of(top=True) if self._take("WHERE") else None
        order = self._order() if self._take("ORDER") else []
        limit = int(self._next("number")) if self._take("LIMIT") else None
        if self._at < len(self._tokens):
            raise SoqlError(f"unexpected token: {self._peek()[1]!r}")
        return Query(fields, table, condition, self._used, self._since, order, limit)

    def _fields(self) -> list[str]:
        """Names between commas, or COUNT()."""
        first = self._name()
        if first.upper() == "COUNT" and self._take("("):
            self._expect(")")
            return ["COUNT()"]
        fields = [first]
        while self._take(","):
            fields.append(self._name())
        return fields

    def _order(self) -> list[tuple[str, bool]]:
        """Fields, and whether each descends."""
        self._expect("BY")
        order: list[tuple[str, bool]] = []
        while not order or self._take(","):
            name = self._name()
            descends = self._take("DESC")
            if not descends:
                self._take("ASC")
            if self._take("NULLS"):
                self._name()
            order.append((name, descends))
        return order

    def _any_of(self, *, top: bool = False) -> Condition:
        """Conditions joined by OR. A lower bound counts only where all of WHERE must hold."""
        since = self._since
        parts = [self._all_of(top=top)]
        while self._take("OR"):
            parts.append(self._all_of(top=False))
        if len(parts) == 1:
            return parts[0]
        self._since = since
        return lambda record: any(part(record) for part in parts)

    def _all_of(self, *, top: bool) -> Condition:
        """Conditions joined by AND."""
        parts = [self._one(top=top)]
        while self._take("AND"):
            parts.append(self._one(top=top))
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _one(self, *, top: bool) -> Condition:
        """A comparison, its opposite, or conditions in brackets."""
        if self._take("NOT"):
            inner = self._one(top=False)
            return lambda record: not inner(record)
        if self._take("("):
            condition = self._any_of(top=top)
            self._expect(")")
            return condition
        return self._comparison(top=top)

    def _comparison(self, *, top: bool) -> Condition:
        """Field, sign and value; or field IN (values)."""
        name = self._name()
        self._used.append(name)
        negated = self._take("NOT")
        if negated or self._peek()[1].upper() == "IN":
            self._expect("IN")
            wanted = self._list()
            return lambda record: any(_holds(record, name, "=", value) for value in wanted) != negated
        sign = self._next("sign")
        if sign not in COMPARISONS:
            raise SoqlError(f"unexpected token: {sign!r}")
        value = self._value()
        if top and name.lower() == "systemmodstamp" and sign == ">=" and isinstance(value, int):
            self._since = max(value, self._since or value)
        return lambda record: _holds(record, name, sign, value)

    def _list(self) -> list[Any]:
        """Values in brackets."""
        self._expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        """A moment in milliseconds, a text, a number, true, false or null."""
        kind, text = self._peek()
        self._at += 1
        if kind == "moment" and (moment := times.parse_iso(text)) is not None:
            return moment
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text)
        if kind == "number":
            return float(text)
        if kind == "date":
            return text
        if kind == "word" and text.upper() in CONSTANTS:
            return CONSTANTS[text.upper()]
        raise SoqlError(f"unexpected token: {text!r}")

    def _peek(self) -> tuple[str, str]:
        """The next token."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "<EOF>")

    def _next(self, kind: str) -> str:
        """Go past a token of this kind."""
        found, text = self._peek()
        if found != kind:
            raise SoqlError(f"unexpected token: {text!r}")
        self._at += 1
        return text

    def _name(self) -> str:
        """Go past a name."""
        return self._next("word")

    def _take(self, text: str) -> bool:
        """Go past this word or sign if it comes next."""
        kind, found = self._peek()
        taken = kind in ("word", "sign") and found.upper() == text
        self._at += taken
        return taken

    def _expect(self, text: str) -> None:
        """Go past it, or complain."""
        if not self._take(text):
            raise SoqlError(f"expecting {text}, found {self._peek()[1]!r}")


def _holds(record: Record, name: str, sign: str, wanted: Any) -> bool:
    """One comparison. Texts but ids compare without case; nothing is neither smaller nor larger than anything."""
    value = record[name]
    if isinstance(value, str) and isinstance(wanted, str) and not name.lower().endswith("id"):
        value, wanted = value.lower(), wanted.lower()
    if sign in ("=", "!=", "<>"):
        return COMPARISONS[sign](value, wanted)
    return type(value) is type(wanted) and COMPARISONS[sign](value, wanted)
