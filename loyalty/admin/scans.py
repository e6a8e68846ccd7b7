"""Scans, and what customers and businesses had to do with each other, for reading only."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.safestring import SafeString

from crm.admin.filters import BusinessFilter
from loyalty.admin.facts import Fact, FactsAdmin, link, moment, name_of, number, page_url
from loyalty.models import CustomerInteraction, Enrollment, LoyaltyCard, PointsHold, QrScan
from loyalty.selectors import masked_name, points_in_words, search_cards
from notifications.admin import badge, when

Outcome, Interaction = QrScan.Outcome, CustomerInteraction.Kind
WORDS = {
    Outcome.AWARDED: "Points awarded",
    Outcome.IDENTIFIED: "Customer identified",
    Outcome.REQUESTED: "Asked to join",
    Outcome.PENDING: "Asked before, no answer yet",
}
COLOURS = {
    Outcome.AWARDED: "approved",
    Outcome.IDENTIFIED: "processing",
    Outcome.REQUESTED: "pending",
    Outcome.PENDING: "pending",
}
KINDS = {"rotating": "On a screen", "printed": "Printed"}
PURPOSES = {"scan": "Scan", "redeem": "Redeeming", "earn": "Earning", "enroll": "Joining"}
INTERACTION_COLOURS = {
    Interaction.SCANNED: "processing",
    Interaction.ASKED: "pending",
    Interaction.JOINED: "approved",
    Interaction.DECLINED: "rejected",
}


class KindFilter(SimpleListFilter):
    """By where the code was."""

    title = "kind of code"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """On a screen, on paper, or none that is known."""
        return [*KINDS.items(), ("none", "Unknown")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Of that kind."""
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(kind="" if wanted == "none" else wanted)


class MetAdmin(FactsAdmin):
    """Rows about a customer whom a business met, who may be a stranger to it: whoever has not joined stays masked."""

    list_display_links = ("moment",)
    # The other one forgets what rows are annotated with.
    paginator = Paginator  # type: ignore[assignment]
    show_facets = ShowFacets.NEVER
    search_fields = ("customer__first_name", "customer__last_name", "customer__phone")
    search_help_text = "Phones in any spelling, names and card numbers of customers who joined."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With whether the reader may know who it was: staff may, members as soon as the customer has joined."""
        joined = Enrollment.objects.filter(
            customer=OuterRef("customer"), program__business=OuterRef("business"), activated_at__isnull=False
        )
        is_known: Any = Value(True) if self.sees_all(request) else Exists(joined)
        rows: QuerySet[Any] = super().get_queryset(request).select_related("business", "customer", "by")
        found: QuerySet[Any] = rows.annotate(is_known=is_known)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Names and phones, and cards as everywhere; strangers cannot be searched for."""
        text = search_term.strip()
        if not text:
            return queryset, False
        rows, _is_doubled = super().get_search_results(request, queryset, text)
        cards = LoyaltyCard.objects.filter(enrollment__program__business__in=self.businesses(request))
        found = Q(customer__in=search_cards(cards, text).order_by().values("enrollment__customer"))
        return (rows | queryset.filter(found)).filter(is_known=True), False

    @admin.display(description="When", ordering="created_at")
    def moment(self, row: Any) -> SafeString | str:
        """When."""
        return when(row.created_at)

    @admin.display(description="Customer", ordering="customer__last_name")
    def who(self, row: Any) -> SafeString | str:
        """To their page; a stranger without one."""
        if row.customer is None:
            return "–"
        return link(row.customer, name_of(row.customer)) if row.is_known else masked_name(row.customer)

    def common_facts(self, row: Any) -> list[Fact]:
        """Who, where, when and by whom."""
        return [
            Fact("Customer", self.who(row) if row.customer else ""),
            Fact("Business", row.business),
            Fact("When", moment(row.created_at)),
            Fact("By", row.by),
        ]


@admin.register(QrScan)
class ScanAdmin(MetAdmin):
    """Every code that was read at a till, the worthless ones with their true reason."""

    list_display = ("moment", "business", "who", "result", "points", "by", "code_kind", "reason")
    list_filter = ("outcome", KindFilter, BusinessFilter, "created_at")
    empty_text = "A scan appears here when a till reads a customer's code."

    def facts(self, request: HttpRequest, row: QrScan) -> list[Fact]:
        """What came of it."""
        facts = [
            Fact("Outcome", self.result(row)),
            Fact("Points", points_in_words(row.points_awarded) if row.points_awarded else ""),
            *self.common_facts(row),
            Fact("Program", row.program, page_url(row.program) if row.program else ""),
            Fact("Card", row.card, page_url(row.card) if row.card else ""),
            Fact("Code", self.code_kind(row)),
            Fact("For", self.reason(row)),
        ]
        return [fact for fact in facts if fact.value]

    @admin.display(description="Outcome", ordering="outcome")
    def result(self, scan: QrScan) -> SafeString:
        """In its colour."""
        outcome = Outcome(scan.outcome)
        return badge(COLOURS.get(outcome, "rejected"), WORDS.get(outcome, str(outcome.label)))

    @admin.display(description="Points", ordering="points_awarded")
    def points(self, scan: QrScan) -> SafeString | str:
        """Those awarded."""
        return number(scan.points_awarded) if scan.points_awarded else "–"

    @admin.display(description="Code", ordering="kind")
    def code_kind(self, scan: QrScan) -> str:
        """Where it was."""
        return KINDS.get(scan.kind, "Unknown")

    @admin.display(description="For", ordering="purpose")
    def reason(self, scan: QrScan) -> str:
        """What it was read for."""
        return PURPOSES[scan.purpose]


@admin.register(CustomerInteraction)
class InteractionAdmin(MetAdmin):
    """Scans, questions and answers, in their order."""

    list_display = ("moment", "business", "who", "what", "by")
    list_filter = ("kind", BusinessFilter, "created_at")
    empty_text = "A row appears here when a customer is scanned or asked, joins or declines."

    def facts(self, request: HttpRequest, row: CustomerInteraction) -> list[Fact]:
        """What it was about."""
        outcome = row.data.get("outcome")
        facts = [
            Fact("What", self.what(row)),
            Fact("Outcome", WORDS.get(outcome, "")),
            *self.common_facts(row),
            _about(row),
        ]
        return [fact for fact in facts if fact.value]

    @admin.display(description="What", ordering="kind")
    def what(self, row: CustomerInteraction) -> SafeString:
        """In its colour."""
        kind = Interaction(row.kind)
        return badge(INTERACTION_COLOURS[kind], str(kind.label))


def _about(row: CustomerInteraction) -> Fact:
    """The page of what it was about: of a stranger's enrolment a member has none."""
    models: list[Any] = [QrScan] if row.kind == Interaction.SCANNED else [Enrollment, PointsHold]
    found = [one for model in models for one in model.objects.filter(pk=row.reference_id)]
    label = str(found[0]._meta.verbose_name).capitalize() if found else ""
    is_open = found and (row.kind == Interaction.SCANNED or getattr(row, "is_known", False))
    return Fact("About", label if is_open else "", page_url(found[0]) if is_open else "")
