"""Who a person is in all apps at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import (
    QuerySet,
)

from crm.models import Client
from loops_sync.models import Contact
from nominations.models import Nomination, Nominator, Nominee, Vote, Voter


@dataclass
class Person:
    """Everything that Loops is to know of one address, as rows. `…_by` is the row that a role rests on.

    `client` is the oldest active one of all businesses; `has_clients` tells of inactive ones too.
    """

    email: str
    client: Client | None = None
    has_clients: bool = False
    nominee: Nominee | None = None
    nominee_by: Nomination | None = None
    nominator: Nominator | None = None
    nominator_by: Nomination | None = None
    voter: Voter | None = None
    voter_by: Vote | None = None


def people(emails: Iterable[str], *, assuming: Nomination | None = None) -> dict[str, Person]:
    """The persons of those addresses as they are now, in a constant number of queries.

    `assuming` is a nomination as it would be, unsaved: the answer is then what it would make of them.
    """
    persons = {email: Person(email) for email in emails}
    _add_nominees(persons, assuming)
    _add_nominators(persons, assuming)
    _add_voters(persons)
    _add_clients(persons)
    return persons


def _add_nominees(persons: dict[str, Person], assuming: Nomination | None) -> None:
    nominees = {row.pk: row for row in Nominee.objects.live().filter(email__in=persons)}
    if assuming is not None:
        nominees[assuming.nominee_id] = assuming.nominee
    rows = Nomination.objects.approved().filter(nominee__in=nominees).select_related("category")
    for nomination in _with(assuming, rows):
        nominee = nominees.get(nomination.nominee_id)
        person = persons.get(nominee.email) if nominee else None
        if person is not None:
            person.nominee, person.nominee_by = nominee, nomination


def _add_nominators(persons: dict[str, Person], assuming: Nomination | None) -> None:
    nominators = {row.pk: row for row in Nominator.objects.filter(email__in=persons)}
    for nominator in nominators.values():
        persons[nominator.email].nominator = nominator
    rows = Nomination.objects.approved().filter(nominator__in=nominators).select_related("nominee")
    for nomination in _with(assuming, rows):
        if nomination.nominator_id in nominators:
            persons[nominators[nomination.nominator_id].email].nominator_by = nomination


def _with(assuming: Nomination | None, rows: QuerySet[Nomination]) -> list[Nomination]:
    """Earliest approved first, with the assumed one in the place of its row."""
    approved = list(rows.order_by("approved_at", "id"))
    if assuming is None:
        return approved
    return [*(row for row in approved if row.pk != assuming.pk), assuming]


def _add_voters(persons: dict[str, Person]) -> None:
    votes = Vote.objects.filter(voter__email__in=persons, state=Vote.State.COUNTED)
    for vote in votes.select_related("voter", "nominee", "category").order_by("created_at", "id"):
        person = persons[vote.voter.email]
        person.voter, person.voter_by = vote.voter, vote


def _add_clients(persons: dict[str, Person]) -> None:
    for client in Client.objects.filter(email__in=persons).order_by("created_at", "id"):
        person = persons[client.email]
        person.has_clients = True
        if client.is_active and person.client is None:
            person.client = client


def contacts_by_email(emails: Iterable[str]) -> dict[str, Contact]:
    """The contacts that exist, by address."""
    return {contact.email: contact for contact in Contact.objects.filter(email__in=list(emails))}
