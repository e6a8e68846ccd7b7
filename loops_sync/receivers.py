"""What happened elsewhere, turned into outbox entries in the same transaction."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_migrate, post_save, pre_save
from django.dispatch import receiver
from django.urls import reverse
from django.utils.text import capfirst

from crm.models import Client, ClientDelivery, ClientNews, User
from crm.signals import client_told, clients_told
from loops_sync import selectors, services, tasks
from loops_sync.contacts import OWN_KEYS, properties_of, roles_of
from loops_sync.models import Contact, TransactionalMail
from nominations.models import ContactChange, DecisionLog, Delivery, Merge, Nomination, Nominator, Nominee, Vote, Voter
from nominations.signals import (
    approval_previewed,
    delivery_requested,
    mails_requested,
    nominees_merged,
    votes_changed,
)

Action, State = DecisionLog.Action, Nomination.State
Kind = TransactionalMail.Kind
CLIENT_DELETED = "client_deleted"
# Who is brought in by staff has written to nobody, and is not thanked.
BY_THEMSELVES = {Nomination.Source.PAGE, Nomination.Source.API}
SHOWN = 20
EVENT_OF = {
    Action.SUBMIT: "nomination_submitted",
    Action.APPROVE: "nomination_approved",
    Action.REJECT: "nomination_rejected",
    Action.WITHDRAW: "nomination_withdrawn",
    Action.MARK_DUPLICATE: "nomination_duplicate",
    Action.REOPEN: "nomination_reopened",
}
TOLD = {
    "email",
    "first_name",
    "last_name",
    "linkedin_url",
    "company",
    "job_title",
    "phone",
    "country",
    "company_name",
    "website",
    "industry",
    "company_size",
}


def record(event_type: str, emails: Sequence[str | None], reference: Model, *, at_once: bool = True) -> None:
    """Entries now, workers on commit; where nobody waits for it, with the next sweep."""
    contact_ids = services.record_change(event_type, emails, reference=reference)
    if contact_ids and at_once:
        transaction.on_commit(lambda: tasks.queue_sync(contact_ids), robust=True)


@receiver(post_save, sender=DecisionLog)
def decision_logged(sender: type[DecisionLog], instance: DecisionLog, created: bool, raw: bool, **_: Any) -> None:
    """A nomination changed its state: its nominator, and its nominee if that was or is approved."""
    if raw or not created:
        return
    nomination = instance.nomination
    emails = [nomination.nominator.email]
    if State.APPROVED in (instance.from_state, instance.to_state):
        emails.append(nomination.nominee.email)
    # A file brings thousands: a task for each would keep approvals waiting in the queue.
    is_in_a_file = instance.action == Action.SUBMIT and nomination.batch_id is not None
    record(EVENT_OF[Action(instance.action)], emails, nomination, at_once=not is_in_a_file)


@receiver(post_save, sender=Vote)
def vote_saved(sender: type[Vote], instance: Vote, created: bool, raw: bool, **_: Any) -> None:
    """A vote was cast, or stopped counting. Nobody hears of one that is held: the address may be a stranger's."""
    if not raw and instance.state != Vote.State.HELD:
        record("vote_cast" if created else "vote_changed", [instance.voter.email], instance)


@receiver(votes_changed)
def many_votes_changed(sender: type[Vote], emails: list[str], reference: Model, **_: Any) -> None:
    """Votes began or ceased to count, many at once."""
    record("vote_changed", emails, reference)


@receiver(nominees_merged)
def merge_told(sender: type[Merge], emails: list[str], merge: Merge, is_undone: bool, **_: Any) -> None:
    """Both nominees, and those at whose contacts the one's name and address stood."""
    record("nominee_unmerged" if is_undone else "nominee_merged", emails, merge)


