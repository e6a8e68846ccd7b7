"""How a season went, in pictures with their numbers, and as sheets. For those who see votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from django import forms
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.text import slugify

from nominations import selectors
from nominations.models import Category, Nomination, Season, Vote
from notifications.admin import require
from notifications.admin.charts import Chart, bars, columns
from notifications.api.sheets import csv_response

VIEW = "nominations.view_vote"
MOST_BARS, FEWEST_DAYS = 8, 7
COUNTED, APPROVED = Vote.State.COUNTED, Nomination.State.APPROVED
VOTE_STATES, STATES = dict(Vote.State.choices), dict(Nomination.State.choices)
Row = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """The numbers of a picture: those of the sheet, and of the table beside it."""

    headings: Sequence[str]
    rows: Sequence[Row]

    @property
    def words(self) -> list[list[str]]:
        """As people read numbers."""
        return [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in self.rows]


class AnalyticsForm(forms.Form):
    """Of what."""

    season = forms.ModelChoiceField(Season.objects.all(), required=False, empty_label=None)
    category = forms.ModelChoiceField(
        Category.objects.all(), required=False, empty_label="All categories", to_field_name="slug"
    )


def urls(site: AdminSite) -> list[URLPattern]:
    """The addresses, below the admin's."""

    def opened(view: Any) -> Any:
        def shown(request: HttpRequest, **names: str) -> HttpResponseBase:
            request.current_app = site.name
            require(request, VIEW)
            return cast(HttpResponseBase, view(site, request, **names))

        return site.admin_view(shown)

    return [
        path("nominations/analytics/", opened(_page), name="nominations_analytics"),
        path("nominations/analytics/<slug:table>.csv", opened(_sheet), name="nominations_analytics_sheet"),
    ]


def menu_entry(request: HttpRequest) -> dict[str, Any] | None:
    """The page in the admin's list of lists, for those who may read it."""
    if not request.user.has_perm(VIEW):
        return None
    address = reverse("admin:nominations_analytics")
    return {"name": "Analytics", "object_name": "Analytics", "admin_url": address, "view_only": True}


def _asked(request: HttpRequest) -> tuple[AnalyticsForm, Season | None, Category | None]:
    """What cannot be read is the current season, whole."""
    form = AnalyticsForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    season = asked.get("season") or Season.objects.first()
    category = asked.get("category")
    shown = {"season": season.pk if season else None, "category": category.slug if category else ""}
    return AnalyticsForm(initial=shown), season, category


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    form, season, category = _asked(request)
    found = selectors.analytics(season, category, is_fresh="fresh" in request.GET) if season else None
    query = urlencode({"season": season.pk if season else "", "category": category.slug if category else ""})
    context = {
        **site.each_context(request),
        "title": "Analytics",
        "form": form,
        "season": season,
        "category": category,
        "query": query,
        "found": found,
        "charts": _charts(found, query) if found else [],
        "is_empty": found is not None and not (found.votes_by_hour or found.nominations_by_day),
    }
    return TemplateResponse(request, "admin/nominations/analytics/analytics.html", context)


def _sheet(site: AdminSite, request: HttpRequest, table: str) -> HttpResponseBase:
    """One table as CSV. Raises Http404 for a name that is none."""
    _form, season, category = _asked(request)
    make = TABLES.get(table)
    if season is None or make is None:
        raise Http404
    made = make(selectors.analytics(season, category))
    of = slugify(" ".join((season.name, category.slug if category else "")))
    return csv_response(f"{table}-{of}.csv", [name.lower() for name in made.headings], made.rows)


def _votes_by_day(found: selectors.Analytics) -> Table:
    rows = [(f"{day}", *counts.values()) for day, counts in found.votes_by_day.items()]
    return Table(("Day, UTC", *VOTE_STATES.values()), rows)


def _votes_by_hour(found: selectors.Analytics) -> Table:
    rows = [(f"{hour:02}:00", count) for hour, count in found.votes_by_hour_of_day.items()]
    return Table(("Hour of the day, UTC", "Counted"), rows)


def _votes_by_category(found: selectors.Analytics) -> Table:
    return Table(("Category", "Votes with manual ones"), list(found.votes_by_category.items()))


def _votes_by_country(found: selectors.Analytics) -> Table:
    rows = [(name or "Not said", count) for name, count in found.votes_by_country.items()]
    return Table(("Country of the voter", "Counted"), rows)


def _votes_by_state(found: selectors.Analytics) -> Table:
    return _shares("State", "Votes", VOTE_STATES, found.votes_by_state)


def _voters_by_domain(found: selectors.Analytics) -> Table:
    return Table(("Mail domain", "Voters"), list(found.voters_by_domain.items()))


def _nominations_by_day(found: selectors.Analytics) -> Table:
    rows = [(f"{day}", *counts.values()) for day, counts in found.nominations_daily.items()]
    return Table(("Day, UTC", *STATES.values()), rows)


def _nominations_by_state(found: selectors.Analytics) -> Table:
    return _shares("State", "Nominations", STATES, found.nominations_by_state)


TABLES = {
    "votes-by-day": _votes_by_day,
    "votes-by-hour": _votes_by_hour,
    "votes-by-category": _votes_by_category,
    "votes-by-country": _votes_by_country,
    "votes-by-state": _votes_by_state,
    "voters-by-domain": _voters_by_domain,
    "nominations-by-day": _nominations_by_day,
    "nominations-by-state": _nominations_by_state,
}


