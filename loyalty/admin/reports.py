"""Reports: what the programs owe, and who moved points. For managers of a business, and staff who see the ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from crm.admin import roles_of
from crm.models import Business, Membership
from loyalty.admin.filters import NOBODY
from loyalty.selectors import Bucket, Liability, Movements, liabilities, money, movements, points_in_words
from loyalty.selectors.reports import LOOK_ABOVE_POINTS, LOOK_ABOVE_SHARE
from notifications.api.sheets import csv_response

VIEW_LEDGER = "loyalty.view_pointstransaction"
DAYS, MOST_DAYS = 30, 3660
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
LIABILITY_HEADER = ("Business", "Program", "Expires", "Points", "Worth", "Currency", "Held", "Owed")
MOVEMENTS_HEADER = (
    "Staff",
    "Orders",
    "Points for orders",
    "Awarded without an order",
    "Adjusted up",
    "Adjusted down",
    "Redeemed",
    "Reversed",
    "Cards",
    "Look closer",
)


class PeriodForm(forms.Form):
    """Two days, both included, in UTC; and one of the user's businesses."""

    from_on = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    to_on = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    business = forms.ModelChoiceField(Business.objects.none(), required=False, empty_label="All businesses")

    def __init__(self, data: Any, businesses: QuerySet[Business]) -> None:
        today = timezone.now().astimezone(UTC).date()
        first = {"from_on": str(today - timedelta(days=DAYS - 1)), "to_on": str(today), "business": ""}
        super().__init__({name: data.get(name) or value for name, value in first.items()})
        self.fields["business"] = forms.ModelChoiceField(
            businesses, required=False, empty_label="All businesses", to_field_name="slug"
        )
        if len(businesses) < 2:
            del self.fields["business"]

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError when the days are the wrong way round, or too far apart."""
        values: dict[str, Any] = super().clean() or {}
        begins, ends = values.get("from_on"), values.get("to_on")
        in_order = not (begins and ends) or FIRST_DAY <= begins <= ends <= LAST_DAY
        if not in_order or (begins and ends and (ends - begins).days > MOST_DAYS):
            raise ValidationError("The period begins before it ends, and is ten years long at most.")
        return values


@dataclass(frozen=True)
class Period:
    """From midnight to midnight, UTC."""

    from_on: date
    to_on: date

    @property
    def begins(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.from_on, time(), UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.to_on + timedelta(days=1), time(), UTC)


def urls(site: AdminSite) -> list[URLPattern]:
    """The reports' addresses, below the admin's."""
    pages = {"": _page, "liability.csv": _liability_sheet, "movements.csv": _movements_sheet}

    def opened(view: Any) -> Any:
        def shown(request: HttpRequest) -> HttpResponseBase:
            request.current_app = site.name
            return cast(HttpResponseBase, view(site, request))

        return site.admin_view(shown)

    name_of = {"": "loyalty_reports", "liability.csv": "loyalty_liability", "movements.csv": "loyalty_movements"}
    return [path(f"loyalty/reports/{tail}", opened(view), name=name_of[tail]) for tail, view in pages.items()]


def menu_entry(request: HttpRequest) -> dict[str, Any] | None:
    """The reports in the admin's list of lists, for those who may read them."""
    if not (_reads_all(request) or _managed(request)):
        return None
    return {
        "name": "Reports",
        "object_name": "Reports",
        "admin_url": reverse("admin:loyalty_reports"),
        "view_only": True,
    }


