"""What happened elsewhere, turned into outbox entries in the same transaction."""

from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_migrate, post_save, pre_save
from django.dispatch import receiver

from loops_sync import selectors, services, tasks
from loops_sync.contacts import OWN_KEYS, properties_of
from loops_sync.models import Contact
from nominations.models import ContactChange, DecisionLog, Delivery, Nomination, Nominator, Nominee, Vote, Voter
from nominations.signals import approval_previewed, delivery_requested, votes_changed

Action, State = DecisionLog.Action, Nomination.State
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


def record(event_type: str, emails: list[str], reference: Model) -> None:
    """Entries now, workers on commit."""
    contact_ids = services.record_change(event_type, emails, reference=reference)
    if contact_ids:
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
    record(EVENT_OF[Action(instance.action)], emails, nomination)


@receiver(post_save, sender=Vote)
def vote_saved(sender: type[Vote], instance: Vote, created: bool, raw: bool, **_: Any) -> None:
    """A vote was cast, or stopped counting. Nobody hears of one that is held: the address may be a stranger's."""
    if not raw and instance.state != Vote.State.HELD:
        record("vote_cast" if created else "vote_changed", [instance.voter.email], instance)


@receiver(votes_changed)
def many_votes_changed(sender: type[Vote], emails: list[str], reference: Model, **_: Any) -> None:
    """Votes began or ceased to count, many at once."""
    record("vote_changed", emails, reference)


@receiver(pre_save, sender=Nominator)
@receiver(pre_save, sender=Nominee)
@receiver(pre_save, sender=Voter)
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


def _readers_of(nominee: Nominee, emails: list[str]) -> list[str]:
    """The nominee, and those at whose contacts the nominee's name stands."""
    nominators = Nominator.objects.filter(nominations__in=nominee.nominations.approved())
    voters = Voter.objects.filter(votes__nominee=nominee, votes__state=Vote.State.COUNTED)
    return [
        *emails,
        *nominators.values_list("email", flat=True),
        *voters.values_list("email", flat=True),
    ]


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
        Delivery(role, email, entry.status, entry.attempts, entry.last_error, entry.contact.synced_at)
        for role, email in _emails(nomination).items()
        if (entry := entries.get(email)) is not None
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
