"""Cards and what is held of them, for reading; a hold can be released."""

from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, Count, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from loyalty import services
from loyalty.admin.desk import phone_for_display
from loyalty.admin.facts import (
    Button,
    Fact,
    FactsAdmin,
    address,
    link,
    may_correct,
    may_serve,
    moment,
    name_of,
    number,
    page_url,
    signed,
    till_buttons,
)
from loyalty.admin.filters import ProgramFilter, TierFilter
from loyalty.models import LoyaltyCard, PointsHold, PointsLot
from loyalty.selectors import Account, account_of, money, points_in_words, search_cards
from notifications.admin import Tab, badge, when

LINES, LOTS = 50, 50
Status, Purpose = PointsHold.Status, PointsHold.Purpose
COLOURS = {Status.OPEN: "pending", Status.CAPTURED: "done", Status.RELEASED: "closed", Status.EXPIRED: "closed"}


@admin.register(LoyaltyCard)
class CardAdmin(FactsAdmin):
    """One enrolment's points each."""

    business_path, program_path = "enrollment__program__business", "enrollment__program"
    list_display = ("card_number", "customer", "program", "balance", "available", "held", "owed", "tier", "activity")
    list_filter = (ProgramFilter, TierFilter, "enrollment__status")
    search_fields = ("card_number",)
    search_help_text = "Card numbers, phones in any spelling, names."
    empty_text = "A card is made when a customer joins a program: enrol the first one at the till."
    change_form_template = "admin/loyalty/loyaltycard/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LoyaltyCard]:
        """With customer and program."""
        return super().get_queryset(request).select_related("enrollment__customer", "enrollment__program__business")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """As everywhere."""
        return search_cards(queryset, search_term), False

    def facts(self, request: HttpRequest, card: LoyaltyCard) -> list[Fact]:
        """Whose it is."""
        enrollment = card.enrollment
        return [
            Fact("Customer", name_of(enrollment.customer), page_url(enrollment.customer)),
            Fact("Phone", phone_for_display(enrollment.customer.phone)),
            Fact("Program", enrollment.program, page_url(enrollment.program)),
            Fact("Business", enrollment.program.business),
            Fact("Enrolment", enrollment.get_status_display(), page_url(enrollment)),
            Fact("Since", moment(card.created_at)),
        ]

    def page(self, request: HttpRequest, card: LoyaltyCard) -> dict[str, Any]:
        """The sums as they are at this moment, where the points lie, what is held, and the last rows."""
        account = account_of(copy(card))
        rows = card.transactions.select_related("staff_member").order_by("-seq")[:LINES]
        return {
            "sums": _sums(account),
            "lots": _lots(account),
            "holds": [
                (hold, points_in_words(hold.points), may_release(request, hold, card)) for hold in account.holds
            ],
            "lines": [(row, signed(row.points_delta), f"{row.balance_after:,}") for row in rows],
            "more": f"All {card.last_seq:,} rows" if card.last_seq > LINES else "",
            "ledger_url": address("loyalty_pointstransaction_changelist", q=card.card_number),
            "buttons": [*till_buttons(request, card), *_statement(card)],
        }

    @admin.display(description="Customer", ordering="enrollment__customer__last_name")
    def customer(self, card: LoyaltyCard) -> SafeString:
        """To their page."""
        return link(card.enrollment.customer, name_of(card.enrollment.customer))

    @admin.display(description="Program", ordering="enrollment__program__name")
    def program(self, card: LoyaltyCard) -> str:
        """Its name."""
        return str(card.enrollment.program)

    @admin.display(description="Balance", ordering="points_balance")
    def balance(self, card: LoyaltyCard) -> SafeString:
        """What is there."""
        return number(card.points_balance)

    @admin.display(description="Available")
    def available(self, card: LoyaltyCard) -> SafeString:
        """What may be spent."""
        return number(card.points_available)

    @admin.display(description="Held", ordering="points_held")
    def held(self, card: LoyaltyCard) -> SafeString | str:
        """What is spoken for."""
        return number(card.points_held) if card.points_held else "–"

    @admin.display(description="Owed", ordering="points_owed")
    def owed(self, card: LoyaltyCard) -> SafeString | str:
        """What later points pay first."""
        return number(card.points_owed) if card.points_owed else "–"

    @admin.display(description="Tier", ordering="tier_level")
    def tier(self, card: LoyaltyCard) -> str:
        """The level."""
        return card.tier_level.capitalize()

    @admin.display(description="Last activity", ordering="last_activity_at")
    def activity(self, card: LoyaltyCard) -> SafeString | str:
        """When points last moved."""
        return when(card.last_activity_at)


def _statement(card: LoyaltyCard) -> list[Button]:
    """The last 90 days as a table."""
    try:
        return [Button("Statement (CSV)", reverse("api-statement-csv", args=[card.pk]), "quiet")]
    except NoReverseMatch:
        return []


def _sums(account: Account) -> list[tuple[str, str, str]]:
    """Each with what it is called, and a word on it."""
    card, to_next = account.card, account.points_to_next_tier
    points = {
        "Available": (account.available, f"worth {money(account.worth, account.currency)}"),
        "Balance": (card.points_balance, ""),
        "Held": (card.points_held, ""),
        "Owed": (card.points_owed, "paid first by new points" if card.points_owed else ""),
        "Ever earned": (card.total_points_earned, ""),
        "Ever redeemed": (card.total_points_redeemed, ""),
    }
    tier = ("Tier", account.tier.level.capitalize(), f"{to_next:,} to the next" if to_next else "")
    return [*((label, f"{value:,}", note) for label, (value, note) in points.items()), tier]


