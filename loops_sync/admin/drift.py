"""What Loops was found to hold otherwise than it should, with both values, and a way to mend it."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from loops_sync import services, tasks
from loops_sync.models import AccountSetup, Drift, DriftQuerySet, RemoteCheck
from notifications.admin import ReadOnlyAdmin, Tab, badge, posted, require, staff_page, when

VIEW_CONTACT, CHANGE_CONTACT = "loops_sync.view_contact", "loops_sync.change_contact"
LIST = "admin:loops_sync_drift_changelist"
SHOWN_CHECKS, SHOWN_PROPERTIES = 5, 4
LABELS = {"ok": "All right", "drift": "Differences", "unknown": "Not finished", "broken": "Key refused"}
BADGES = {"ok": "done", "drift": "failed", "unknown": "pending", "broken": "dead"}


class ChosenForm(forms.Form):
    """Which ones."""

    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        """Back from one field to a list."""
        field = forms.IntegerField(min_value=1)
        return [int(field.clean(text) or 0) for text in self.cleaned_data["ids"].split(",")]


@dataclass(frozen=True)
class Difference:
    """One property, as it should be and as it is."""

    name: str
    ours: str
    theirs: str


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    """Written by looks at Loops; staff only send again."""

    list_display = ("contact_link", "values", "found", "state_badge", "mend")
    list_display_links = None
    list_select_related = ("contact",)
    search_fields = ("contact__email",)
    search_help_text = "Addresses."
    fields = ("contact_link", "found", "state_badge")
    actions = ("send_selected",)
    empty_text = "Every night a sample of what Loops holds is compared with what it should. Nothing differed so far."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and ours."""
        wrap = self.admin_site.admin_view
        return [
            path("send/", wrap(self.send_chosen), name="loops_sync_drift_send_chosen"),
            path("<int:pk>/send/", wrap(self.send_again), name="loops_sync_drift_send"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As contacts."""
        return request.user.has_perm(VIEW_CONTACT)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As contacts."""
        return request.user.has_perm(VIEW_CONTACT)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """For the action and the buttons."""
        return request.user.has_perm(CHANGE_CONTACT)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The button for whoever may press it."""
        return self.list_display if self.has_send_permission(request) else self.list_display[:-1]

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """What is to be mended, and all there was."""
        chosen = request.GET.get("mended_at__isnull")
        return [
            Tab("All", "?", Drift.objects.count(), chosen is None),
            Tab("To mend", "?mended_at__isnull=True", Drift.objects.open().count(), chosen == "True"),
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The tabs'."""
        return lookup == "mended_at__isnull" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list, under the last looks."""
        checks = [(check, self.check_badge(check)) for check in RemoteCheck.objects.all()[:SHOWN_CHECKS]]
        extra = {"checks": checks, "setup": AccountSetup.objects.filter(pk=1).first(), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With both values of each property."""
        drift = kwargs["obj"]
        context |= {
            "title": str(drift.contact),
            "subtitle": None,
            "differences": differences_of(drift),
            "may_send": drift.mended_at is None and self.has_send_permission(request),
            "state": self.state_badge(drift),
            "found": self.found(drift),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def send_again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Tell Loops everything of the contact anew."""
        drift = get_object_or_404(Drift.objects.select_related("contact"), pk=pk)
        return self._send_page(request, Drift.objects.filter(pk=pk), f"Send {drift.contact} again", about=drift)

    def send_chosen(self, request: HttpRequest) -> HttpResponse:
        """What the button of the action's page does."""
        require(request, CHANGE_CONTACT)
        form = ChosenForm(posted(request))
        ids = form.cleaned_data["ids"] if form.is_valid() else []
        return self._send_page(request, Drift.objects.filter(pk__in=ids), "Send again", form=form)

    @admin.action(description="Send again", permissions=["send"])
    def send_selected(self, request: HttpRequest, chosen: QuerySet[Drift]) -> HttpResponse:
        """Shows what will happen; the page's button does it."""
        ids = [str(pk) for pk in chosen.values_list("pk", flat=True)]
        title = f"Send {len(ids)} {'contact' if len(ids) == 1 else 'contacts'} again"
        form = ChosenForm(initial={"ids": ",".join(ids)})
        return self._send_page(request, Drift.objects.filter(pk__in=ids), title, form=form)

    def _send_page(
        self,
        request: HttpRequest,
        chosen: DriftQuerySet,
        title: str,
        *,
        about: Drift | None = None,
        form: ChosenForm | None = None,
    ) -> HttpResponse:
        rows = list(chosen.open().select_related("contact"))
        return staff_page(
            self,
            request,
            permission=CHANGE_CONTACT,
            title=title,
            template="admin/loops_sync/drift/send.html",
            form=form,
            act=lambda: resend(request, chosen, rows),
            then=reverse(LIST),
            about=about,
            context=lambda: {
                "button": "Send again",
                "action_url": reverse("admin:loops_sync_drift_send_chosen") if form else "",
                "consequences": _consequences(rows),
                "rows": rows,
            },
        )

    @admin.display(description="Contact", ordering="contact__email")
    def contact_link(self, drift: Drift) -> SafeString:
        """A link to the finding's page."""
        url = reverse("admin:loops_sync_drift_change", args=[drift.pk])
        return format_html('<a href="{}">{}</a>', url, drift.contact.email)

    @admin.display(description="Ours → at Loops")
    def values(self, drift: Drift) -> SafeString | str:
        """The first properties, both values side by side."""
        if drift.is_missing:
            return "Loops has no such contact"
        rows = differences_of(drift)
        shown = format_html_join(
            "",
            "<div>{}: <ins>{}</ins> → <del>{}</del></div>",
            ((row.name, row.ours or "–", row.theirs or "–") for row in rows[:SHOWN_PROPERTIES]),
        )
        more = len(rows) - SHOWN_PROPERTIES
        return format_html("{}<div>and {} more</div>", shown, more) if more > 0 else shown

    @admin.display(description="Found", ordering="found_at")
    def found(self, drift: Drift) -> SafeString | str:
        """When."""
        return when(drift.found_at)

    @admin.display(description="State", ordering="mended_at")
    def state_badge(self, drift: Drift) -> SafeString:
        """In its colour."""
        return badge("done", "Mended") if drift.mended_at else badge("failed", "To mend")

    @admin.display(description="")
    def mend(self, drift: Drift) -> SafeString | str:
        """The button, while there is something to mend."""
        if drift.mended_at:
            return ""
        url = reverse("admin:loops_sync_drift_send", args=[drift.pk])
        return format_html('<a class="button" href="{}">Send again</a>', url)

    def check_badge(self, check: RemoteCheck) -> SafeString:
        """In its colour."""
        return badge(BADGES[check.state], LABELS[check.state])


def resend(request: HttpRequest, chosen: DriftQuerySet, rows: list[Drift]) -> str:
    """Void, queue on commit, and log: what to tell the user."""
    contact_ids = services.resend_drifted(chosen)
    transaction.on_commit(lambda: tasks.queue_sync(contact_ids), robust=True)
    if request.user.pk and len(rows) > 1:
        LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, "Sent again.")
    left = len(rows) - len(contact_ids)
    busy = f" {left} left out: they are being told something, or were deleted at Loops." if left else ""
    return (
        f"{len(contact_ids)} {'contact is' if len(contact_ids) == 1 else 'contacts are'} told everything anew.{busy}"
    )


def differences_of(drift: Drift) -> list[Difference]:
    """Both values as text."""
    return [Difference(row["property"], _text(row["ours"]), _text(row["theirs"])) for row in drift.differences]


def _consequences(rows: list[Drift]) -> list[str]:
    lines = ["Loops is told all properties anew, whatever it accepted before. What it holds besides is emptied."]
    missing = sum(row.is_missing for row in rows)
    if missing:
        noun = "contact" if missing == 1 else "contacts"
        lines.append(
            f"Loops has no such contact in {missing} of these: the {noun} would be made anew, and subscribed. "
            "If they were deleted on purpose, do not send them."
        )
    return lines


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
