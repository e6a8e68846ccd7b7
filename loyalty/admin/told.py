"""Who was told what, for reading; a mail that did not go can be sent again."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from crm.admin.filters import BusinessFilter, OwnFilter
from loyalty.admin.facts import Button, Fact, address, moment, page_url
from loyalty.admin.recipients import ToldAdmin, TypeFilter, in_words
from notifications import services, tasks
from notifications.admin import Tab, badge, staff_page, when
from notifications.models import Notification
from notifications.selectors import MOST_ATTEMPTS, mails_failed

# Whoever may correct a customer's address may send to it.
MAIL_AGAIN = "loyalty.change_customer"


class ReadFilter(OwnFilter):
    """Whether somebody has opened it."""

    title = parameter_name = "read"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Both."""
        return [("yes", "Read"), ("no", "Unread")]

    def condition(self, wanted: str) -> Q:
        """Opened or not."""
        return Q(read_at__isnull=wanted == "no")


class MailFilter(OwnFilter):
    """What became of the mail."""

    title = parameter_name = "mail"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """As the list shows them."""
        return [("sent", "Sent"), ("waiting", "Waiting"), ("failed", "Failed"), ("none", "No mail")]

    def condition(self, wanted: str) -> Q:
        """In that state."""
        waits = Q(mailed_at=None) & ~Q(email="")
        failed = ~Q(mail_error="") | Q(mail_attempts__gte=MOST_ATTEMPTS)
        return {
            "sent": Q(mailed_at__isnull=False),
            "waiting": waits & ~failed,
            "failed": waits & failed,
            "none": Q(email=""),
        }[wanted]


@admin.register(Notification)
class NotificationAdmin(ToldAdmin):
    """One fact each, told to one customer or business."""

    list_display = ("moment", "title", "kind_of", "customer_name", "business_name", "read", "mail")
    list_display_links = ("title",)
    list_filter = (TypeFilter, ReadFilter, MailFilter, BusinessFilter)
    list_select_related = ("request",)
    search_fields = ("title", "message")
    search_help_text = "Words of the text, names of customers and businesses, phones."
    empty_text = "A row appears here whenever a customer or a business is told something."
    actions = ("mail_selected_again",)

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the button's."""
        view = self.admin_site.admin_view(self.mail_again)
        return [path("<uuid:id>/mail/", view, name="notifications_notification_mail"), *super().get_urls()]

    def has_mail_permission(self, request: HttpRequest) -> bool:
        """For the action and the button."""
        return self.sees_all(request) and request.user.has_perm(MAIL_AGAIN)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """What nobody has opened, and what did not arrive."""
        failed = Count("pk", filter=Q(pk__in=mails_failed().values("pk")))
        rows = self.get_queryset(request).order_by()
        counts = rows.aggregate(all=Count("pk"), unread=Count("pk", filter=Q(read_at=None)), failed=failed)
        read, mail = request.GET.get("read"), request.GET.get("mail")
        return [
            Tab("All", "?", counts["all"], not (read or mail)),
            Tab("Unread", "?read=no", counts["unread"], read == "no"),
            Tab("Mail failed", "?mail=failed", counts["failed"], mail == "failed"),
        ]

    def facts(self, request: HttpRequest, row: Any) -> list[Fact]:
        """What was told, to whom, and what became of it."""
        question = getattr(row, "request", None)
        facts = [
            Fact("Type", self.kind_of(row)),
            *self.people_facts(request, row),
            Fact("Title", row.title),
            Fact("Message", row.message),
            Fact("When", moment(row.created_at)),
            Fact("Read", moment(row.read_at)),
            Fact("Question", capfirst(question.status), page_url(question)) if question else Fact("Question", ""),
            Fact("Mail", self.mail(row)),
            Fact("Mail to", row.email if self.sees_all(request) else ""),
            Fact("Mail sent", moment(row.mailed_at) if row.mailed_at else ""),
            Fact("Attempts", row.mail_attempts if row.email else ""),
            Fact("Last error", row.mail_error),
        ]
        return [fact for fact in facts if fact.value]

    def page(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """The button, where a mail did not go."""
        can_mail = state_of_mail(row) == "failed" and self.has_mail_permission(request)
        url = address("notifications_notification_mail", row.pk)
        return {"buttons": [Button("Send again", url, "primary")] if can_mail else []}

    def mail_again(self, request: HttpRequest, id: UUID) -> HttpResponse:
        """Shows to whom it goes, and lets it go."""
        row = self.get_object(request, str(id))
        if not row.email:
            raise Http404("Not found.")

        def act() -> str:
            services.retry_mail(row, to=address_now(row))
            transaction.on_commit(lambda: tasks.queue_mail(row.pk), robust=True)
            return "The mail goes again in a moment."

        consequences = [f"A worker sends it to {address_now(row)}, with a fresh count of attempts."]
        return staff_page(
            self,
            request,
            permission=MAIL_AGAIN,
            title="Send the mail again",
            act=act,
            then=reverse("admin:notifications_notification_change", args=[row.pk]),
            about=row,
            context=lambda: {"button": "Send again", "consequences": consequences},
        )

    @admin.action(description="Send failed mails again", permissions=["mail"])
    def mail_selected_again(self, request: HttpRequest, chosen: QuerySet[Notification]) -> None:
        """Those of the selection that failed, at once: they only wait again."""
        rows = list(mails_failed().filter(pk__in=chosen.values("pk")))
        self.add_names(request, rows)
        sent = []
        with transaction.atomic():
            for row in rows:
                try:
                    services.retry_mail(row, to=address_now(row))
                except ValidationError:  # somebody, or a worker, was faster
                    continue
                sent.append(row)
            if sent and request.user.pk:
                LogEntry.objects.log_actions(request.user.pk, sent, CHANGE, "The mail goes again.")
            transaction.on_commit(tasks.queue_mails, robust=True)
        messages.success(request, f"{len(sent)} {'mail goes' if len(sent) == 1 else 'mails go'} again in a moment.")

    @admin.display(description="Type", ordering="type")
    def kind_of(self, row: Notification) -> str:
        """In words."""
        return in_words(row.type)

    @admin.display(description="Read", ordering="read_at")
    def read(self, row: Notification) -> SafeString | str:
        """When, or that it was not."""
        return when(row.read_at) if row.read_at else badge("waiting", "Unread")

    @admin.display(description="Mail")
    def mail(self, row: Notification) -> SafeString | str:
        """In its colour, where there is one."""
        state = state_of_mail(row)
        return badge(state) if state else "–"


def address_now(row: Any) -> str:
    """The customer's, which may have been corrected since."""
    return str((row.customer and row.customer.email) or row.email)


def state_of_mail(row: Notification) -> str:
    """`sent`, `waiting`, `failed`, or nothing."""
    if not row.email:
        return ""
    if row.mailed_at:
        return "sent"
    return "failed" if row.mail_error or row.mail_attempts >= MOST_ATTEMPTS else "waiting"
