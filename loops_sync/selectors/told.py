"""What was told, or is to be told, about a nomination, a client or a vote."""

from typing import Any

from django.conf import settings
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)

from crm.models import Client
from loops_sync.models import Contact, OutboxEntry, TransactionalMail
from nominations.models import Nomination, Vote


def latest_entries(nomination: Nomination) -> dict[str, OutboxEntry]:
    """The newest entry of each contact that this nomination touched, by address, with the contact."""
    entries = OutboxEntry.objects.filter(reference_type="nomination", reference_id=str(nomination.pk))
    return {entry.contact.email: entry for entry in entries.select_related("contact").order_by("id")}


def subject_of(mail: TransactionalMail) -> Nomination | Vote | None:
    """The nomination or vote that a mail is about, as it is now, with everybody it names."""
    if mail.kind == TransactionalMail.Kind.VOTE:
        votes = Vote.objects.select_related("voter", "nominee", "category__group")
        return votes.filter(pk=mail.reference_id).first()
    nominations = Nomination.objects.select_related("nominator", "nominee", "category__group")
    return nominations.filter(pk=mail.reference_id).first()


def mails_of(nomination: Nomination) -> QuerySet[TransactionalMail]:
    """The mails about this nomination, oldest first."""
    rows = TransactionalMail.objects.filter(reference_id=str(nomination.pk)).exclude(kind="vote")
    return rows.select_related("contact").order_by("created_at", "id")


def mail_counts() -> dict[str, int]:
    """How many mails are in each status."""
    counts = dict.fromkeys(TransactionalMail.Status.values, 0)
    counts.update(TransactionalMail.objects.order_by().values_list("status").annotate(Count("id")))
    return counts


def delivery_by_email() -> dict[str, Any]:
    """Expressions over any table with an `email` and an `is_active`: what waits goes before what was given up."""
    contacts = Contact.objects.filter(email=OuterRef("email"))
    entries = OutboxEntry.objects.filter(contact__email=OuterRef("email"))
    said = Case(
        When(Exists(entries.open()), then=Value("pending")),
        When(Exists(entries.dead()), then=Value("failed")),
        When(Exists(contacts.filter(synced_at__isnull=False)), then=Value("synced")),
        # Nobody has to be told of one who never was active.
        When(is_active=False, then=Value("synced")),
        default=Value("pending"),
        output_field=CharField(),
    )
    return {
        "loops_status": said if settings.LOOPS_SYNC_ENABLED else Value("disabled", output_field=CharField()),
        "loops_synced_at": Subquery(contacts.values("synced_at")[:1]),
    }


def entries_about(client: Client, contact: Contact | None) -> QuerySet[OutboxEntry]:
    """What was to be told of a client, newest first: everything about the contact, if there is one, else only that."""
    rows = OutboxEntry.objects.order_by("-id")
    if contact is not None:
        return rows.filter(contact=contact)
    return rows.filter(reference_type="client", reference_id=str(client.pk))