@receiver(post_save, sender=DecisionLog)
def mails_of_decision_planned(
    sender: type[DecisionLog], instance: DecisionLog, created: bool, raw: bool, **_: Any
) -> None:
    """Somebody nominated: they are thanked. A nomination was approved: both are told, once, however often."""
    if raw or not created:
        return
    nomination = instance.nomination
    if instance.action == Action.SUBMIT and nomination.source in BY_THEMSELVES:
        plan_mail(Kind.NOMINATION, nomination.nominator.email, nomination)
    elif instance.action == Action.APPROVE:
        # However many people name them there, a nominee stands in a category once.
        place = f"{nomination.season_id}:{nomination.category_id}:{nomination.nominee_id}"
        plan_mail(Kind.NOMINEE_APPROVED, nomination.nominee.email, nomination, fact=place)
        plan_mail(Kind.NOMINATOR_APPROVED, nomination.nominator.email, nomination)


@receiver(post_save, sender=Vote)
def mail_of_vote_planned(sender: type[Vote], instance: Vote, created: bool, raw: bool, **_: Any) -> None:
    """A vote was cast: the voter is told that it counts."""
    if created and not raw:
        plan_mail(Kind.VOTE, instance.voter.email, instance)


def plan_mail(kind: TransactionalMail.Kind, email: str, reference: Nomination | Vote, *, fact: str = "") -> None:
    """The mail now, a worker on commit."""
    mail_id = services.plan_mail(kind, email, reference=reference, fact=fact)
    if mail_id is not None:
        transaction.on_commit(lambda: tasks.queue_mail(mail_id), robust=True)


@receiver(pre_save, sender=Nominator)
@receiver(pre_save, sender=Nominee)
@receiver(pre_save, sender=Voter)
@receiver(pre_save, sender=Client)
def person_about_to_change(sender: type[Model], instance: Any, raw: bool, update_fields: Any, **_: Any) -> None:
    """Remember the old address: that contact loses what the new one gets."""
    if raw or instance._state.adding or (update_fields is not None and "email" not in update_fields):
        return
    rows = sender._default_manager.filter(pk=instance.pk)
    if transaction.get_connection().in_atomic_block:  # two corrections at once must see each other
        rows = rows.select_for_update(no_key=True)
    instance.email_before = rows.values_list("email", flat=True).first()


