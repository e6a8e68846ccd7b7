"""What is known of a person here, and how it is forgotten.

Every app above says the same of its own tables, in a module of this name; config puts them together. Rows that others
are counted by stay, without the person; rows that tell of nothing else go.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import phonenumbers
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import CharField, JSONField, Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import get_token_model

from crm.models import Client, IdempotencyKey, Lead, Message, RateGate, SyncOutcome, User

FIRST, LAST = "Erased", "person"
PLACEHOLDER = f"{FIRST} {LAST}"
INSTEAD = "[erased]"
ANSWER_OF_NOBODY = "{}"


@dataclass(frozen=True)
class Subject:
    """A person by address, by phone, or by both, and what the rows that are theirs call them besides.

    An address and a phone are nobody else's, so that they are looked for everywhere; a name may be another's too, so
    that it is looked for only beside the person. `emails` are those of the person's rows, the given one among them.
    """

    email: str = ""
    phone: str = ""
    users: frozenset[int] = frozenset()
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    spellings: frozenset[str] = frozenset()

    def known_by(self, email: str = "email", phone: str = "phone") -> Q:
        """Rows that carry the address or the phone."""
        found = Q(**{email: self.email}) if self.email else Q(pk__in=[])
        return found | Q(**{phone: self.phone}) if self.phone and phone else found

    def with_rows(self, rows: Iterable[Any]) -> "Subject":
        """Having looked at rows that are theirs."""
        emails, names, spellings = set(self.emails), set(self.names), set(self.spellings)
        for row in rows:
            emails.add(getattr(row, "email", None) or "")
            names.add(f"{getattr(row, 'first_name', '')} {getattr(row, 'last_name', '')}".strip())
            names.add(getattr(row, "name", ""))
            spellings.add(getattr(row, "phone_raw", ""))
        # A first name alone is half the world's.
        whole = {name for name in names if " " in name and name != PLACEHOLDER}
        return replace(
            self, emails=frozenset(emails - {""}), names=frozenset(whole), spellings=frozenset(spellings - {""})
        )

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Patterns of the address and of the phone in any spelling, good for both databases."""
        email = [re.escape(self.email)] if self.email else []
        return (*email, *([phone_pattern(self.phone)] if self.phone else []))


@dataclass(frozen=True)
class Holding:
    """Rows that tell of the person, and what forgetting makes of them: in words, and done.

    Those that are somebody else's, and only speak of the person, are not for the export.
    """

    rows: QuerySet[Any]
    then: str
    forget: Callable[[QuerySet[Any], User], object]
    is_theirs: bool = True


def phone_pattern(phone: str) -> str:
    """`+447306506797` as people write it, also `07306 506797` and `+44 (0)7306-506797`."""
    number = phonenumbers.parse(phone)
    digits = phonenumbers.national_significant_number(number)
    return "[^0-9A-Za-z]{0,3}".join(digits)


def user_rows(subject: Subject) -> QuerySet[User]:
    """Their logins."""
    return User.objects.filter(Q(pk__in=subject.users) | Q(email__in=[subject.email] if subject.email else []))


def people(subject: Subject) -> list[QuerySet[Any]]:
    """The rows here that are the person."""
    found = subject.known_by()
    return [user_rows(subject), Client.objects.filter(found), Lead.objects.filter(found)]


def holdings(subject: Subject) -> list[Holding]:
    """Logins, clients, leads, and what hangs on them; answers that were kept, failed logins, sessions."""
    found = subject.known_by()
    leads = Lead.objects.filter(found)
    by_crm_id = Q(crm_id__in=leads.exclude(crm_id=None).values("crm_id"), run__connection__business__leads__in=leads)
    outcomes = SyncOutcome.objects.filter(Q(lead__in=leads) | by_crm_id | Q(name__in=subject.names)).distinct()
    names = Q(pk__in=mentioning(IdempotencyKey.objects.all(), ["body", "key"], _patterns(subject)).values("pk"))
    tried = Q(username__in=subject.emails)
    return [
        Holding(user_rows(subject), "Closed, without address and name", _close_logins),
        Holding(Client.objects.filter(found), "Deleted", _delete_each),
        Holding(Message.objects.filter(lead__in=leads), "Deleted", _delete),
        Holding(leads.filter(crm_id=None), "Deleted", _delete),
        Holding(leads.exclude(crm_id=None), "Emptied, so that the CRM does not bring them again", _empty_leads),
        Holding(_owned(subject), "Without the CRM’s word of who owns it", _disown, is_theirs=False),
        Holding(outcomes, "Without name and changes", _blank_outcomes),
        Holding(IdempotencyKey.objects.filter(names), "Forgotten", _forget_answers, is_theirs=False),
        Holding(AccessAttempt.objects.filter(tried), "Deleted", _delete, is_theirs=False),
        Holding(AccessFailureLog.objects.filter(tried), "Deleted", _delete, is_theirs=False),
        Holding(AccessLog.objects.filter(tried), "Deleted", _delete, is_theirs=False),
        Holding(_gates(subject), "Deleted", _delete, is_theirs=False),
        Holding(_sessions(subject), "Ended", _delete, is_theirs=False),
    ]


def _patterns(subject: Subject) -> list[str]:
    return [*subject.identifiers, *(re.escape(name) for name in subject.names)]


