"""The ledger, row by row, for reading only."""

from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from loyalty.admin.facts import (
    Button,
    Fact,
    FactsAdmin,
    NarrowPaginator,
    address,
    link,
    may_correct,
    moment,
    name_of,
    number,
    operation_badge,
    page_url,
    rule_in_words,
    signed,
    till_buttons,
)
from loyalty.admin.filters import ProgramFilter, StaffFilter
from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction
from loyalty.selectors import explain_earning, money, points_in_words, search_cards
from notifications.admin import when

MOST_COUNTED = 10_000
Operation = PointsTransaction.Operation
BELONGING = ("card__enrollment__customer", "card__enrollment__program__business", "staff_member")


class LedgerPaginator(NarrowPaginator):
    """Stops counting where nobody turns pages any more: a ledger of millions would be counted for each look at it."""

    @cached_property
    def count(self) -> int:
        """At most `MOST_COUNTED`."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


@admin.register(PointsTransaction)
class LedgerAdmin(FactsAdmin):
    """Append-only in the database."""

    program_path = "card__enrollment__program"
    list_display = ("moment", "card_link", "customer", "operation", "points", "balance", "reference", "actor")
    list_display_links = ("moment",)
    list_filter = ("operation_type", ProgramFilter, StaffFilter, "created_at")
    list_select_related = BELONGING
    show_facets = ShowFacets.NEVER
    paginator = LedgerPaginator
    search_fields = ("transaction_reference",)
    search_help_text = "References in full, card numbers, phones and names."
    empty_text = "A row appears here with every movement of points."
    change_list_template = "admin/loyalty/pointstransaction/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PointsTransaction]:
        """With what a row's page says of it."""
        return super().get_queryset(request).select_related(*BELONGING)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A reference in full, by its index; else cards as everywhere."""
        text = search_term.strip()
        if not text:
            return queryset, False
        businesses = self.businesses(request)
        keys = {"business__in": list(businesses.values_list("pk", flat=True)), "operation_type__in": Operation.values}
        named = queryset.filter(**keys, transaction_reference=text)
        if named.exists():
            return named, False
        cards = LoyaltyCard.objects.filter(enrollment__program__business__in=businesses)
        return queryset.filter(card__in=search_cards(cards, text)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's, which says where it ends."""
        return super().changelist_view(request, {"most_counted": MOST_COUNTED, **(extra_context or {})})

    def facts(self, request: HttpRequest, row: PointsTransaction) -> list[Fact]:
        """Who, what, and why it was so many."""
        card, customer = row.card, row.card.enrollment.customer
        facts = [
            Fact("Operation", operation_badge(row)),
            Fact("Points", signed(row.points_delta)),
            Fact("Balance after", points_in_words(row.balance_after)),
            Fact("Owed after", points_in_words(row.owed_after) if row.owed_after else ""),
            Fact("Card", card.card_number, page_url(card)),
            Fact("Customer", name_of(customer), page_url(customer)),
            Fact("Program", card.enrollment.program, page_url(card.enrollment.program)),
            Fact("When", moment(row.created_at)),
            Fact("By", self.actor(row)),
            Fact("Reference", row.transaction_reference),
            *_order_facts(row),
            *_correction_facts(row),
            *_lot_facts(row),
            Fact("Rules of that day", _lines(rule_in_words(row.operation_details["rule"], row.business.currency))),
            Fact("Row", f"Number {row.seq:,} of the card"),
        ]
        return [fact for fact in facts if fact.value]

    def page(self, request: HttpRequest, row: PointsTransaction) -> dict[str, Any]:
        """The ways to the till."""
        is_final = row.operation_type in (Operation.EXPIRE, Operation.REVERSE)
        reverse = Button("Reverse", address("loyalty_reverse", row.pk))
        can_reverse = bool(reverse.url) and not is_final and may_correct(request, row.card)
        return {"buttons": [*till_buttons(request, row.card), *([reverse] if can_reverse else [])]}

    @admin.display(description="When", ordering="created_at")
    def moment(self, row: PointsTransaction) -> SafeString | str:
        """When."""
        return when(row.created_at)

    @admin.display(description="Card", ordering="card__card_number")
    def card_link(self, row: PointsTransaction) -> SafeString:
        """To its page."""
        return link(row.card)

    @admin.display(description="Customer", ordering="card__enrollment__customer__last_name")
    def customer(self, row: PointsTransaction) -> str:
        """Name, else phone."""
        return name_of(row.card.enrollment.customer)

    @admin.display(description="Operation", ordering="operation_type")
    def operation(self, row: PointsTransaction) -> SafeString:
        """In its colour."""
        return operation_badge(row)

    @admin.display(description="Points", ordering="points_delta")
    def points(self, row: PointsTransaction) -> SafeString:
        """With their sign."""
        return signed(row.points_delta)

    @admin.display(description="Balance after", ordering="balance_after")
    def balance(self, row: PointsTransaction) -> SafeString:
        """As the row left it."""
        return number(row.balance_after)

    @admin.display(description="Reference", ordering="transaction_reference")
    def reference(self, row: PointsTransaction) -> str:
        """The caller's own number."""
        return row.transaction_reference or "–"

    @admin.display(description="By", ordering="staff_member__email")
    def actor(self, row: PointsTransaction) -> str:
        """A member of staff, else the customer or the clock."""
        if row.staff_member:
            return str(row.staff_member)
        return "The clock" if row.operation_type == Operation.EXPIRE else "Nobody of the staff"


