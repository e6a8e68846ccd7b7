"""A person in Loops' words. Pure: rows in, properties out."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from loops_sync.selectors import Person
from nominations.models import Nominee

Properties = dict[str, Any]
# Loops counts the two quotes in its limit of 500.
LONGEST_VALUE = 498
NOMINATOR_KEYS = ("nomineeName", "nomineeLiveUrl", "approvalDate")
COMPANY_KEYS = ("companyName", "website", "industry", "companySize")
NOMINEE_KEYS = ("nomineeType", "category", "nominationId", "liveUrl", *COMPANY_KEYS)
VOTER_KEYS = ("votedFor", "voteCategory", "lastVoteDate")
PERSON_KEYS = ("firstName", "lastName", "linkedin", "company", "jobTitle", "phone", "country")
OWN_KEYS = ("userGroup", *PERSON_KEYS, *NOMINATOR_KEYS, *NOMINEE_KEYS, *VOTER_KEYS)


def roles_of(person: Person) -> list[str]:
    """The roles a person holds, strongest first. Live and plain nominator are steps of one role."""
    roles = []
    if person.nominee:
        roles.append("nominee")
    if person.nominator_by:
        roles.append("nominator_live")
    elif person.nominator:
        roles.append("nominator")
    if person.voter:
        roles.append("voter")
    return roles


def properties_of(person: Person, *, user_id: str) -> Properties:
    """What Loops is to hold of a person: only what applies, only what is not blank."""
    roles = roles_of(person)
    found = {
        **_personal(person),
        **_as_nominator(person),
        **_as_nominee(person),
        **_as_voter(person),
        "userGroup": settings.LOOPS_GROUPS[roles[0]] if roles else "",
    }
    properties: Properties = {key: _cut(value) for key, value in found.items() if value}
    lists = {settings.LOOPS_LISTS[role]: True for role in roles if settings.LOOPS_LISTS[role]}
    if lists:
        properties["mailingLists"] = lists
    return {"email": person.email, "userId": user_id, **properties}


def body_of(properties: Properties, accepted: Properties | None, *, first_time: bool) -> Properties:
    """The request that turns what Loops accepted into the properties: what is gone is emptied, lost lists are left.

    When it is unknown what Loops holds (None), everything of ours that does not apply is emptied.
    """
    held = accepted if accepted is not None else dict.fromkeys(OWN_KEYS)
    gone = [key for key in held if key not in properties and key != "mailingLists"]
    body: Properties = {**dict.fromkeys(gone), **properties}
    lists = _lists(properties, accepted)
    if lists:
        body["mailingLists"] = lists
    if first_time:
        body["source"] = settings.LOOPS_SOURCE
    return body


def _lists(properties: Properties, accepted: Properties | None) -> dict[str, bool]:
    ours = {name for name in settings.LOOPS_LISTS.values() if name}
    held = ours if accepted is None else set(accepted.get("mailingLists", {}))
    return {**dict.fromkeys(sorted(held), False), **properties.get("mailingLists", {})}


def _personal(person: Person) -> dict[str, str]:
    """Name, company and phone: the nominee's word before the nominator's before the voter's."""
    found: dict[str, str] = {}
    for row in (person.voter, person.nominator, person.nominee):
        if row is None:
            continue
        is_company = isinstance(row, Nominee) and row.kind == Nominee.Kind.COMPANY
        values = {
            "firstName": "" if is_company else row.first_name,
            "lastName": "" if is_company else row.last_name,
            "linkedin": row.linkedin_url,
            "company": row.company,
            "jobTitle": row.job_title,
            "phone": row.phone,
            "country": row.country,
        }
        found |= {key: value for key, value in values.items() if value}
    return found


def _as_nominator(person: Person) -> dict[str, str]:
    nomination = person.nominator_by
    if nomination is None or nomination.approved_at is None:
        return {}
    return {
        "nomineeName": nomination.nominee.name,
        "nomineeLiveUrl": nomination.nominee.live_url,
        "approvalDate": _moment(nomination.approved_at),
    }


def _as_nominee(person: Person) -> dict[str, str]:
    nominee, nomination = person.nominee, person.nominee_by
    if nominee is None or nomination is None:
        return {}
    found = {
        "nomineeType": nominee.kind,
        "category": nomination.category.slug,
        "nominationId": str(nomination.pk),
        "liveUrl": nominee.live_url,
    }
    if nominee.kind == Nominee.Kind.COMPANY:
        values = (nominee.company_name, nominee.website, nominee.industry, nominee.company_size)
        found |= dict(zip(COMPANY_KEYS, values, strict=True))
    return found


def _as_voter(person: Person) -> dict[str, str]:
    vote = person.voter_by
    if vote is None:
        return {}
    return {
        "votedFor": vote.nominee.name,
        "voteCategory": vote.category.slug,
        "lastVoteDate": _moment(vote.created_at),
    }


def _moment(at: datetime) -> str:
    """ISO with milliseconds: Loops refuses Python's microseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(value: str) -> str:
    return value[:LONGEST_VALUE]
