"""Whose `userId` is whose at Loops.

A contact's `userId` is its own id, or borrowed from its oldest active client. When the client's address changes, its
id goes along, and Loops refuses for good a request that names one contact by its address and another by its id. So
`Contact.borrowed_id` says, before Loops is told, at which one contact it may hold a client's id. Before another gets
it, that one gives it back, or, with nothing left to keep it there, moves: Loops finds it by the id and gives it the
new address.
"""

import time
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Client, normal_email
from loops_sync import client, selectors
from loops_sync.contacts import Properties, body_of, is_left_alone
from loops_sync.models import Contact, OutboxEntry
from loops_sync.services.batches import Batch, note, set_durability, take
from loops_sync.services.outbox import record_change
from loops_sync.services.pace import wait_for_slot
from loops_sync.services.telling import tell

PATIENCE = (0.0, 0.05, 0.1, 0.2, 0.4)


class Busy(Exception):
    """The contact that has to make way is not ours to speak of now."""


def gather_holders(batch: Batch) -> None:
    """Take along the contacts that have to make way for one of the batch, and look where borrowed ids went."""
    takers = {
        wanted["userId"]: contact.pk
        for contact in batch.contacts
        if (wanted := batch.wanted[contact.pk])["userId"] not in (str(contact.pk), str(contact.borrowed_id))
    }
    if takers:
        _gather(batch, takers)
    _look_after_clients(batch)


def _gather(batch: Batch, takers: dict[str, UUID]) -> None:
    holding = dict(Contact.objects.filter(borrowed_id__in=takers).values_list("pk", "borrowed_id"))
    for seconds in PATIENCE:
        outside = holding.keys() - batch.wanted.keys()
        if not outside:
            break
        # Old and new address are told at the same moment: whoever has the other is done with it soon.
        time.sleep(seconds)
        take(batch, Contact.objects.filter(pk__in=outside).free(timezone.now()))
    members = {contact.pk: contact for contact in batch.contacts}
    batch.holders = {takers[str(client_id)]: members.get(pk) for pk, client_id in holding.items()}
    # Whoever takes goes first: those who are taken from have their own turn after it.
    batch.contacts.sort(key=lambda contact: contact.pk in holding)


def _look_after_clients(batch: Batch) -> None:
    """A borrowed id whose client is gone, or is at another address now."""
    lent = {
        contact.borrowed_id: contact
        for contact in batch.contacts
        if contact.borrowed_id and contact.may_hold(str(contact.borrowed_id)) and _is_blank(batch.wanted[contact.pk])
    }
    if not lent:
        return
    emails = dict(Client.objects.filter(pk__in=lent).values_list("pk", "email"))
    people = selectors.people(set(emails.values()))
    waiting = OutboxEntry.objects.open().filter(contact__email__in=people, contact__deleted_at=None)
    told_soon = set(waiting.values_list("contact__email", flat=True))
    for client_id, contact in lent.items():
        email = emails.get(client_id, "")
        now_at = people[email].client if email else None
        if now_at is not None and now_at.pk == client_id and email in told_soon:
            batch.left.add(contact.pk)
        elif not email and is_left_alone(batch.people[contact.pk]):
            batch.unsubscribed.add(contact.pk)


def make_way(batch: Batch, contact: Contact) -> None:
    """See to it that the contact alone may hold the `userId` that it is to have. Raises LoopsError, Busy, Stop."""
    user_id = batch.wanted[contact.pk]["userId"]
    if user_id == str(contact.borrowed_id):
        return
    _arrive(batch, contact)
    if user_id == str(contact.pk):
        return
    if contact.borrowed_id is not None:
        _give_back(batch, contact)
    if contact.pk in batch.holders:
        _take_from(batch, batch.holders[contact.pk], contact, user_id)
    if str(contact.borrowed_id) != user_id:
        _borrow(batch, contact, user_id)


