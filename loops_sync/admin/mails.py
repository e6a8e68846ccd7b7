"""The mails: what waits, what was sent with which words, what was given up; retry, and a second one by hand."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from loops_sync import selectors, services, tasks
from loops_sync.contacts import mail_variables
from loops_sync.models import TransactionalMail
from notifications.admin import ReadOnlyAdmin, Tab, badge, staff_page, when

CHANGE_MAIL = "loops_sync.change_transactionalmail"
FOLDER = "admin/loops_sync/transactionalmail"
STATUSES = {"pending": "Waiting", "processing": "Sending", "done": "Done", "dead": "Not sent"}


@admin.register(TransactionalMail)
class TransactionalMailAdmin(ReadOnlyAdmin):
    """Planned by receivers, sent by workers; staff only revive and repeat."""

    list_display = ("what", "contact_link", "status_badge", "attempts", "error", "written", "sent")
    list_filter = ("status", "kind", "outcome")
    list_select_related = ("contact",)
    search_fields = ("contact__email", "reference_id")
    search_help_text = "Addresses, or the id of a nomination or vote."
    fields = ("what", "contact_link", "status_badge", "template_id", "reference", "attempts", "last_error", "written")
    actions = ("retry_selected",)
    empty_text = "A mail appears here with the first vote, nomination or approval, once its template is set."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and ours."""
        view = self.admin_site.admin_view(self.resend)
        return [path("<uuid:pk>/resend/", view, name="loops_sync_transactionalmail_resend"), *super().get_urls()]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """For the action."""
        return request.user.has_perm(CHANGE_MAIL)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        counts, chosen = selectors.mail_counts(), request.GET.get("status__exact")
        tabs = [Tab(label, f"?status__exact={name}", counts[name], chosen == name) for name, label in STATUSES.items()]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def resend(self, request: HttpRequest, pk: str) -> HttpResponse:
        """A second mail, with what would stand in it."""
        mail = get_object_or_404(TransactionalMail.objects.select_related("contact"), pk=pk)

        def act() -> str:
            again = services.resend_mail(mail)
            transaction.on_commit(lambda: tasks.queue_mail(again.pk), robust=True)
            return f"A second mail goes to {again.contact}, under the key {again.pk}."

        return staff_page(
            self,
            request,
            permission=CHANGE_MAIL,
            title=f"Send again: {mail}",
            template=f"{FOLDER}/resend.html",
            act=act,
            then=reverse("admin:loops_sync_transactionalmail_change", args=[pk]),
            about=mail,
            context=lambda: {"button": "Send a second mail", **preview(mail)},
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With what was said, or would be."""
        mail = kwargs["obj"]
        variables, is_said = mail.data_variables or variables_now(mail), bool(mail.data_variables)
        context |= {
            "title": str(mail),
            "subtitle": None,
            "variables": variables.items(),
            "is_said": is_said,
            "may_resend": request.user.has_perm(CHANGE_MAIL) and mail.status not in ("pending", "processing"),
            "resends": mail.resends.all(),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Retry selected", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, chosen: QuerySet[TransactionalMail]) -> None:
        """At once: they only wait again, under the same key."""
        with transaction.atomic():
            rows = list(chosen.filter(status__in=["dead", "pending"]).select_related("contact"))
            ids = services.retry_mails(chosen)
            if rows and request.user.pk:
                LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, "Retried.")
            transaction.on_commit(lambda: tasks.queue_mails(ids), robust=True)
        messages.success(request, f"{len(ids)} mail{'' if len(ids) == 1 else 's'} wait again.")

    @admin.display(description="Mail", ordering="kind")
    def what(self, mail: TransactionalMail) -> str:
        """What it says, and whether it is a second one."""
        return mail.get_kind_display() + (" (sent again by hand)" if mail.resend_of_id else "")

    @admin.display(description="To", ordering="contact__email")
    def contact_link(self, mail: TransactionalMail) -> SafeString:
        """A link to the contact's page."""
        url = reverse("admin:loops_sync_contact_change", args=[mail.contact_id])
        return format_html('<a href="{}">{}</a>', url, mail.contact.email)

    @admin.display(description="Status", ordering="status")
    def status_badge(self, mail: TransactionalMail) -> SafeString:
        """In its colour."""
        return status_badge(mail)

    @admin.display(description="Last error")
    def error(self, mail: TransactionalMail) -> str:
        """Its beginning."""
        return str(Truncator(mail.last_error).chars(80)) or "–"

    @admin.display(description="Written", ordering="created_at")
    def written(self, mail: TransactionalMail) -> SafeString | str:
        """When the fact came true."""
        return when(mail.created_at)

    @admin.display(description="Sent", ordering="finished_at")
    def sent(self, mail: TransactionalMail) -> SafeString | str:
        """When Loops took it."""
        return when(mail.sent_at)

    @admin.display(description="Because of")
    def reference(self, mail: TransactionalMail) -> SafeString:
        """The nomination or vote."""
        model = "vote" if mail.kind == TransactionalMail.Kind.VOTE else "nomination"
        try:
            url = reverse(f"admin:nominations_{model}_change", args=[mail.reference_id])
        except NoReverseMatch:
            return format_html("{} {}", model, mail.reference_id)
        return format_html('<a href="{}">{} {}</a>', url, model, mail.reference_id)


def status_badge(mail: TransactionalMail) -> SafeString:
    """Sent and discarded are both done, and quite different."""
    if mail.outcome == TransactionalMail.Outcome.DISCARDED:
        return badge("closed", "Discarded")
    return badge(mail.status, "Sent" if mail.status == "done" else STATUSES[mail.status])


def variables_now(mail: TransactionalMail) -> dict[str, Any]:
    """What would stand in the mail now; nothing when there is nothing to tell any more."""
    subject = selectors.subject_of(mail)
    return mail_variables(mail.kind, subject) if subject else {}


def preview(mail: TransactionalMail) -> dict[str, Any]:
    """What a second mail would be, for the page that asks whether to send it."""
    again = services.prepared_resend(mail)
    reason = services.reason_not_to_send(again, selectors.subject_of(mail))
    lines = [f"{again.contact} gets a second mail, from the template {again.template_id}."]
    if mail.outcome == TransactionalMail.Outcome.SENT:
        lines.append(f"The first was sent on {mail.finished_at:%d %b %Y, %H:%M} UTC.")
    lines.append("It gets an idempotency key of its own, so that Loops does not take it for the first one.")
    return {
        "consequences": [f"It cannot be sent: {reason}"] if reason else lines,
        "variables": variables_now(mail).items(),
    }
