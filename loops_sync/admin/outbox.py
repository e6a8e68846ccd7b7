"""The outbox: what waits, what arrived, what was given up; retry and discard."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst

from loops_sync import selectors, services, tasks
from loops_sync.models import OutboxEntry
from notifications.admin import ReadOnlyAdmin, Tab, age_of, badge, posted, require, staff_page, when

CHANGE_OUTBOX = "loops_sync.change_outboxentry"
LIST = "admin:loops_sync_outboxentry_changelist"
STATUSES = {"pending": "Waiting", "processing": "Sending", "done": "Done", "dead": "Not delivered"}
LINES = {
    "ok": "Working",
    "unauthorized": "Key refused",
    "unreachable": "Out of reach",
    "disabled": "Switched off",
}


class DiscardForm(forms.Form):
    """Which, and why."""

    ids = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(max_length=400, widget=forms.Textarea(attrs={"rows": 3}))

    def clean_ids(self) -> list[int]:
        """Back from one field to a list."""
        field = forms.IntegerField(min_value=1)
        return [int(field.clean(text) or 0) for text in self.cleaned_data["ids"].split(",")]


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnlyAdmin):
    """Written by receivers, emptied by workers; staff only revive and give up."""

    list_display = ("event", "contact_link", "status_badge", "ended", "attempts", "error", "age")
    list_filter = ("status", "event_type", "outcome")
    list_select_related = ("contact",)
    search_fields = ("contact__email",)
    search_help_text = "Addresses of contacts."
    ordering = ("-id",)
    fields = (
        "event",
        "contact_link",
        "status_badge",
        "ended",
        "attempts",
        "last_error",
        "reference",
        "age",
        "finished_at",
    )
    actions = ("retry_selected", "discard_selected")
    empty_text = "An entry appears here whenever somebody changes whom Loops should know of."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and ours."""
        wrap = self.admin_site.admin_view
        return [
            path("retry/", wrap(self.retry_matching), name="loops_sync_outboxentry_retry"),
            path("discard/", wrap(self.discard), name="loops_sync_outboxentry_discard"),
            path("run/", wrap(self.run_now), name="loops_sync_outboxentry_run"),
            *super().get_urls(),
        ]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """For the actions."""
        return request.user.has_perm(CHANGE_OUTBOX)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list under the state of the line."""
        extra = {"line": line(), "may_retry": self.has_retry_permission(request), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        counts, chosen = selectors.outbox_counts(), request.GET.get("status__exact")
        tabs = [Tab(label, f"?status__exact={name}", counts[name], chosen == name) for name, label in STATUSES.items()]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def retry_matching(self, request: HttpRequest) -> HttpResponse:
        """Retry everything that the list shows under the filter and search of the address."""
        require(request, CHANGE_OUTBOX)
        try:
            matching = self.get_changelist_instance(request).get_queryset(request).order_by()
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse(LIST))
        count = revivable(matching).count()
        if not count:
            messages.info(request, "Nothing in this list can be retried: all of it is done, or being sent.")
            return HttpResponseRedirect(reverse(LIST))
        wait = "They wait again at once, with a fresh count of attempts, and a worker takes them in a moment."
        consequences = [wait, "What is done or being sent stays as it is."]
        return staff_page(
            self,
            request,
            permission=CHANGE_OUTBOX,
            title=f"Retry {entries(count)}",
            act=lambda: retry(request, matching),
            then=reverse(LIST),
            context=lambda: {"button": f"Retry {count}", "consequences": consequences},
        )

    def discard(self, request: HttpRequest) -> HttpResponse:
        """What the button of the action's page does."""
        require(request, CHANGE_OUTBOX)
        form = DiscardForm(posted(request))
        ids = form.cleaned_data["ids"] if form.is_valid() else []
        return self._discard_page(request, form, OutboxEntry.objects.filter(pk__in=ids))

    def _discard_page(self, request: HttpRequest, form: DiscardForm, chosen: QuerySet[OutboxEntry]) -> HttpResponse:
        rows = revivable(chosen).select_related("contact")
        count = rows.count()
        return staff_page(
            self,
            request,
            permission=CHANGE_OUTBOX,
            title=f"Discard {entries(count)}",
            template="admin/loops_sync/outboxentry/discard.html",
            form=form,
            act=lambda: discard(request, chosen, form.cleaned_data["reason"]),
            then=reverse(LIST),
            context=lambda: {
                "button": f"Discard {count}",
                "is_danger": True,
                "action_url": reverse("admin:loops_sync_outboxentry_discard"),
                "rows": rows[:100],
                "consequences": [
                    "Loops is not told of these changes. A later change of the same contact tells everything anew.",
                    "The reason stays with each entry.",
                ],
            },
        )

    def run_now(self, request: HttpRequest) -> HttpResponse:
        """Let a worker look through the whole outbox now."""
        relay = selectors.relay() if request.method == "POST" else None

        def act() -> str:
            transaction.on_commit(tasks.queue_sweep, robust=True)
            return "A worker looks through the outbox now."

        consequences = ["A worker takes everything that is due, oldest first. Contacts in their backoff keep it."]
        return staff_page(
            self,
            request,
            permission=CHANGE_OUTBOX,
            title="Run now",
            act=act,
            then=reverse(LIST),
            about=relay,
            context=lambda: {"button": "Run now", "consequences": consequences},
        )

    @admin.action(description="Retry selected", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, chosen: QuerySet[OutboxEntry]) -> None:
        """At once: they only wait again."""
        with transaction.atomic():
            message = retry(request, chosen)
        messages.success(request, message)

    @admin.action(description="Discard selected, with a reason", permissions=["retry"])
    def discard_selected(self, request: HttpRequest, chosen: QuerySet[OutboxEntry]) -> HttpResponse:
        """Shows what would happen, and asks why."""
        ids = ",".join(str(pk) for pk in chosen.values_list("pk", flat=True))
        return self._discard_page(request, DiscardForm(initial={"ids": ids}), chosen)

    @admin.display(description="Event", ordering="event_type")
    def event(self, entry: OutboxEntry) -> str:
        """What happened."""
        return capfirst(entry.event_type.replace("_", " "))

    @admin.display(description="Contact", ordering="contact__email")
    def contact_link(self, entry: OutboxEntry) -> SafeString:
        """A link to the contact's page."""
        url = reverse("admin:loops_sync_contact_change", args=[entry.contact_id])
        return format_html('<a href="{}">{}</a>', url, entry.contact.email)

    @admin.display(description="Status", ordering="status")
    def status_badge(self, entry: OutboxEntry) -> SafeString:
        """In its colour."""
        return badge(entry.status, STATUSES[entry.status])

    @admin.display(description="Outcome", ordering="outcome", empty_value="–")
    def ended(self, entry: OutboxEntry) -> str:
        """How it ended."""
        return entry.get_outcome_display() or "–"

    @admin.display(description="Last error")
    def error(self, entry: OutboxEntry) -> str:
        """Its beginning."""
        return str(Truncator(entry.last_error).chars(80)) or "–"

    @admin.display(description="Written", ordering="created_at")
    def age(self, entry: OutboxEntry) -> SafeString | str:
        """How long an open one waits; when it was written, for one that is finished."""
        if entry.finished_at is not None:
            return when(entry.created_at)
        return f"{age_of((timezone.now() - entry.created_at).total_seconds())} ago"

    @admin.display(description="Because of")
    def reference(self, entry: OutboxEntry) -> str:
        """The row that changed."""
        return f"{entry.reference_type} {entry.reference_id}".strip() or "–"


