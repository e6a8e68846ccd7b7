"""One person at Loops: what it accepted last, what it would be told now, and the history."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from loops_sync import selectors, services, tasks
from loops_sync.contacts import Properties, body_of, properties_of, without_lists
from loops_sync.models import Contact, OutboxEntry
from notifications.admin import ReadOnlyAdmin, badge, staff_page, when

CHANGE_CONTACT = "loops_sync.change_contact"
EVENT = "resync"
SHOWN = 50


@dataclass(frozen=True)
class Property:
    """What Loops holds of a contact under one name, and what it would hold."""

    name: str
    held: str
    now: str

    @property
    def differs(self) -> bool:
        """Whether a delivery would change it."""
        return self.held != self.now


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    """By address."""

    list_display = ("email", "state_badge", "consent", "group", "synced", "last_error")
    list_filter = (
        "subscription",
        *((name, admin.EmptyFieldListFilter) for name in ("deleted_at", "bounced_at", "synced_at", "last_error")),
    )
    search_fields = ("email",)
    search_help_text = "Addresses."
    fields = ("email",)
    empty_text = "A contact appears here with the first nomination or vote of an address."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and ours."""
        view = self.admin_site.admin_view(self.sync_now)
        return [path("<uuid:pk>/sync/", view, name="loops_sync_contact_sync"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        """With how many entries wait and were given up."""
        dead = Count("entries", filter=Q(entries__status=OutboxEntry.Status.DEAD))
        waiting = Count("entries", filter=Q(entries__status__in=["pending", "processing"]))
        return Contact.objects.annotate(dead_count=dead, open_count=waiting)

    def sync_now(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Compare with Loops' last word now, and tell it what differs."""
        contact = get_object_or_404(Contact, pk=pk)

        def act() -> str:
            contact_ids = services.record_change(EVENT, [contact.email], reference=contact)
            transaction.on_commit(lambda: tasks.queue_sync(contact_ids), robust=True)
            return f"{contact} is synced in a moment."

        body = request_body(contact)
        sent = f"Loops is told {len(body)} properties." if body else "Loops holds all this already: nothing is sent."
        if contact.is_gone:
            sent = "This contact was deleted at Loops and is not made anew: nothing is sent."
        return staff_page(
            self,
            request,
            permission=CHANGE_CONTACT,
            title=f"Sync {contact} now",
            act=act,
            then=reverse("admin:loops_sync_contact_change", args=[pk]),
            about=contact,
            context=lambda: {"button": "Sync now", "consequences": [sent]},
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the comparison and the history."""
        contact = kwargs["obj"]
        body = request_body(contact)
        context |= {
            "title": contact.email,
            "subtitle": None,
            "properties": compared(contact),
            "body": json.dumps(body, indent=2, ensure_ascii=False) if body else "",
            "entries": contact.entries.order_by("-id")[:SHOWN],
            "attempts": contact.sync_attempts.all()[:SHOWN],
            "events": contact.events.all()[:SHOWN],
            "mails": contact.mails.all()[:SHOWN],
            "may_sync": request.user.has_perm(CHANGE_CONTACT),
            "is_unknown": contact.accepted is None,
            "state": self.state_badge(contact),
            "consent": self.consent(contact),
            "synced": self.synced(contact),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="State")
    def state_badge(self, contact: Any) -> SafeString:
        """Trouble first."""
        if contact.is_gone:
            return badge("closed", "Deleted at Loops")
        if contact.dead_count:
            return badge("dead", "Not delivered")
        if contact.open_count:
            return badge("pending", "Waiting")
        return badge("done", "In Loops") if contact.synced_at else badge("closed", "Not in Loops")

    @admin.display(description="Subscription", ordering="subscription")
    def consent(self, contact: Contact) -> SafeString | str:
        """As Loops told it; a bounce before it, because nothing arrives then."""
        if contact.bounced_at:
            return badge("failed", "Bounced")
        if contact.is_unsubscribed:
            return badge("closed", "Unsubscribed")
        return badge("done", "Subscribed") if contact.subscription == Contact.Subscription.SUBSCRIBED else "–"

    @admin.display(description="Group")
    def group(self, contact: Contact) -> str:
        """As Loops last accepted it."""
        return str((contact.accepted or {}).get("userGroup", "–"))

    @admin.display(description="Last accepted", ordering="synced_at")
    def synced(self, contact: Contact) -> SafeString | str:
        """When Loops accepted something."""
        return when(contact.synced_at)


def properties_now(contact: Contact) -> Properties:
    """What Loops is to hold of the contact, from all apps as they are now."""
    person = selectors.people([contact.email])[contact.email]
    return properties_of(person, user_id=str(contact.pk))


def request_body(contact: Contact) -> Properties:
    """What a delivery would send now, or nothing when Loops holds it already."""
    properties = properties_now(contact)
    if contact.is_as(properties):
        return {}
    body = body_of(properties, contact.accepted, first_time=contact.synced_at is None)
    return without_lists(body) if contact.is_unsubscribed else body


def compared(contact: Contact) -> list[Property]:
    """Last accepted beside now, by name."""
    held, now = contact.accepted or {}, properties_now(contact)
    return [Property(name, _text(held.get(name)), _text(now.get(name))) for name in [*now, *(set(held) - set(now))]]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
