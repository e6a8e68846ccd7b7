"""Mails to one person about one fact, sent by Loops from a template: planned with the fact, sent by the workers."""

import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from loops_sync import client, selectors
from loops_sync.contacts import MailSubject, mail_variables, recipient_of
from loops_sync.models import Contact, MailQuerySet, SyncAttempt, TransactionalMail
from loops_sync.services import relay
from loops_sync.services.batches import longest_turn
from loops_sync.services.delivery import DEAD_AFTER, DEAD_AFTER_ATTEMPTS, MOST_PAUSES, backoff_seconds
from loops_sync.services.pace import LONGEST_WAIT_SECONDS, Stop, pause_all, wait_for_slot
from nominations.models import Nomination, Nominee, Vote
from nominations.services import own_url

# Loops remembers an idempotency key for a day.
KEY_IS_GOOD_FOR = timedelta(hours=23)
TOO_LATE = "An answer was lost, and it is too late to ask Loops again without risking a second mail."
KEPT_DONE = timedelta(days=30)
Kind, Status, Outcome = TransactionalMail.Kind, TransactionalMail.Status, TransactionalMail.Outcome


@dataclass
class MailTally:
    """What a run did, in mails."""

    sent: int = 0
    discarded: int = 0
    retried: int = 0
    dead: int = 0
    stopped_by_clock: bool = False


def plan_mail(
    kind: TransactionalMail.Kind, email: str, *, reference: Nomination | Vote, fact: str = ""
) -> UUID | None:
    """Note in the caller's transaction that this fact is to be told by mail: the mail's id.

    None when the kind has no template, nobody has the address, or the fact was told before. `fact` is what makes it
    one, else the row.
    """
    template_id = settings.LOOPS_TRANSACTIONAL[kind]
    if not (template_id and email):
        return None
    mail = TransactionalMail(
        kind=kind, fact_key=f"{kind}:{fact or reference.pk}", template_id=template_id, reference_id=str(reference.pk)
    )
    with transaction.atomic():
        mail.contact = _contact(email)
        TransactionalMail.objects.bulk_create([mail], ignore_conflicts=True)
        return mail.pk if TransactionalMail.objects.filter(pk=mail.pk).exists() else None


def _contact(email: str) -> Contact:
    Contact.objects.bulk_create([Contact(email=email)], ignore_conflicts=True)
    return Contact.objects.get(email=email)


def send_mail(mail_id: UUID) -> MailTally:
    """Send one mail now, if it is due and nobody else does. Never raises for a foreign error."""
    tally = MailTally()
    if relay.is_open():
        _send_next(TransactionalMail.objects.filter(pk=mail_id), tally)
    return tally


def deliver_mails(*, seconds: float | None = None) -> MailTally:
    """Send every mail that is due, oldest first. They wait while syncing is off or the line is stopped."""
    tally = MailTally()
    ends_at = None if seconds is None else time.monotonic() + seconds
    pauses = 0
    while relay.is_open():
        if ends_at is not None and time.monotonic() >= ends_at:
            tally.stopped_by_clock = True
            break
        rest = _send_next(TransactionalMail.objects.all(), tally)
        if rest is None or pauses >= MOST_PAUSES:
            break
        pauses += rest > 0
        time.sleep(rest)
    return tally


def _send_next(chosen: MailQuerySet, tally: MailTally) -> float | None:
    """One mail: the seconds to rest before the next, None when there is none or the line has to rest for long."""
    mail = _lease(chosen)
    if mail is None:
        return None
    try:
        _send(mail, tally)
    except Stop as stop:
        return stop.seconds or None
    return 0.0


def _lease(chosen: MailQuerySet) -> TransactionalMail | None:
    now = timezone.now()
    with transaction.atomic():
        due = chosen.due(now).select_for_update(skip_locked=True, no_key=True, of=("self",))
        mail = due.select_related("contact").order_by("created_at", "id").first()
        if mail is not None:
            mail.leased_until = now + 2 * longest_turn()
            TransactionalMail.objects.filter(pk=mail.pk).update(
                leased_until=mail.leased_until, status=Status.PROCESSING
            )
    return mail


