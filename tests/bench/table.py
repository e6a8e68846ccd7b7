"""What a bench returns, and how it is printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure against its bar."""

    what: str
    measured: float
    bar: float
    at_least: bool
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def show(rows: list[Row]) -> int:
    """Print the table: 0 when every bar is met, else 1."""
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        verdict = "ok  " if row.holds else "MISS"
        print(f"{verdict} {row.what:<62} {row.measured:8.2f}  {sign} {row.bar:<6g} {row.note}", flush=True)  # noqa: T201
    return 0 if all(row.holds for row in rows) else 1