def _take_from(batch: Batch, holder: Contact | None, contact: Contact, user_id: str) -> None:
    if holder is None or holder.leased_until != batch.leased_until or batch.wanted[holder.pk]["userId"] == user_id:
        raise Busy
    if str(holder.borrowed_id) != user_id:
        return  # its own turn came first
    if not (holder.may_hold(user_id) and _is_blank(batch.wanted[holder.pk]) and not contact.accepted):
        _give_back(batch, holder)
        return
    if holder.accepted is None:
        _arrive(batch, holder)
    _hand_over(batch, holder, contact)


def _arrive(batch: Batch, contact: Contact) -> None:
    """Whether Loops knows the holder of the id by this address is uncertain; from now on it does."""
    if not contact.may_hold(str(contact.borrowed_id)) or (contact.accepted or {}).get("email") == contact.email:
        return
    tell(batch, contact, {"email": contact.email, "userId": str(contact.borrowed_id)})
    if contact.accepted is not None:
        note(batch, contact, accepted={**contact.accepted, "email": contact.email})


def _is_blank(properties: Properties) -> bool:
    """Whether there is nothing to say but who it is."""
    return properties.keys() <= {"email", "userId"}


def _give_back(batch: Batch, contact: Contact) -> None:
    """The contact goes by its own id again. With one borrowed id at a time it is certain which one it may hold."""
    if not contact.may_hold(str(contact.borrowed_id)):
        note(batch, contact, borrowed_id=None)
        return
    _arrive(batch, contact)
    properties = {**batch.wanted[contact.pk], "userId": str(contact.pk)}
    try:
        tell(batch, contact, body_of(properties, contact.accepted, first_time=contact.synced_at is None))
    except client.LoopsError as error:
        if error.leaves_unknown:
            note(batch, contact, accepted=None)
        raise
    note(batch, contact, accepted=properties, borrowed_id=None, synced_at=timezone.now())


def _hand_over(batch: Batch, holder: Contact, contact: Contact) -> None:
    """What Loops knows as the one is the other from now on: the next request gives it the address."""
    record = {
        name: getattr(holder, name)
        for name in ("accepted", "borrowed_id", "synced_at", "subscription", "subscription_at")
    }
    with transaction.atomic():
        set_durability("LOCAL", "on")
        note(batch, holder, accepted={}, borrowed_id=None, synced_at=None, in_doubt=False)
        note(batch, contact, **record)


def _borrow(batch: Batch, contact: Contact, user_id: str) -> None:
    """Raises Busy when somebody was faster."""
    try:
        with transaction.atomic():
            set_durability("LOCAL", "on")
            note(batch, contact, borrowed_id=user_id)
    except IntegrityError as error:
        raise Busy from error


def give_up_borrowed(batch: Batch, contact: Contact) -> None:
    """Loops has accepted its own id."""
    if contact.borrowed_id is not None and batch.wanted[contact.pk]["userId"] == str(contact.pk):
        note(batch, contact, borrowed_id=None)


def untangle(batch: Batch, contact: Contact) -> bool:
    """After a refusal: whether Loops knew address and id as two contacts, of which the second has its own id again.

    Only Loops knows who came to it by another way. Raises LoopsError, Stop.
    """
    if contact.borrowed_id is None:
        return False
    other = _ask(user_id=str(contact.borrowed_id))
    if other is None or other == contact.email or _ask(contact.email) is None:
        return False
    with transaction.atomic():
        record_change("resync", [other])
        Contact.objects.filter(email=other).update(accepted=None)
    tell(batch, contact, {"email": other, "userId": str(Contact.objects.get(email=other).pk)})
    note(batch, contact, accepted=None)
    return True


def _ask(email: str = "", *, user_id: str = "") -> str | None:
    """The address of the contact that Loops has, or None."""
    wait_for_slot()
    found = client.find_contact(email, user_id=user_id)
    return normal_email(found["email"]) if found else None
