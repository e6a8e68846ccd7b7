"""What customers were asked, and what they said, for reading."""

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.utils.safestring import SafeString

from crm.admin.filters import BusinessFilter
from loyalty.admin.facts import Fact, moment, page_url
from loyalty.admin.recipients import ToldAdmin, TypeFilter, in_words
from notifications.admin import Tab, badge, when
from notifications.models import ApprovalRequest

Status = ApprovalRequest.Status
COLOURS = {Status.PENDING: "pending", Status.ACCEPTED: "approved", Status.DECLINED: "rejected"}


class KindFilter(TypeFilter):
    """By what was asked."""

    title = parameter_name = "kind"


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ToldAdmin):
    """What customers were asked, and what they said."""

    list_display = ("moment", "kind_of", "customer_name", "business_name", "state", "until", "closed")
    list_display_links = ("kind_of",)
    list_filter = (KindFilter, "status", BusinessFilter)
    list_select_related = ("notification",)
    search_fields = ("notification__title",)
    search_help_text = "Words of the question, names of customers and businesses, phones."
    empty_text = "A row appears here when a business asks a customer to join, or to give points back."

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        rows = self.get_queryset(request).order_by().values_list("status")
        counts, chosen = dict(rows.annotate(count=Count("pk"))), request.GET.get("status__exact")
        tabs = [
            Tab(status.label, f"?status__exact={status}", counts.get(status, 0), chosen == status) for status in Status
        ]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def facts(self, request: HttpRequest, row: Any) -> list[Fact]:
        """What was asked, of whom, and the answer."""
        told = row.notification
        facts = [
            Fact("State", self.state(row)),
            Fact("About", self.kind_of(row)),
            *self.people_facts(request, row),
            Fact("Question", told.title, page_url(told) if self.sees_all(request) else ""),
            Fact("In detail", told.message),
            Fact("Asked", moment(row.created_at)),
            Fact("Answered, or closed", moment(row.closed_at) if row.closed_at else ""),
            Fact("Open until", moment(row.expires_at)),
        ]
        return [fact for fact in facts if fact.value]

    @admin.display(description="About", ordering="kind")
    def kind_of(self, row: ApprovalRequest) -> str:
        """In words."""
        return in_words(row.kind)

    @admin.display(description="State", ordering="status")
    def state(self, row: ApprovalRequest) -> SafeString:
        """In its colour."""
        status = Status(row.status)
        return badge(COLOURS.get(status, "closed"), status.label)

    @admin.display(description="Open until", ordering="expires_at")
    def until(self, row: ApprovalRequest) -> SafeString | str:
        """The end of the time to answer."""
        return when(row.expires_at)

    @admin.display(description="Closed", ordering="closed_at")
    def closed(self, row: ApprovalRequest) -> SafeString | str:
        """By an answer or by time."""
        return when(row.closed_at)
