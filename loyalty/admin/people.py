"""Customers and their enrolments, as far as they joined a business that the user may see."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, Model, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from crm.admin import TenantAdmin
from crm.models import User, normal_email, normal_phone
from crm.models.fields import DEFAULT_REGION
from loyalty.admin.desk import phone_for_display
from loyalty.admin.facts import Button, Fact, FactsAdmin, address, link, moment, name_of, page_url, till_buttons
from loyalty.admin.filters import ProgramFilter
from loyalty.models import Customer, Enrollment, LoyaltyCard
from loyalty.selectors import points_in_words, search_cards
from notifications.admin import Tab, badge, when

Status = Enrollment.Status
COLOURS = {Status.ACTIVE: "live", Status.PENDING: "pending"}


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A phone in any spelling, and the login by its address."""

    phone = forms.CharField(max_length=50)
    login = forms.EmailField(
        required=False, label="Login", help_text="The address this customer logs in with. Empty: none."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["phone"] = phone_for_display(self.instance.phone)
        self.initial["login"] = self.instance.user.email if self.instance.user else ""

    def clean_phone(self) -> str:
        """As it is stored. Raises ValidationError for what is no phone, and for another customer's."""
        phone = normal_phone(self.cleaned_data["phone"], _region_of(self.instance))
        other = Customer.objects.filter(phone=phone).exclude(pk=self.instance.pk).first()
        if other is not None:
            raise ValidationError(f"Another customer has this phone: {other.name or 'one without a name'}.")
        return phone

    def clean_login(self) -> str:
        """The address of a login that no other customer has. Raises ValidationError."""
        email = normal_email(self.cleaned_data["login"])
        user = User.objects.filter(email=email).select_related("customer").first() if email else None
        if email and user is None:
            raise ValidationError("There is no login with this address.")
        if user is not None and getattr(user, "customer", self.instance) != self.instance:
            raise ValidationError("This login belongs to another customer.")
        self.instance.user = user
        return email


def _region_of(customer: Customer) -> str:
    """How a phone without a country code is read: as where the customer joined first."""
    joined = customer.enrollments.order_by("created_at").values_list("program__business__default_region", flat=True)
    return joined.first() or DEFAULT_REGION


class JoinedProgramFilter(ProgramFilter):
    """Customers by a program they joined."""

    def condition(self, wanted: str) -> Q:
        """With an enrolment there."""
        joined = Enrollment.objects.filter(customer=OuterRef("pk"), program_id=UUID(wanted))
        return Q(Exists(joined.filter(activated_at__isnull=False)))


@admin.register(Customer)
class CustomerAdmin(TenantAdmin):
    """One row for a person over all businesses. Members see who joined theirs, and staff may correct it."""

    form = CustomerForm
    list_display = ("full_name", "display_phone", "email", "cards", "member_since")
    list_filter = (JoinedProgramFilter, ("email", admin.EmptyFieldListFilter))
    search_fields = ("first_name", "last_name", "email", "phone")
    search_help_text = "Phones in any spelling, names, addresses and card numbers."
    empty_text = "Customers appear here when they join a program at the till, by page or by a scanned code."
    change_form_template = "admin/loyalty/customer/change_form.html"

    class Media:
        css = {"all": ("loyalty/points.css",)}

    def narrowed(self, rows: QuerySet[Customer], businesses: list[UUID]) -> QuerySet[Customer]:
        """Who joined one of them, also if they left since."""
        return rows.filter(Exists(_joined(businesses).filter(customer=OuterRef("pk"))))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        """With the enrolments that the user may see, and no others."""
        own = _joined(self.businesses(request)).select_related("card", "program__business").order_by("activated_at")
        return (
            super()
            .get_queryset(request)
            .select_related("user")
            .prefetch_related(Prefetch("enrollments", own, to_attr="joined"))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Names and addresses, and phones and cards as everywhere."""
        text = search_term.strip()
        rows, _is_doubled = super().get_search_results(request, queryset, text)
        if not text:
            return rows, False
        cards = LoyaltyCard.objects.filter(enrollment__program__business__in=self.businesses(request))
        found = Q(pk__in=search_cards(cards, text).values("enrollment__customer")) | _is_phone(text)
        return rows | queryset.filter(found), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They join a program."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Staff: a customer belongs to no single business."""
        return self.sees_all(request, "change")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields, or what they hold."""
        if self.has_change_permission(request, obj):
            return [("Who it is", {"fields": (("first_name", "last_name"), "phone", "email", "login")})]
        return [("Who it is", {"fields": ("full_name", "display_phone", "email")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """For whoever only looks."""
        return () if self.has_change_permission(request, obj) else ("full_name", "display_phone", "email")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        """Only what was edited. The phone is kept as it was typed, too."""
        changed = [{"login": "user"}.get(name, name) for name in form.changed_data]
        if "phone" in changed:
            obj.phone_raw = form.data["phone"].strip()
            changed.append("phone_raw")
        if changed:
            obj.save(update_fields=[*changed, "updated_at"])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the cards."""
        joined = kwargs["obj"].joined
        cards = [row.card for row in joined if row.status == Status.ACTIVE]
        buttons = till_buttons(request, cards[0]) if len(cards) == 1 else []
        if self.has_change_permission(request):
            buttons.append(Button("History", address("loyalty_customer_history", kwargs["obj"].pk), "quiet"))
        shown = [(row, points_in_words(row.card.points_balance)) for row in joined]
        context |= {"joined": shown, "buttons": buttons, "title": str(kwargs["obj"]), "subtitle": None}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, customer: Customer) -> str:
        """First and last."""
        return customer.name or "No name"

    @admin.display(description="Phone", ordering="phone")
    def display_phone(self, customer: Customer) -> str:
        """As one reads it."""
        return phone_for_display(customer.phone)

    @admin.display(description="Cards")
    def cards(self, customer: Any) -> SafeString | str:
        """With their balances."""
        shown = [(link(row.card), f"{row.card.points_balance:,}", row.program.name) for row in customer.joined]
        line = '<span class="card-line">{} <strong>{}</strong><span class="sub">{}</span></span>'
        return format_html_join("", line, shown) or "–"

    @admin.display(description="Member since")
    def member_since(self, customer: Any) -> SafeString | str:
        """The first enrolment."""
        return when(customer.joined[0].activated_at) if customer.joined else "–"


def _joined(businesses: Iterable[Any]) -> QuerySet[Enrollment]:
    """Enrolments that were active at some time: before, a customer has not agreed to be known there."""
    return Enrollment.objects.filter(activated_at__isnull=False, program__business__in=businesses)


def _is_phone(text: str) -> Q:
    try:
        return Q(phone=normal_phone(text))
    except ValidationError:
        return Q(pk__in=[])


@admin.register(Enrollment)
class EnrollmentAdmin(FactsAdmin):
    """Who takes part in what. Members do not see strangers who were scanned and have not agreed."""

    business_path, program_path = "program__business", "program"
    list_display = ("customer_link", "program", "state", "source", "by", "joined")
    list_display_links = ("joined",)
    list_filter = ("status", "source", ProgramFilter)
    search_fields = ("customer__first_name", "customer__last_name", "customer__email", "customer__phone")
    search_help_text = "Phones in any spelling, names and addresses."
    empty_text = "An enrolment appears here when a customer joins a program, or is asked to."

    def narrowed(self, rows: QuerySet[Enrollment], businesses: list[UUID]) -> QuerySet[Enrollment]:
        """Those that agreed, or whose phone the business itself took down."""
        is_known = Q(activated_at__isnull=False) | ~Q(source=Enrollment.Source.SCAN)
        return super().narrowed(rows, businesses).filter(is_known)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        """With customer, program, card and who recorded the consent."""
        return super().get_queryset(request).select_related("customer", "program__business", "by", "card")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Also a phone in any spelling."""
        text = search_term.strip()
        rows, _is_doubled = super().get_search_results(request, queryset, text)
        people = Customer.objects.filter(_is_phone(text)) if text else Customer.objects.none()
        return rows | queryset.filter(customer__in=people), False

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        rows = super().get_queryset(request).order_by().values_list("status")
        counts, chosen = dict(rows.annotate(count=Count("pk"))), request.GET.get("status__exact")
        tabs = [
            Tab(status.label, f"?status__exact={status}", counts.get(status, 0), chosen == status) for status in Status
        ]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def facts(self, request: HttpRequest, enrollment: Enrollment) -> list[Fact]:
        """Who, where, since when and by whom."""
        card = getattr(enrollment, "card", None)
        facts = [
            Fact("State", self.state(enrollment)),
            Fact("Customer", name_of(enrollment.customer), page_url(enrollment.customer)),
            Fact("Program", enrollment.program, page_url(enrollment.program)),
            Fact("Card", card, page_url(card)) if card else Fact("Card", ""),
            Fact("Began", enrollment.get_source_display()),
            Fact("Consent recorded by", enrollment.by),
            Fact("Consent given", moment(enrollment.consented_at)),
            Fact("First active", moment(enrollment.activated_at)),
            Fact("Last change", moment(enrollment.updated_at)),
        ]
        return [fact for fact in facts if fact.value]

    @admin.display(description="Customer", ordering="customer__last_name")
    def customer_link(self, enrollment: Enrollment) -> SafeString:
        """To their page."""
        return link(enrollment.customer, name_of(enrollment.customer))

    @admin.display(description="State", ordering="status")
    def state(self, enrollment: Enrollment) -> SafeString:
        """In its colour."""
        status = Status(enrollment.status)
        return badge(COLOURS.get(status, "closed"), status.label)

    @admin.display(description="Joined", ordering="activated_at")
    def joined(self, enrollment: Enrollment) -> SafeString | str:
        """The first time."""
        return when(enrollment.activated_at or enrollment.created_at)