def _send(mail: TransactionalMail, tally: MailTally) -> None:
    """Say what is true now. Raises Stop when the line has to rest."""
    subject = selectors.subject_of(mail)
    reason = reason_not_to_send(mail, subject)
    if subject is None or reason:
        _discard(mail, reason)
        tally.discarded += 1
        return
    if mail.in_doubt_since is not None and timezone.now() - mail.in_doubt_since > KEY_IS_GOOD_FOR:
        _bury(mail, TOO_LATE, tally)
        return
    try:
        wait_for_slot()
    except Stop:
        _settle(mail, status=Status.PENDING)
        raise
    variables = mail_variables(mail.kind, subject)
    doubt = mail.in_doubt_since or timezone.now()
    _mine(mail).update(in_doubt_since=doubt, data_variables=variables)
    error = _ask_loops(mail, {**variables, **_kept_by_nobody(mail, subject)})
    if error is not None:
        _fail(mail, error, tally)
        return
    _settle(mail, status=Status.DONE, outcome=Outcome.SENT, finished_at=timezone.now(), **_attempted(mail, ""))
    tally.sent += 1
    if selectors.relay().consecutive_failures:
        relay.note_success()


def _kept_by_nobody(mail: TransactionalMail, subject: MailSubject) -> dict[str, object]:
    """What only the reader may know: a nominee's own link, for the address that it is good for."""
    if mail.kind != Kind.NOMINEE_APPROVED:
        return {}
    is_theirs = subject.nominee.email == mail.contact.email
    return {"nomineeOwnUrl": own_url(subject.nominee) if is_theirs else ""}


def _ask_loops(mail: TransactionalMail, variables: dict[str, object]) -> client.LoopsError | None:
    """One request, noted with those about the contact."""
    at, started = timezone.now(), time.perf_counter()
    failure: client.LoopsError | None = None
    try:
        client.send_transactional(mail.contact.email, mail.template_id, variables, idempotency_key=str(mail.pk))
    except client.LoopsError as error:
        failure = error
    took = int((time.perf_counter() - started) * 1000)
    SyncAttempt.objects.create(
        contact=mail.contact, at=at, duration_ms=took, ok=failure is None, error=str(failure or "")
    )
    return failure


def reason_not_to_send(mail: TransactionalMail, subject: MailSubject | None) -> str:
    """Why the mail would say something untrue or reach nobody, in words; "" when it may go."""
    contact = mail.contact
    if subject is None:
        return "The nomination or vote is gone."
    if contact.deleted_at is not None:
        return f"{contact} was deleted at Loops on {contact.deleted_at:%d %b %Y}."
    if contact.bounced_at is not None:
        return f"A mail to {contact} came back for good on {contact.bounced_at:%d %b %Y}."
    if mail.kind == Kind.NOMINATION:
        return ""
    stands = subject.state in (Nomination.State.APPROVED, Vote.State.COUNTED)
    if not stands or subject.nominee.state != Nominee.State.LIVE:
        return f"{subject.nominee} is not live any more, or it does not count: there is no page to lead to."
    return ""


def _fail(mail: TransactionalMail, error: client.LoopsError, tally: MailTally) -> None:
    """Later, never, or nobody: by the error table. A 429 and a refused key burn no attempt."""
    doubt = timezone.now() if error.leaves_unknown else None
    if error.is_throttled:
        _settle(mail, status=Status.PENDING, in_doubt_since=mail.in_doubt_since)
        seconds = 1.0 if error.retry_after is None else max(error.retry_after, 0.1)
        pause_all(seconds)
        raise Stop(seconds if seconds <= LONGEST_WAIT_SECONDS else 0.0)
    if error.permanent:
        _bury(mail, str(error), tally)
        return
    later = timezone.now() + timedelta(seconds=backoff_seconds(mail.attempts))
    values: dict[str, object] = {"next_attempt_at": later, "in_doubt_since": mail.in_doubt_since or doubt}
    if error.is_unauthorized:
        _settle(mail, status=Status.PENDING, last_error=str(error), **values)
    elif mail.attempts + 1 >= DEAD_AFTER_ATTEMPTS and timezone.now() - mail.created_at >= DEAD_AFTER:
        _bury(mail, str(error), tally)
    else:
        _settle(mail, status=Status.PENDING, **_attempted(mail, str(error)), **values)
        tally.retried += 1
    relay.note_failure(error, is_new=mail.attempts == 0)


