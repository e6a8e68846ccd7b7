"""A person's data over all apps: shown, handed out, forgotten. What is whose, each app says of its own tables."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django_q.models import Task

from crm.models import Erasure, User, normal_email, normal_phone
from crm.services import erasing as crm
from crm.services.erasing import PLACEHOLDER, Holding, Subject, erase_mentions, mentioning, text_fields
from loops_sync.models import Contact
from loops_sync.services import erasing as loops
from loyalty.models import Customer, PointsTransaction
from loyalty.services import erasing as loyalty
from nominations.models import DecisionLog, ManualVote, VoteRuling
from nominations.services import erasing as nominations

# Nobody needs these to know what is known of them, and they open doors.
SECRET_COLUMNS = {"password", "secret", "handle", "token_hash", "session_data"}
# Their own app forgets in them: a trigger lets nothing else through.
APPEND_ONLY: tuple[type[Model], ...] = (DecisionLog, ManualVote, PointsTransaction, VoteRuling)
MENTION = "The address or phone is taken out of the text"


@dataclass(frozen=True)
class Finding:
    """Some rows of one table, and what forgetting makes of them."""

    holding: Holding
    ids: list[Any]

    @property
    def model(self) -> type[Model]:
        """The table."""
        return self.holding.rows.model

    @property
    def rows(self) -> QuerySet[Any]:
        """Just these rows, whatever becomes of what they were found by."""
        return self.model._default_manager.filter(pk__in=self.ids)

    @property
    def what(self) -> str:
        """As staff call the table."""
        return str(capfirst(self.model._meta.verbose_name_plural))


def identify(email: str = "", phone: str = "") -> Subject:
    """The person of an address, a phone or both, in any spelling, with what their rows call them.

    Raises ValidationError naming the field.
    """
    found = Subject(email=_address(email), phone=_number(phone))
    if not found.email and not found.phone:
        raise ValidationError("Give an address, a phone, or both.", code="nobody")
    found = replace(found, emails=frozenset({found.email} - {""}))
    for _round in range(2):  # a customer leads to a login, which leads to a customer
        logins = set(crm.user_rows(found).values_list("pk", flat=True))
        logins |= set(loyalty.customer_rows(found).exclude(user=None).values_list("user", flat=True))
        found = replace(found, users=frozenset(logins))
    rows = (*crm.people(found), *nominations.people(found), *loyalty.people(found))
    return found.with_rows(row for some in rows for row in some)


def _address(text: str) -> str:
    email = normal_email(text)
    try:
        if email:
            validate_email(email)
    except ValidationError as error:
        raise ValidationError({"email": error.messages}) from error
    return email


def _number(text: str) -> str:
    try:
        return normal_phone(text)
    except ValidationError as error:
        raise ValidationError({"phone": error.messages}) from error


def findings(subject: Subject) -> list[Finding]:
    """Everything that forgetting touches, in the order in which it does: Loops last, which looks at who is left."""
    held = [
        *crm.holdings(subject),
        *nominations.holdings(subject),
        *loyalty.holdings(subject),
        *loops.holdings(subject),
    ]
    found = [Finding(holding, list(holding.rows.values_list("pk", flat=True))) for holding in held]
    found = [finding for finding in found if finding.ids]
    return [*_log_of(found, subject), *found, *_mentions(found, subject)]


def _log_of(found: list[Finding], subject: Subject) -> Iterable[Finding]:
    """What the admin wrote down about these rows, and what the queue wrote down of its failures."""
    about = Q(pk__in=[])
    for finding in found:
        if finding.holding.is_theirs:
            kind = ContentType.objects.get_for_model(finding.model)
            about |= Q(content_type=kind, object_id__in=[str(pk) for pk in finding.ids])
    log = Holding(LogEntry.objects.filter(about), "Stays, without name and words", _blank_log, is_theirs=False)
    told = [task.pk for task in Task.objects.filter(success=False).iterator() if _tells(task, subject)]
    failed = Holding(Task.objects.filter(pk__in=told), "Deleted", _delete, is_theirs=False)
    for holding in (log, failed):
        ids = list(holding.rows.values_list("pk", flat=True))
        if ids:
            yield Finding(holding, ids)


def _tells(task: Task, subject: Subject) -> bool:
    text = f"{task.args} {task.kwargs} {task.result}".lower()
    return any(known and known.lower() in text for known in (subject.email, subject.phone, *subject.names))


def _blank_log(rows: QuerySet[Any], by: User) -> None:
    rows.update(object_repr=PLACEHOLDER, change_message="")


def _delete(rows: QuerySet[Any], by: User) -> None:
    rows.delete()


def _mentions(found: list[Finding], subject: Subject) -> Iterable[Finding]:
    """Where else the address or the phone stands: in whatever text of whatever table, also of later ones."""
    patterns = subject.identifiers
    for model in apps.get_models():
        fields = [name for name in text_fields(model) if (model, name) != (Contact, "email")]
        if model in APPEND_ONLY or not fields or not model._meta.managed:
            continue
        rows = mentioning(model._default_manager.all(), fields, patterns)
        known = {pk for finding in found if finding.model is model for pk in finding.ids}
        ids = [pk for pk in rows.values_list("pk", flat=True) if pk not in known]
        # Of the rows that are known, some texts stay: what is left of the address in them goes as well.
        if ids or known:
            forget = partial(_take_out, fields=fields, patterns=patterns)
            yield Finding(Holding(rows, MENTION, forget, is_theirs=False), ids)


def _take_out(rows: QuerySet[Any], by: User, *, fields: list[str], patterns: tuple[str, ...]) -> None:
    erase_mentions(mentioning(rows.model._default_manager.all(), fields, patterns), fields, patterns)


def also_known_by(subject: Subject) -> list[str]:
    """Other addresses of the same rows: rows that have only those are not found by what was given."""
    phones = {row.phone for rows in loyalty.people(subject) for row in rows if isinstance(row, Customer) and row.phone}
    return sorted((subject.emails - {subject.email}) | (phones - {subject.phone}))


def export(subject: Subject) -> dict[str, Any]:
    """All that is known of the person, table by table, as JSON can hold it with Django's encoder."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for finding in findings(subject):
        if finding.holding.is_theirs:
            names = [name.attname for name in finding.model._meta.concrete_fields if name.name not in SECRET_COLUMNS]
            tables.setdefault(finding.model._meta.label, []).extend(finding.rows.values(*names))
    asked = {"email": subject.email, "phone": subject.phone}
    return {"asked_for": asked, "made_at": timezone.now(), "also_known_by": also_known_by(subject), "tables": tables}


def forget(subject: Subject, *, by: User) -> Erasure:
    """Forget the person everywhere, in one transaction; workers tell Loops soon after.

    Raises ValidationError: nothing is known of them, or they are staff, whose login has to be closed first.
    """
    with transaction.atomic():
        if crm.user_rows(subject).filter(is_active=True, is_staff=True).exists():
            raise ValidationError("This is a member of staff: close their login first.", code="still_staff")
        found = findings(subject)
        counts: dict[str, int] = {}
        for finding in found:
            finding.holding.forget(finding.rows, by)
            counts[finding.model._meta.label] = counts.get(finding.model._meta.label, 0) + len(finding.ids)
        counts = {label: count for label, count in counts.items() if count}
        if not counts:
            raise ValidationError("Nothing is known of them.", code="nobody")
        return Erasure.objects.create(by=by, counts=counts)


def is_address_kept_for_loops() -> bool:
    """Whether the address stays in one row until Loops can be told to delete it."""
    return not settings.LOOPS_SYNC_ENABLED