def revivable(chosen: QuerySet[OutboxEntry]) -> QuerySet[OutboxEntry]:
    """Those of the entries that can be retried or discarded."""
    return chosen.filter(status__in=[OutboxEntry.Status.DEAD, OutboxEntry.Status.PENDING])


def entries(count: int) -> str:
    """A count with its noun."""
    return f"{count} {'entry' if count == 1 else 'entries'}"


def retry(request: HttpRequest, chosen: QuerySet[OutboxEntry]) -> str:
    """Revive, log, and let workers go on commit: what to tell the user."""
    rows = list(revivable(chosen))
    contact_ids = services.retry_entries(chosen)
    _log(request, rows, "Retried.")
    transaction.on_commit(lambda: tasks.queue_sync(contact_ids), robust=True)
    return f"{entries(len(rows))} of {len(contact_ids)} contact{'' if len(contact_ids) == 1 else 's'} wait again."


def discard(request: HttpRequest, chosen: QuerySet[OutboxEntry], reason: str) -> str:
    """Give up, and log why: what to tell the user."""
    rows = list(revivable(chosen))
    count = services.discard_entries(chosen, reason=reason)
    _log(request, rows, f"Discarded: {reason}")
    return f"{entries(count)} discarded."


def _log(request: HttpRequest, rows: Sequence[OutboxEntry], message: str) -> None:
    if rows and request.user.pk:
        LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, message)


def line() -> dict[str, Any]:
    """The line to Loops, in staff's words."""
    status = selectors.relay_status()
    rate = status["success_rate_1h"]
    return {
        "name": status["connection"],
        "label": LINES[status["connection"]],
        "oldest": age_of(status["oldest_pending_seconds"]),
        "rate": "–" if rate is None else f"{rate:.0%}",
        "failures": status["consecutive_failures"],
        "worker": selectors.worker_is_alive(),
        "enabled": settings.LOOPS_SYNC_ENABLED,
        "error": selectors.relay().last_error if status["consecutive_failures"] else "",
    }