@receiver(post_save, sender=Nominator)
@receiver(post_save, sender=Nominee)
@receiver(post_save, sender=Voter)
def person_changed(
    sender: type[Model], instance: Any, created: bool, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Somebody known was corrected. A new person comes with a nomination or a vote, which is the fact that counts."""
    if raw or created or (update_fields is not None and not TOLD & set(update_fields)):
        return
    emails = [instance.email, getattr(instance, "email_before", None) or ""]
    if isinstance(instance, Nominee):
        emails = _readers_of(instance, emails) if instance.slug else []
    record(f"{sender._meta.model_name}_updated", emails, instance)


def _readers_of(nominee: Nominee, emails: list[str]) -> list[str | None]:
    """The nominee, and those at whose contacts the nominee's name stands."""
    nominators = Nominator.objects.filter(nominations__in=nominee.nominations.approved())
    voters = Voter.objects.filter(votes__nominee=nominee, votes__state=Vote.State.COUNTED)
    return [
        *emails,
        *nominators.values_list("email", flat=True),
        *voters.values_list("email", flat=True),
    ]


@receiver(post_save, sender=Client)
def client_saved(
    sender: type[Client], instance: Client, created: bool, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """A client came, or was corrected."""
    if raw or (update_fields is not None and not {*TOLD, "is_active"} & set(update_fields)):
        return
    emails = [instance.email, getattr(instance, "email_before", None) or ""]
    record("client_created" if created else "client_updated", emails + _lent_to(instance), instance)


@receiver(post_delete, sender=Client)
def client_deleted(sender: type[Client], instance: Client, **_: Any) -> None:
    """A client is gone. Whether the contact is unsubscribed shows when Loops is told."""
    record(CLIENT_DELETED, [instance.email, *_lent_to(instance)], instance)


def _lent_to(instance: Client) -> list[str | None]:
    """Under which address Loops may know the client still."""
    return list(Contact.objects.filter(borrowed_id=instance.pk).values_list("email", flat=True))


@receiver(clients_told)
def tell_clients(sender: type[Client], **_: Any) -> dict[str, Any]:
    """How far the news of each client is."""
    return selectors.delivery_by_email()


@receiver(client_told)
def tell_client(sender: type[Client], client: Client, by: User, **_: Any) -> ClientDelivery:
    """What was told of one client. Other facts of the same address are for those who may see the outbox."""
    contact = Contact.objects.filter(email=client.email).first()
    sees_all = by.has_perm("loops_sync.view_outboxentry")
    entries = selectors.entries_about(client, contact if sees_all else None)
    news = [
        ClientNews(capfirst(row.event_type.replace("_", " ")), row.status, row.outcome, row.last_error, row.created_at)
        for row in entries[:SHOWN]
    ]
    may_open = contact is not None and by.has_perm("loops_sync.view_contact")
    url = reverse("admin:loops_sync_contact_change", args=[contact.pk]) if contact and may_open else ""
    return ClientDelivery(url, news, _if_deleted(client, sees_all))


def _if_deleted(client: Client, sees_all: bool) -> str:
    """What another business, or the awards, know of the address is not for members."""
    person = selectors.people([client.email])[client.email]
    others = Client.objects.filter(email=client.email).exclude(pk=client.pk)
    unsubscribed = "Their contact at Loops is unsubscribed and emptied"
    if not sees_all:
        return f"{unsubscribed}, unless the address has another part here."
    if roles_of(person):
        return "Their contact at Loops stays subscribed: the address has a part in the awards."
    if others.exists():
        return "Their contact at Loops stays subscribed: the address is another business’s client, too."
    return f"{unsubscribed}. Nothing subscribes it again."


@receiver(approval_previewed)
def preview_approval(sender: type[Nomination], nomination: Nomination, **_: Any) -> list[ContactChange]:
    """Which contacts an approval would change, and how."""
    after = selectors.people(_emails(nomination).values(), assuming=nomination)
    known = selectors.contacts_by_email(after)
    changes = []
    for role, email in _emails(nomination).items():
        contact = known.get(email) or Contact(email=email)
        properties = properties_of(after[email], user_id=str(contact.pk))
        changes.append(
            ContactChange(role, email, contact.synced_at is None, _differences(contact.accepted or {}, properties))
        )
    return changes


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (key, str(before.get(key, "")), str(after.get(key, "")))
        for key in OWN_KEYS
        if before.get(key) != after.get(key)
    ]


@receiver(delivery_requested)
def tell_delivery(sender: type[Nomination], nomination: Nomination, **_: Any) -> list[Delivery]:
    """How far the news of this nomination is, for each contact it touched."""
    entries = selectors.latest_entries(nomination)
    return [
        Delivery(
            role,
            email,
            entry.status,
            entry.attempts,
            entry.last_error,
            entry.contact.synced_at,
            entry.outcome == entry.Outcome.DISCARDED,
        )
        for role, email in _emails(nomination).items()
        if (entry := entries.get(email)) is not None
    ]


@receiver(mails_requested)
def tell_mails(sender: type[Nomination], nomination: Nomination, **_: Any) -> list[Delivery]:
    """How far each mail about this nomination is."""
    return [
        Delivery(
            f"mail: {mail.get_kind_display().lower()}",
            mail.contact.email,
            mail.status,
            mail.attempts,
            mail.last_error,
            mail.sent_at,
            mail.outcome == mail.Outcome.DISCARDED,
            "the list of mails",
        )
        for mail in selectors.mails_of(nomination)
    ]


def _emails(nomination: Nomination) -> dict[str, str]:
    """By role; one person in both roles is one contact, shown as the nominee."""
    emails = {"nominator": nomination.nominator.email, "nominee": nomination.nominee.email}
    if emails["nominator"] == emails["nominee"]:
        del emails["nominator"]
    return {role: email for role, email in emails.items() if email}


@receiver(post_migrate, dispatch_uid="loops_sync_schedules")
def schedules_ensured(sender: Any, using: str, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()
