"""A person in Loops' words. Pure: rows in, properties out."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from loops_sync.selectors import Person
from nominations.models import Nomination, Nominator, Nominee, Vote, Voter

Properties = dict[str, Any]
# Loops counts the two quotes in its limit of 500.
LONGEST_VALUE = 498
NOMINATOR_KEYS = ("nomineeName", "nomineeLiveUrl", "approvalDate")
COMPANY_KEYS = ("companyName", "website", "industry", "companySize")
NOMINEE_KEYS = ("nomineeType", "category", "nominationId", "liveUrl", *COMPANY_KEYS)
VOTER_KEYS = ("votedFor", "voteCategory", "lastVoteDate")
PERSON_KEYS = ("firstName", "lastName", "linkedin", "company", "jobTitle", "phone", "country")
OWN_KEYS = ("userGroup", *PERSON_KEYS, *NOMINATOR_KEYS, *NOMINEE_KEYS, *VOTER_KEYS)
TIME_KEYS = ("approvalDate", "lastVoteDate")
# What every account at Loops has by itself.
STANDARD_KEYS = ("userGroup", "firstName", "lastName")
CUSTOM_TYPES = {key: "date" if key in TIME_KEYS else "string" for key in OWN_KEYS if key not in STANDARD_KEYS}
MailSubject = Nomination | Vote
MAIL_ROLES = {
    "vote": "voter",
    "nomination": "nominator",
    "nominee_approved": "nominee",
    "nominator_approved": "nominator",
}
MAIL_FACTS = {
    "vote": "vote",
    "nomination": "submission",
    "nominee_approved": "approval",
    "nominator_approved": "approval",
}


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


def is_left_alone(person: Person) -> bool:
    """Whether they hold no role and are nobody's client, not even an inactive one."""
    return not (roles_of(person) or person.has_clients)


def properties_of(person: Person, *, user_id: str) -> Properties:
    """What Loops is to hold of a person: only what applies, only what is not blank. A client's id goes before ours."""
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
    return {"email": person.email, "userId": str(person.client.pk) if person.client else user_id, **properties}


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
        # Only a client has no group.
        body["source"] = settings.LOOPS_SOURCE if "userGroup" in properties else settings.LOOPS_CLIENT_SOURCE
    return body


def differences(before: Properties, after: Properties) -> list[tuple[str, Any, Any]]:
    """What is not the same on both sides, by property, in the order in which they are told; None for nothing."""
    keys = [key for key in ("email", "userId", *OWN_KEYS, "mailingLists") if key in before or key in after]
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def without_lists(body: Properties) -> Properties:
    """The request for somebody who unsubscribed: they are put on no list, only taken off."""
    lists = {name: False for name, wanted in body.get("mailingLists", {}).items() if not wanted}
    rest = {key: value for key, value in body.items() if key != "mailingLists"}
    return {**rest, "mailingLists": lists} if lists else rest


def _lists(properties: Properties, accepted: Properties | None) -> dict[str, bool]:
    ours = {name for name in settings.LOOPS_LISTS.values() if name}
    held = ours if accepted is None else set(accepted.get("mailingLists", {}))
    return {**dict.fromkeys(sorted(held), False), **properties.get("mailingLists", {})}


def _personal(person: Person) -> dict[str, str]:
    """Name, company and phone: the client's word before the nominee's, the nominator's and the voter's."""
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
    return {**found, **_as_client(person)}


def _as_client(person: Person) -> dict[str, str]:
    client = person.client
    if client is None:
        return {}
    values = {
        "firstName": client.first_name,
        "lastName": client.last_name,
        "company": client.company,
        "phone": client.phone,
    }
    return {key: value for key, value in values.items() if value}


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


def recipient_of(kind: str, subject: MailSubject) -> Nominator | Nominee | Voter:
    """Whom a mail about the nomination or vote is for."""
    if isinstance(subject, Vote):
        return subject.voter
    return subject.nominee if kind == "nominee_approved" else subject.nominator


def mail_variables(kind: str, subject: MailSubject) -> Properties:
    """What a template may say. All of a kind's variables, because Loops refuses a mail that lacks one it uses."""
    who, person = MAIL_ROLES[kind], recipient_of(kind, subject)
    full_name = person.name if isinstance(person, Nominee) else str(person)
    nominee, category = subject.nominee, subject.category
    found = {
        f"{who}FirstName": person.first_name,
        f"{who}LastName": person.last_name,
        f"{who}FullName": full_name,
        f"{who}Email": person.email,
        f"{who}Company": getattr(person, "company_name", "") or person.company,
        f"{who}JobTitle": person.job_title,
        "nomineeDisplayName": nominee.name,
        "nomineeUrl": nominee.live_url if nominee.state == Nominee.State.LIVE else "",
        "categoryName": category.group.name,
        "subcategoryName": category.label,
        **_mail_times(kind, subject),
    }
    return {key: _cut(value) for key, value in found.items()}


def _mail_times(kind: str, subject: MailSubject) -> dict[str, str]:
    approved_at = subject.approved_at if isinstance(subject, Nomination) and kind.endswith("_approved") else None
    at, fact = (approved_at or subject.created_at).astimezone(UTC), MAIL_FACTS[kind]
    return {
        f"{fact}Timestamp": _moment(at),
        f"{fact}Date": f"{at.day} {at:%B %Y}",
        f"{fact}Time": f"{at:%H:%M} UTC",
    }
