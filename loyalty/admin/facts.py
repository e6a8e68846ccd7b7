"""What the read-only pages of the points section are made of: facts in words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.admin import TenantAdmin
from crm.models import Membership, User
from crm.selectors import may_act
from loyalty.admin.desk import phone_for_display
from loyalty.models import Customer, LoyaltyCard, PointsTransaction, Program
from loyalty.models.rules import discount_for
from loyalty.selectors import money, points_in_words
from notifications.admin import ReadOnlyAdmin, badge

Operation = PointsTransaction.Operation
# The skin's colours: what brings points, what takes them, what corrects them.
COLOURS = {
    Operation.EARN: "approved",
    Operation.WELCOME: "approved",
    Operation.REDEEM: "processing",
    Operation.ADJUST: "pending",
    Operation.REVERSE: "rejected",
    Operation.EXPIRE: "closed",
}


@dataclass(frozen=True)
class Fact:
    """A line of a description."""

    label: str
    value: object
    url: str = ""


@dataclass(frozen=True)
class Button:
    """A way on from a page. `look` is `primary`, `quiet` or empty."""

    label: str
    url: str
    look: str = ""


class NarrowPaginator(Paginator):  # type: ignore[type-arg]
    """Sorts rows by themselves, and joins what belongs to them to those of one page only."""

    def page(self, number: Any) -> Any:
        """In one query: the page is a subquery of the joins."""
        number, rows = self.validate_number(number), cast(QuerySet[Any], self.object_list)
        first = (number - 1) * self.per_page
        chosen = rows.values("pk")[first : first + self.per_page]
        found = rows.model._default_manager.filter(pk__in=chosen).order_by(*rows.query.order_by)
        found.query.select_related = rows.query.select_related
        return Page(found, number, self)


class FactsAdmin(ReadOnlyAdmin, TenantAdmin):
    """A list that only services write, whose rows are told in words. Members see their own business's."""

    change_form_template = "admin/loyalty/facts.html"
    fields = ("created_at",)
    paginator = NarrowPaginator
    program_path = ""

    class Media:
        css = {"all": ("loyalty/points.css",)}

    def facts(self, request: HttpRequest, row: Any) -> list[Fact]:
        """What the row's page says of it."""
        raise NotImplementedError

    def page(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What else the row's page needs."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the facts in the place of a form."""
        row = kwargs["obj"]
        context |= {"title": str(row), "subtitle": None, "facts": self.facts(request, row), **self.page(request, row)}
        return super().render_change_form(request, context, *args, **kwargs)


def page_url(row: Model) -> str:
    """The address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(row: Model, text: str = "") -> SafeString:
    """To a row's page."""
    return format_html('<a href="{}">{}</a>', page_url(row), text or str(row))


def till_buttons(request: HttpRequest, card: LoyaltyCard) -> list[Button]:
    """The ways to the till with this card, for those who work there."""
    till = Button("Redeem points", address("loyalty_redeem", card=card.card_number), "primary")
    award = Button("Award points", address("loyalty_award", card=card.card_number))
    adjust = Button("Adjust", address("loyalty_adjust", card=card.card_number))
    found = [till, award] if may_serve(request, card) else []
    return [button for button in [*found, *([adjust] if may_correct(request, card) else [])] if button.url]


def may_serve(request: HttpRequest, card: LoyaltyCard) -> bool:
    """A till's work."""
    business = card.enrollment.program.business
    return may_act(cast(User, request.user), business, Membership.Role.CASHIER, permission="loyalty.redeem_points")


def may_correct(request: HttpRequest, card: LoyaltyCard) -> bool:
    """A manager's work."""
    business = card.enrollment.program.business
    return may_act(cast(User, request.user), business, Membership.Role.MANAGER, permission="loyalty.adjust_points")


def address(name: str, *args: object, **query: object) -> str:
    """Of a page of the admin, or nothing where there is none."""
    try:
        found = reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""
    return f"{found}?{urlencode(query)}" if query else found


def operation_badge(row: PointsTransaction) -> SafeString:
    """In its colour."""
    operation = Operation(row.operation_type)
    return badge(COLOURS[operation], operation.label)


def name_of(customer: Customer) -> str:
    """Of whoever has given none, the phone."""
    return customer.name or phone_for_display(customer.phone)


def signed(points: int) -> SafeString:
    """`+25`, `−25`, as the eye tells them apart."""
    look = "plus" if points > 0 else "minus"
    return format_html('<span class="points {}">{}</span>', look, f"{points:+,}".replace("-", "−"))


def number(points: int) -> SafeString:
    """`1,250`, in a column that lines up."""
    return format_html('<span class="points">{}</span>', f"{points:,}")


def moment(at: datetime | None) -> SafeString | str:
    """A moment in full."""
    if at is None:
        return "–"
    return format_html(
        '<time datetime="{}">{}</time>', at.isoformat(), f"{timezone.localtime(at):%-d %b %Y, %H:%M} UTC"
    )


def rule_in_words(rule: dict[str, Any], currency: str) -> list[str]:
    """The rules of a row's day."""
    amounts = {name: Decimal(rule[name]) for name in ("points_per_unit", "multiplier", "min_order", "point_value")}
    plain = {name: f"{amount.normalize():f}" for name, amount in amounts.items()}
    each = {
        Program.EarnRule.PER_AMOUNT: f"for each {money(Decimal(1), currency)}",
        Program.EarnRule.PER_VISIT: "for each visit",
        Program.EarnRule.FIXED: "for each order",
    }[rule["earn_rule"]]
    boost = "" if amounts["multiplier"] == 1 else f", × {plain['multiplier']} for the tier"
    least = f", from an order of {money(amounts['min_order'], currency)}" if amounts["min_order"] else ""
    days, hundred = rule["expiry_days"], money(discount_for(100, amounts["point_value"]), currency)
    return [
        f"{plain['points_per_unit']} {'point' if amounts['points_per_unit'] == 1 else 'points'} {each}{boost}{least}.",
        "Points never expire." if days is None else f"Points expire after {days:,} days.",
        f"Redeemed from {points_in_words(rule['redemption_minimum'])}, in steps of {rule['redemption_increment']:,}.",
        f"100 points are worth {hundred}, up to {rule['max_redeem_percent']} % of an order.",
    ]