def _charts(found: selectors.Analytics, query: str) -> list[Chart]:
    """In the order of the questions: how many, when, where from, and what became of them."""
    votes, nominated_as = found.votes_by_state, found.nominations_by_state
    by_day = {day: counts[COUNTED] for day, counts in found.votes_by_day.items()}
    nominated = {day: sum(counts.values()) for day, counts in found.nominations_daily.items()}
    hours = found.votes_by_hour_of_day
    busiest = max(hours, key=hours.__getitem__)
    named = {name or "Not said": count for name, count in found.votes_by_country.items()}
    manual = "With manual ones; voters have one vote in each category."
    return [
        _daily("votes-by-day", "Votes by day", "counted", by_day, found, query),
        _daily("nominations-by-day", "Nominations by day", "in whatever state", nominated, found, query),
        _lying("votes-by-category", "Votes by category", manual, found.votes_by_category, found, query),
        _lying("votes-by-country", "Votes by country", "Of the votes that count.", named, found, query),
        _hourly(hours, f"The busiest hour begins at {busiest:02}:00 UTC." if hours[busiest] else "", found, query),
        _lying("voters-by-domain", "Voters by mail domain", _domain_note(), found.voters_by_domain, found, query),
        _of_states("votes-by-state", "Votes that count", votes, VOTE_STATES, COUNTED, found, query),
        _of_states("nominations-by-state", "Nominations approved", nominated_as, STATES, APPROVED, found, query),
    ]


def _domain_note() -> str:
    return f"Of those whose vote counts; only domains of {selectors.FEWEST_VOTERS} voters or more."


def _daily(
    key: str, title: str, what: str, counts: Mapping[date, int], found: selectors.Analytics, query: str
) -> Chart:
    counts = _a_week_at_least(counts)
    total, days = sum(counts.values()), list(counts)
    peak = max(counts, key=counts.__getitem__, default=None)
    most = f"Most on {peak:%A, %d %b}: {counts[peak]:,}." if peak and counts[peak] else "None yet."
    ends = (f"{days[0]:%d %b}", f"{days[-1]:%d %b}") if days else ()
    return _chart(
        key,
        title,
        f"{total:,}",
        f"{what.capitalize()}. {most}",
        columns(
            list(counts.values()),
            [f"{day:%d %b %Y}: {count:,}" for day, count in counts.items()],
            label=f"{title}, {total:,} {what}. {most}",
        ),
        found,
        query,
        top=f"{max(counts.values(), default=0):,}",
        axis=ends,
    )


def _a_week_at_least(counts: Mapping[date, int]) -> Mapping[date, int]:
    """With the days before, so that the first bars of a season look like bars."""
    if not counts:
        return counts
    days = [max(counts) - timedelta(days=number) for number in range(max(len(counts), FEWEST_DAYS))]
    return {day: counts.get(day, 0) for day in reversed(days)}


def _hourly(hours: Mapping[int, int], note: str, found: selectors.Analytics, query: str) -> Chart:
    busiest = max(hours, key=hours.__getitem__)
    total = sum(hours.values())
    return _chart(
        "votes-by-hour",
        "Votes by hour of the day",
        f"{busiest:02}:00" if total else "–",
        note or "None yet.",
        columns(
            list(hours.values()),
            [f"{hour:02}:00 UTC: {count:,}" for hour, count in hours.items()],
            label=f"Votes by hour of the day. {note}",
        ),
        found,
        query,
        top=f"{max(hours.values()):,}",
        axis=("0 h", "12 h", "23 h") if total else (),
    )


def _lying(
    key: str, title: str, note: str, counts: Mapping[str, int], found: selectors.Analytics, query: str
) -> Chart:
    """The first few by name, the others in one bar."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    shown = dict(ordered[:MOST_BARS])
    rest = ordered[MOST_BARS:]
    if rest:
        shown[f"{len(rest)} others"] = sum(count for _name, count in rest)
    return _chart(key, title, f"{sum(counts.values()):,}", note, bars(shown), found, query)


def _of_states(
    key: str,
    title: str,
    counts: Mapping[str, int],
    names: Mapping[str, str],
    good: str,
    found: selectors.Analytics,
    query: str,
) -> Chart:
    total = sum(counts.values())
    note = f"{counts[good]:,} of {total:,}." if total else "None yet."
    drawing = bars({names[state]: count for state, count in counts.items() if count})
    return _chart(key, title, _percent(counts[good], total), note, drawing, found, query)


def _chart(
    key: str, title: str, figure: str, note: str, drawing: Any, found: selectors.Analytics, query: str, **more: Any
) -> Chart:
    """With its table, and the way to its sheet."""
    table = TABLES[key](found)
    sheet = f"{reverse('admin:nominations_analytics_sheet', args=[key])}?{query}"
    return Chart(title, figure, note, drawing, table.headings, table.words, sheet=sheet, **more)


def _shares(of: str, what: str, names: Mapping[str, str], counts: Mapping[str, int]) -> Table:
    total = sum(counts.values())
    rows = [(names[state], count, _percent(count, total)) for state, count in counts.items()]
    return Table((of, what, "Share"), rows)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