def _reads_all(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.acts_for_all(VIEW_LEDGER)


def _managed(request: HttpRequest) -> list[UUID]:
    """The businesses that the user manages."""
    reaching = Membership.reaching(Membership.Role.MANAGER)
    return [business for business, role in roles_of(request).items() if role in reaching]


def _asked(request: HttpRequest) -> tuple[PeriodForm, QuerySet[Business], Period]:
    """The form, the businesses and the period. What cannot be read is the default. Raises PermissionDenied."""
    own = Business.objects.all() if _reads_all(request) else Business.objects.filter(pk__in=_managed(request))
    if not own and not _reads_all(request):
        raise PermissionDenied
    form = PeriodForm(request.GET, own)
    if not form.is_valid():
        fallback = PeriodForm({}, own)
        fallback.is_valid()
        return form, own, Period(fallback.cleaned_data["from_on"], fallback.cleaned_data["to_on"])
    chosen = form.cleaned_data.get("business")
    period = Period(form.cleaned_data["from_on"], form.cleaned_data["to_on"])
    return form, own.filter(pk=chosen.pk) if chosen else own, period


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    form, businesses, period = _asked(request)
    found = liabilities(businesses)
    moved = movements(businesses, period.begins, period.ends)
    query = urlencode({name: form[name].value() or "" for name in form.fields}) if form.is_valid() else ""
    context = {
        **site.each_context(request),
        "title": "Reports",
        "form": form,
        "period": period,
        "query": query,
        "programs": [_program_figures(row) for row in found],
        "totals": _totals(found),
        "movements": [(row, _ledger_url(row, period), _bars(row, moved), _figures(row)) for row in moved],
        "columns": MOVEMENTS_HEADER[1:-1],
        "look_points": LOOK_ABOVE_POINTS,
        "look_share": f"{LOOK_ABOVE_SHARE:.0%}",
    }
    return TemplateResponse(request, "admin/loyalty/reports.html", context)


def _program_figures(row: Liability) -> dict[str, Any]:
    """A program's months, each with the length of its bar in percent of the longest."""
    currency, longest = row.program.business.currency, max((bucket.points for bucket in row.buckets), default=0)
    months = [
        (bucket_label(bucket), f"{bucket.points:,}", money(bucket.worth, currency), _percent(bucket.points, longest))
        for bucket in row.buckets
    ]
    cards = f"{row.cards:,} card{'' if row.cards == 1 else 's'}"
    total = (f"On {cards}", f"{row.points:,}", money(row.worth, currency))
    held = f"{points_in_words(row.held)} of them held. " if row.held else ""
    owed = f"Customers owe {points_in_words(row.owed)}, which new ones pay first." if row.owed else ""
    return {"program": row.program, "months": months, "total": total, "apart": held + owed}


def bucket_label(bucket: Bucket) -> str:
    """When its points expire."""
    if bucket.is_due:
        return "Due, not booked yet"
    return f"{bucket.expires_on:%B %Y}" if bucket.expires_on else "Never"


def _totals(found: Iterable[Liability]) -> list[list[tuple[str, str]]]:
    """For each currency, what is outstanding and what it is worth."""
    sums: dict[str, list[Any]] = {}
    for row in found:
        total = sums.setdefault(row.program.business.currency, [0, 0, 0, Decimal(0)])
        for place, value in enumerate((row.points, row.held, row.owed, row.worth)):
            total[place] += value
    return [
        [
            ("Outstanding", points_in_words(points)),
            ("Worth", money(worth, currency)),
            ("Held of them", f"{held:,}"),
            ("Owed by customers", f"{owed:,}"),
        ]
        for currency, (points, held, owed, worth) in sums.items()
    ]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0"


def _bars(row: Movements, rows: list[Movements]) -> list[tuple[str, str, str]]:
    """What was given for orders beside what was given by hand, one after the other: class, start and width."""
    most = max((other.order_points + other.by_hand for other in rows), default=0)
    first = _percent(row.order_points, most)
    return [("order", "0", first), ("hand", first, _percent(row.by_hand, most))]


def _ledger_url(row: Movements, period: Period) -> str:
    """Their rows of that period."""
    staff = row.staff.pk if row.staff else NOBODY
    query = {"staff": staff, "created_at__gte": str(period.begins), "created_at__lt": str(period.ends)}
    return f"{reverse('admin:loyalty_pointstransaction_changelist')}?{urlencode(query)}"


def _liability_sheet(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    form, businesses, _period = _asked(request)
    if not form.is_valid():
        return _back(request)
    today = f"{timezone.now():%Y-%m-%d}"
    return csv_response(f"points-outstanding-{today}.csv", LIABILITY_HEADER, _liability_lines(businesses))


def _back(request: HttpRequest) -> HttpResponse:
    """To the page, which says what is wrong with the period."""
    return HttpResponseRedirect(f"{reverse('admin:loyalty_reports')}?{request.GET.urlencode()}")


def _liability_lines(businesses: QuerySet[Business]) -> Iterator[list[object]]:
    for row in liabilities(businesses):
        program, currency = row.program, row.program.business.currency
        begin: list[object] = [program.business.name, program.name]
        for bucket in row.buckets:
            month = "due" if bucket.is_due else f"{bucket.expires_on:%Y-%m}" if bucket.expires_on else "never"
            yield [*begin, month, bucket.points, bucket.worth, currency, None, None]
        yield [*begin, "total", row.points, row.worth, currency, row.held, row.owed]


def _movements_sheet(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    form, businesses, period = _asked(request)
    if not form.is_valid():
        return _back(request)
    rows = movements(businesses, period.begins, period.ends)
    name = f"points-by-staff-{period.from_on}-{period.to_on}.csv"
    return csv_response(name, MOVEMENTS_HEADER, (_movement_line(row) for row in rows))


def _movement_line(row: Movements) -> list[object]:
    return [str(row.staff) if row.staff else "Nobody of the staff", *_sums(row), " ".join(row.signs)]


def _figures(row: Movements) -> list[str]:
    return [f"{value:,}" for value in _sums(row)]


def _sums(row: Movements) -> list[int]:
    """In the order of the columns."""
    given = [row.orders, row.order_points, row.awarded, row.adjusted_up]
    return [*given, row.adjusted_down, row.redeemed, row.reversed, row.cards]