def _owned(subject: Subject) -> QuerySet[Lead]:
    """Leads of others whom they look after in the CRM, which says so again until it is corrected there."""
    return Lead.objects.exclude(subject.known_by()).filter(
        crm_owner_email__in=[subject.email] if subject.email else []
    )


def _disown(rows: QuerySet[Any], by: User) -> None:
    rows.update(crm_owner="", crm_owner_email="")


def _gates(subject: Subject) -> QuerySet[RateGate]:
    return mentioning(RateGate.objects.all(), ["name"], subject.identifiers)


def _sessions(subject: Subject) -> QuerySet[Session]:
    """Of their logins, and those that remember what they typed. Only opening them tells which."""
    users = {str(pk) for pk in user_rows(subject).values_list("pk", flat=True)}
    pattern = re.compile("|".join(_patterns(subject)) or r"(?!)", re.IGNORECASE)
    found = []
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        held = session.get_decoded()
        if held.get(SESSION_KEY) in users or pattern.search(json.dumps(held, ensure_ascii=False, default=str)):
            found.append(session.pk)
    return Session.objects.filter(pk__in=found)


def _delete(rows: QuerySet[Any], by: User) -> None:
    rows.delete()


def _delete_each(rows: QuerySet[Any], by: User) -> None:
    """One at a time, so that those who listen hear of each."""
    for row in rows:
        row.delete()


def _close_logins(rows: QuerySet[Any], by: User) -> None:
    """What they have done stays theirs: a row without a name."""
    for user in rows:
        user.email, user.first_name, user.last_name, user.last_login = None, FIRST, LAST, None
        user.is_active = user.is_staff = user.is_superuser = False
        user.set_unusable_password()
        user.save()
        user.groups.clear()
        user.user_permissions.clear()
        user.memberships.all().delete()
    for model in (get_token_model(), TOTPDevice, StaticDevice):
        model.objects.filter(user__in=rows).delete()


def _empty_leads(rows: QuerySet[Any], by: User) -> None:
    """Only the CRM's id is left, by which the next sync knows whom to leave alone."""
    now = timezone.now()
    blank = dict.fromkeys(
        ("first_name", "last_name", "phone", "phone_raw", "email", "company", "status", "last_message"), ""
    )
    crm = dict.fromkeys(("crm_owner", "crm_owner_email", "crm_status", "crm_stage", "crm_description"), "")
    moments = dict.fromkeys(("crm_last_activity_at", "last_message_at"))
    rows.update(
        **blank, **crm, **moments, name=PLACEHOLDER, opted_out=True, crm_deleted_at=now, erased_at=now, updated_at=now
    )


def _blank_outcomes(rows: QuerySet[Any], by: User) -> None:
    rows.update(name="", changes={})


def _forget_answers(rows: QuerySet[Any], by: User) -> None:
    """Who sends the same again gets an empty answer, and still no second effect."""
    rows.update(body=ANSWER_OF_NOBODY)


def mentioning(rows: QuerySet[Any], fields: Sequence[str], patterns: Sequence[str]) -> QuerySet[Any]:
    """Those rows in one of whose texts, or values of JSON, one of the patterns is found."""
    if not patterns:
        return rows.none()
    found = Q(pk__in=[])
    texts = {}
    for name in fields:
        field = rows.model._meta.get_field(name)
        column = name
        if isinstance(field, JSONField):
            column = f"{name}_as_text"
            texts[column] = Cast(name, TextField())
        for pattern in patterns:
            found |= Q(**{f"{column}__iregex": pattern})
            # SQLite keeps JSON as it was written, with letters beyond ASCII escaped.
            escaped = json.dumps(pattern)[1:-1].replace("\\\\", "\\")
            if isinstance(field, JSONField) and escaped != pattern:
                found |= Q(**{f"{column}__iregex": escaped.replace("\\u", r"\\u")})
    found_rows: QuerySet[Any] = rows.alias(**texts).filter(found)
    return found_rows


def text_fields(model: type[Model]) -> list[str]:
    """Columns that may hold what somebody typed: no keys, no choices."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, CharField | TextField | JSONField)
        and not (field.primary_key or field.is_relation or field.choices)
    ]


def erase_mentions(rows: QuerySet[Any], fields: Sequence[str], patterns: Sequence[str]) -> None:
    """Take what the patterns find out of the texts. A column that is nothing but an address or phone gets blank."""
    pattern = re.compile("|".join(patterns), re.IGNORECASE)
    for row in rows.only("pk", *fields):
        changed = {}
        for name in fields:
            value = getattr(row, name)
            after = _without(value, pattern)
            if after != value:
                changed[name] = _fitting(row._meta.get_field(name), after)
        if changed:
            type(row)._default_manager.filter(pk=row.pk).update(**changed)


def _without(value: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(INSTEAD, value)
    if isinstance(value, list):
        return [_without(item, pattern) for item in value]
    if isinstance(value, dict):
        return {pattern.sub(INSTEAD, str(key)): _without(item, pattern) for key, item in value.items()}
    return value


def _fitting(field: Any, value: Any) -> Any:
    """Blank where the column takes only whole addresses or phones; cut where the text has become too long."""
    if type(field).__name__ in ("EmailField", "PhoneField", "URLField", "SlugField"):
        return None if field.null else ""
    return value[: field.max_length] if isinstance(value, str) and field.max_length else value