def _order_facts(row: PointsTransaction) -> list[Fact]:
    details, currency = row.operation_details, row.business.currency
    total, discount = (_decimal(details.get(name)) for name in ("order_total", "discount"))
    facts = []
    if row.operation_type == Operation.EARN:
        facts.append(Fact("How", explain_earning(row.points_amount, total, details["rule"], details["currency"])))
    if total is not None:
        facts.append(Fact("Order total", money(total, currency)))
    if row.operation_type == Operation.REDEEM and discount is not None:
        facts.append(Fact("Discount", money(discount, currency)))
        if total is not None:
            facts.append(Fact("Left to pay", money(total - discount, currency)))
    return [*facts, Fact("Order", details.get("order_id"))]


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _correction_facts(row: PointsTransaction) -> list[Fact]:
    details = row.operation_details
    amount = _decimal(details.get("amount"))
    reversals = row.reversals.order_by("seq")
    parts = [
        format_html("{} on {}", link(part, points_in_words(part.points_amount)), _day(part.created_at))
        for part in reversals
    ]
    hold = getattr(row, "hold", None)
    return [
        Fact("Reason", details.get("reason")),
        Fact("Reverses", row.reverses, page_url(row.reverses)) if row.reverses else Fact("Reverses", ""),
        Fact("Part of the order", money(amount, row.business.currency) if amount is not None else ""),
        Fact("Reversed", _lines(parts)),
        Fact("From a hold", hold, page_url(hold)) if hold else Fact("From a hold", ""),
    ]


def _lot_facts(row: PointsTransaction) -> list[Fact]:
    """What became of the points, or where they were taken from."""
    takings = row.operation_details["lots"]
    lots = PointsLot.objects.filter(pk__in=[lot for lot, _points in takings]).select_related("transaction").in_bulk()
    lines = [f"{points_in_words(points)} of {_lot_in_words(lots[lot])}" for lot, points in takings]
    paid = row.operation_details.get("owed_paid")
    own = getattr(row, "lot", None)
    left = f"{own.remaining:,} of {own.points:,}, {_expiry(own)}" if own else ""
    return [
        Fact("Paid what was owed", points_in_words(paid) if paid else ""),
        Fact("Left of them", left),
        Fact("Taken from" if row.points_delta < 0 else "Returned to", _lines(lines)),
    ]


def _lot_in_words(lot: PointsLot) -> str:
    how = {Operation.WELCOME: "given as a welcome", Operation.ADJUST: "added by hand"}
    row = lot.transaction
    return f"those {how.get(Operation(row.operation_type), 'earned')} on {_day(row.created_at)}, {_expiry(lot)}"


def _expiry(lot: PointsLot) -> str:
    return f"expiring {_day(lot.expires_at)}" if lot.expires_at else "never expiring"


def _day(at: datetime) -> str:
    return f"{at:%-d %b %Y}"


def _lines(lines: list[Any]) -> SafeString:
    return format_html_join("", '<span class="line-of">{}</span>', ((line,) for line in lines))
