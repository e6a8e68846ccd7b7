"""What is known of a person's contact, and how it is forgotten: Loops is told to delete it, then the address goes.

The rows of the outbox stay: they say that somebody changed, not who.
"""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import Client, User
from crm.services.erasing import Holding, Subject
from loops_sync import client, selectors
from loops_sync.contacts import is_left_alone
from loops_sync.models import Contact, Drift, OutboxEntry, SyncAttempt, TransactionalMail
from loops_sync.services.batches import Batch
from loops_sync.services.outbox import record_change
from loops_sync.services.telling import on_record
from nominations.models import Nomination, Nominator, Nominee, Vote, Voter
from nominations.selectors.merges import one_with

FORGOTTEN, AGAIN = "person_forgotten", "resync"
Status, Outcome = OutboxEntry.Status, OutboxEntry.Outcome
NOBODY: dict[str, Any] = {
    "email": None,
    "accepted": {},
    "synced_at": None,
    "in_doubt": False,
    "last_error": "",
    "failures": 0,
    "next_attempt_at": None,
    "subscription": Contact.Subscription.UNKNOWN,
    "subscription_at": None,
    "bounced_at": None,
}


def holdings(subject: Subject) -> list[Holding]:
    """The person's contact, what was sent and is to be sent, and the contacts at which their name stands."""
    clients = Client.objects.filter(subject.known_by())
    contacts = Contact.objects.filter(Q(email__in=subject.emails) | Q(borrowed_id__in=clients.values("pk")))
    nominees = one_with(Nominee.objects.filter(subject.known_by(), kind=Nominee.Kind.PERSON))
    readers = _readers(nominees).exclude(pk__in=contacts)
    facts = _facts(subject, nominees)
    mails = TransactionalMail.objects.filter(Q(contact__in=contacts) | Q(reference_id__in=facts))
    return [
        Holding(mails, "Without what stood in it; one that waits is not sent", _blank_mails),
        Holding(OutboxEntry.objects.filter(contact__in=contacts), "Stays, without Loops’ words", _close_entries),
        Holding(SyncAttempt.objects.filter(contact__in=contacts), "Stays, without Loops’ words", _blank_attempts),
        Holding(Drift.objects.filter(contact__in=[*contacts, *readers]), "Deleted", _delete, is_theirs=False),
        Holding(readers, "Told anew to Loops, without the name", _tell_anew, is_theirs=False),
        Holding(contacts, "Deleted at Loops; then the address goes here, too", forget_contacts),
    ]


def _readers(nominees: QuerySet[Nominee]) -> QuerySet[Contact]:
    nominators = Nominator.objects.filter(nominations__in=Nomination.objects.approved().filter(nominee__in=nominees))
    voters = Voter.objects.filter(votes__nominee__in=nominees, votes__state=Vote.State.COUNTED)
    return Contact.objects.filter(Q(email__in=nominators.values("email")) | Q(email__in=voters.values("email")))


def _facts(subject: Subject, nominees: QuerySet[Nominee]) -> list[str]:
    """Nominations and votes of the person, or about them: mails of both sides name them."""
    found = subject.known_by()
    theirs = Q(nominee__in=nominees) | Q(nominator__in=Nominator.objects.filter(found))
    votes = Q(nominee__in=nominees) | Q(voter__in=Voter.objects.filter(found))
    rows = [*Nomination.objects.filter(theirs).values_list("pk"), *Vote.objects.filter(votes).values_list("pk")]
    return [str(pk) for (pk,) in rows]


def _delete(rows: QuerySet[Any], by: User) -> None:
    rows.delete()


def _blank_mails(rows: QuerySet[Any], by: User) -> None:
    waiting = {"status": Status.DONE, "outcome": Outcome.DISCARDED, "finished_at": timezone.now()}
    rows.filter(status__in=[Status.PENDING, Status.DEAD]).update(**waiting)
    rows.update(data_variables={}, last_error="")


def _close_entries(rows: QuerySet[Any], by: User) -> None:
    """What waits is overtaken; what a worker has in hand ends by itself."""
    overtaken = {"status": Status.DONE, "outcome": Outcome.SUPERSEDED, "finished_at": timezone.now()}
    rows.filter(status__in=[Status.PENDING, Status.DEAD]).update(**overtaken)
    rows.update(last_error="")


def _blank_attempts(rows: QuerySet[Any], by: User) -> None:
    rows.update(error="")


def _tell_anew(rows: QuerySet[Any], by: User) -> None:
    """Whoever is spoken of at this moment is told again after it."""
    rows.free(timezone.now()).update(accepted=None)  # type: ignore[attr-defined]
    record_change(AGAIN, rows.values_list("email", flat=True))


def forget_contacts(rows: QuerySet[Any], by: User) -> None:
    """Have a worker delete them at Loops. Whoever Loops never heard of is nobody at once.

    One that still has a part here, under an address that only another row of the person had, is told anew instead.
    """
    now = timezone.now()
    contacts = list(rows.exclude(email=None).order_by("pk").select_for_update(no_key=True))
    people = selectors.people([contact.email for contact in contacts])
    for contact in contacts:
        if not is_left_alone(people[contact.email]):
            _tell_anew(Contact.objects.filter(pk=contact.pk), by)
            continue
        Contact.objects.filter(pk=contact.pk).update(forgotten_at=now, next_attempt_at=None, failures=0)
        never_told = contact.accepted == {} and not contact.in_doubt and contact.leased_until is None
        if contact.is_gone or (never_told and contact.synced_at is None):
            make_nobody(contact)
        else:
            record_change(FORGOTTEN, [contact.email])


def delete_at_loops(batch: Batch, contact: Contact) -> None:
    """Have Loops delete the contact, then let the address go, whoever holds the lease. Raises LoopsError, Stop."""
    email = contact.email
    on_record(batch, contact, lambda: client.delete_contact(email))
    with transaction.atomic():
        make_nobody(contact)
        # They may have come back meanwhile, by their own doing: that is a new contact.
        if not is_left_alone(selectors.people([email])[email]):
            record_change(AGAIN, [email])
    batch.speaking = None


def make_nobody(contact: Contact) -> None:
    """Only the row is left, with its id, by which Loops' own word of the deletion is known."""
    for name, value in NOBODY.items():
        setattr(contact, name, value)
    Contact.objects.filter(pk=contact.pk).update(**NOBODY, deleted_at=timezone.now())
    OutboxEntry.objects.filter(contact=contact).update(last_error="")
    SyncAttempt.objects.filter(contact=contact).update(error="")
    TransactionalMail.objects.filter(contact=contact).update(data_variables={}, last_error="")
    Drift.objects.filter(contact=contact).delete()