def _lots(account: Account) -> list[tuple[PointsLot, str]]:
    """Where the points lie, in the order they are spent: each lot, and what is left of it at this moment."""
    rows = PointsLot.objects.filter(card=account.card).unspent().in_spending_order().select_related("transaction")
    found = [(row, account.lots[row.pk]) for row in rows[:LOTS] if row.pk in account.lots]
    return [
        (row, f"{lot.remaining:,} of {row.points:,}" + (f", {lot.held:,} held" if lot.held else ""))
        for row, lot in found
        if lot.remaining
    ]


def may_release(request: HttpRequest, hold: PointsHold, card: LoyaltyCard) -> bool:
    """A till's work; where the customer is asked, the manager's who asked."""
    return may_correct(request, card) if hold.purpose == Purpose.DEDUCTION else may_serve(request, card)


@admin.register(PointsHold)
class HoldAdmin(FactsAdmin):
    """Open ones first."""

    business_path, program_path = "card__enrollment__program__business", "card__enrollment__program"
    list_display = ("moment", "card_link", "customer", "held_points", "purpose", "state", "lapse", "by")
    list_display_links = ("moment",)
    list_filter = ("status", "purpose", ProgramFilter)
    search_fields = ("card__card_number",)
    search_help_text = "Card numbers, phones in any spelling, names."
    empty_text = "A hold appears here when a till sets points aside, or when a customer is asked before a deduction."
    change_form_template = "admin/loyalty/pointshold/change_form.html"
    ordering = (Case(When(status=Status.OPEN, then=Value(0)), default=Value(1)), "-created_at", "id")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the release."""
        view = self.admin_site.admin_view(self.release)
        return [path("<uuid:pk>/release/", view, name="loyalty_pointshold_release"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PointsHold]:
        """With card, customer and program."""
        belonging = ("card__enrollment__customer", "card__enrollment__program__business", "by")
        return super().get_queryset(request).select_related(*belonging)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the card."""
        if not search_term.strip():
            return queryset, False
        cards = LoyaltyCard.objects.filter(enrollment__program__business__in=self.businesses(request))
        return queryset.filter(card__in=search_cards(cards, search_term)), False

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        rows = super().get_queryset(request).order_by().values_list("status")
        counts, chosen = dict(rows.annotate(count=Count("pk"))), request.GET.get("status__exact")
        tabs = [
            Tab(status.label, f"?status__exact={status}", counts.get(status, 0), chosen == status) for status in Status
        ]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def release(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Give the points back. Raises Http404, PermissionDenied."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        hold = self.get_object(request, str(pk))
        if not may_release(request, hold, hold.card):
            raise PermissionDenied
        try:
            services.release_hold(hold)
        except ValidationError as error:
            messages.warning(request, " ".join(error.messages))
        else:
            text = f"Released: {points_in_words(hold.points)} are free again."
            self.log_change(request, hold, text)
            messages.success(request, text)
        return HttpResponseRedirect(page_url(hold.card))

    def facts(self, request: HttpRequest, hold: PointsHold) -> list[Fact]:
        """Whose points, until when, and why."""
        row = hold.transaction
        facts = [
            Fact("State", self.state(hold)),
            Fact("Points", points_in_words(hold.points)),
            Fact("For", hold.get_purpose_display()),
            Fact("Reason", hold.reason),
            Fact("Card", hold.card, page_url(hold.card)),
            Fact("Customer", name_of(hold.card.enrollment.customer), page_url(hold.card.enrollment.customer)),
            Fact("Since", moment(hold.created_at)),
            Fact("Lapses" if hold.status == Status.OPEN else "Would have lapsed", moment(hold.expires_at)),
            Fact("Closed", moment(hold.closed_at) if hold.closed_at else ""),
            Fact("By", hold.by),
            Fact("Taken by", row, page_url(row)) if row else Fact("Taken by", ""),
        ]
        return [fact for fact in facts if fact.value]

    def page(self, request: HttpRequest, hold: PointsHold) -> dict[str, Any]:
        """The button, while it is open."""
        is_open = hold.status == Status.OPEN and hold.expires_at > timezone.now()
        return {"may_release": is_open and may_release(request, hold, hold.card)}

    @admin.display(description="Since", ordering="created_at")
    def moment(self, hold: PointsHold) -> SafeString | str:
        """When it began."""
        return when(hold.created_at)

    @admin.display(description="Card", ordering="card__card_number")
    def card_link(self, hold: PointsHold) -> SafeString:
        """To its page."""
        return link(hold.card)

    @admin.display(description="Customer", ordering="card__enrollment__customer__last_name")
    def customer(self, hold: PointsHold) -> str:
        """Name, else phone."""
        return name_of(hold.card.enrollment.customer)

    @admin.display(description="Points", ordering="points")
    def held_points(self, hold: PointsHold) -> SafeString:
        """How many."""
        return number(hold.points)

    @admin.display(description="State", ordering="status")
    def state(self, hold: PointsHold) -> SafeString:
        """Also when its time is over and nobody has booked it yet."""
        status = Status(hold.status)
        if status == Status.OPEN and hold.expires_at <= timezone.now():
            status = Status.EXPIRED
        return badge(COLOURS[status], "Lapsed" if status == Status.EXPIRED else status.label)

    @admin.display(description="Lapses", ordering="expires_at")
    def lapse(self, hold: PointsHold) -> SafeString | str:
        """When its points are free again by themselves."""
        return moment(hold.expires_at) if hold.status == Status.OPEN else "–"
