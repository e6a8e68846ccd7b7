"""Charts as inline SVG, drawn on the server: shapes and classes only, which a strict content policy lets through.

Pure: numbers in, a drawing out. The words stand beside it as text, where they neither shrink nor stretch with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

STEP, BAR, HEIGHT = 10.0, 7.0, 100.0


@dataclass(frozen=True)
class Chart:
    """A drawing with what a reader needs: its figure, its axis, and the numbers as a table.

    `axis` is what stands under it from left to right, `top` the value at its upper edge, `legend` the name of each
    line by its class, `sheet` where the table can be downloaded.
    """

    title: str
    figure: str
    note: str
    drawing: SafeString
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    top: str = ""
    axis: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()
    sheet: str = ""


def columns(values: Sequence[float], names: Sequence[str], *, label: str) -> SafeString:
    """Upright bars, side by side; each tells its name to whoever points at it."""
    most = max(values, default=0) or 1
    bars = format_html_join(
        "",
        '<rect class="column" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (
                _number(index * STEP + (STEP - BAR) / 2),
                _number(HEIGHT - _height(value, most)),
                _number(BAR),
                _number(_height(value, most)),
                name,
            )
            for index, (value, name) in enumerate(zip(values, names, strict=True))
        ),
    )
    return _frame(len(values), bars, label)


def lines(series: Mapping[str, Sequence[float | None]], *, label: str) -> SafeString:
    """A line for each series, by its class; it breaks where there is no value."""
    most = max((value for values in series.values() for value in values if value is not None), default=0) or 1
    drawn = format_html_join(
        "", '<path class="stroke {}" d="{}"/>', ((name, _path(values, most)) for name, values in series.items())
    )
    return _frame(max(map(len, series.values()), default=0), drawn, label)


def bars(values: Mapping[str, int]) -> SafeString:
    """Lying bars under one another, each with its name and number."""
    most = max(values.values(), default=0) or 1
    drawing = '<svg aria-hidden="true"><rect class="column" width="{}%" height="100%" rx="3"/></svg>'
    row = '<div class="bar-row"><dt>{}</dt><dd>{}</dd><dd class="bar-track">' + drawing + "</dd></div>"
    rows = ((name, f"{value:,}", _number(100 * value / most)) for name, value in values.items())
    return format_html('<dl class="bar-rows">{}</dl>', format_html_join("", row, rows))


def _frame(steps: int, content: SafeString, label: str) -> SafeString:
    return format_html(
        '<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>',
        label,
        _number(max(steps, 1) * STEP),
        _number(HEIGHT),
        content,
    )


def _height(value: float, most: float) -> float:
    """In proportion, but whatever is not nothing can be seen."""
    return max(HEIGHT * value / most, 2.0) if value else 0.0


def _path(values: Sequence[float | None], most: float) -> str:
    """Moves and lines; a value between two gaps is a dot."""
    parts, before = [], None
    for index, value in enumerate(values):
        if value is not None:
            x, y = _number(index * STEP + STEP / 2), _number(HEIGHT - HEIGHT * value / most)
            parts.append(f"M{x} {y}h.01" if before is None else f"L{x} {y}")
        before = value
    return "".join(parts)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