def _bury(mail: TransactionalMail, why: str, tally: MailTally) -> None:
    _settle(mail, status=Status.DEAD, finished_at=timezone.now(), **_attempted(mail, why))
    tally.dead += 1


def _discard(mail: TransactionalMail, reason: str) -> None:
    """The fact may come true again, and is then told: the key is free."""
    values = {"status": Status.DONE, "outcome": Outcome.DISCARDED, "finished_at": timezone.now()}
    _settle(mail, **values, last_error=f"Discarded: {reason}"[:500], fact_key=f"discarded:{mail.pk}")


def _attempted(mail: TransactionalMail, error: str) -> dict[str, object]:
    return {"attempts": F("attempts") + 1, "last_error": error[:500]}


def _settle(mail: TransactionalMail, **values: object) -> None:
    """Let go. Whoever lost the lease writes nothing: the other worker asks with the same key."""
    _mine(mail).update(leased_until=None, **values)


def _mine(mail: TransactionalMail) -> MailQuerySet:
    return TransactionalMail.objects.filter(pk=mail.pk, leased_until=mail.leased_until)


def retry_mails(chosen: QuerySet[TransactionalMail]) -> list[UUID]:
    """Give dead mails, and waiting ones in their backoff, a new start now: their ids."""
    with transaction.atomic():
        rows = chosen.filter(status__in=[Status.DEAD, Status.PENDING]).order_by("created_at", "id")
        ids = list(rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
        TransactionalMail.objects.filter(pk__in=ids).update(
            status=Status.PENDING, attempts=0, next_attempt_at=None, finished_at=None, in_doubt_since=None
        )
    return ids


def resend_mail(mail: TransactionalMail) -> TransactionalMail:
    """A second mail about the same fact, to the person's address of now, with a key of its own.

    Raises ValidationError: `already_waiting`, or because there is nothing to tell any more.
    """
    with transaction.atomic():
        mail = TransactionalMail.objects.select_for_update(of=("self",)).select_related("contact").get(pk=mail.pk)
        again = prepared_resend(mail)
        subject = selectors.subject_of(mail)
        if mail.status in (Status.PENDING, Status.PROCESSING) or mail.resends.open().exists():
            raise ValidationError("It is on its way already.", code="already_waiting")
        again.contact = _contact(again.contact.email)
        reason = reason_not_to_send(again, subject)
        if reason:
            raise ValidationError(reason)
        again.save(force_insert=True)
    return again


def prepared_resend(mail: TransactionalMail) -> TransactionalMail:
    """What a resend would be, unsaved."""
    subject = selectors.subject_of(mail)
    email = (recipient_of(mail.kind, subject).email if subject else "") or mail.contact.email
    pk = uuid4()
    return TransactionalMail(
        pk=pk,
        kind=mail.kind,
        contact=Contact.objects.filter(email=email).first() or Contact(email=email),
        reference_id=mail.reference_id,
        fact_key=f"resend:{pk}",
        template_id=settings.LOOPS_TRANSACTIONAL[mail.kind] or mail.template_id,
        resend_of=mail,
    )


def purge_old_mails() -> None:
    """Forget what was sent 30 days ago, but for approvals: they may be taken back, come again, and are told once."""
    may_come_again = Q(kind__in=[Kind.NOMINEE_APPROVED, Kind.NOMINATOR_APPROVED], outcome=Outcome.SENT)
    old = TransactionalMail.objects.filter(status=Status.DONE, finished_at__lt=timezone.now() - KEPT_DONE)
    old.exclude(may_come_again).delete()
