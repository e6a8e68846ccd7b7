"""Which lead a fetched contact is, and what it changes: worked out in memory, so that preview and run judge alike."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError

from crm.models import Lead, SyncOutcome, normal_email, normal_phone
from crm.providers import FetchedContact

Bucket, Reason = SyncOutcome.Bucket, SyncOutcome.Reason
# What the CRM owns follows it, blanks too; who somebody is follows it unless staff edited it, and blanks never erase.
CRM_OWNED = ("crm_owner", "crm_owner_email", "crm_status", "crm_stage", "crm_description", "crm_last_activity_at")
IDENTITY = ("name", "first_name", "last_name", "phone", "phone_raw", "email", "company")
COMPARED = (*IDENTITY, *CRM_OWNED, "opted_out")
LOADED = (
    "id",
    *COMPARED,
    "lead_type",
    "edited_fields",
    "crm_id",
    "crm_source",
    "crm_account_id",
    "crm_deleted_at",
    "erased_at",
)
LENGTHS = {
    name: Lead._meta.get_field(name).max_length  # type: ignore[union-attr]
    for name in (*IDENTITY, *CRM_OWNED)
    if name not in ("crm_description", "crm_last_activity_at")
}

Known = dict[str, Any]


@dataclass
class Outcome:
    """What becomes of one contact. `values` are those of the lead to write; `changes` say `[before, after]`."""

    contact: FetchedContact
    bucket: str
    reason: str = ""
    lead: UUID | None = None
    values: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Claims:
    """The leads that contacts of this run stand for already."""

    # Nothing here holds other objects, so that a hundred thousand of them are no work for the garbage collector.
    by_lead: set[bytes] = field(default_factory=set)
    by_phone: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by_email: set[str] = field(default_factory=set)

    def holds(self, phone: str, email: str) -> bool:
        """Whether another contact of this run is the same person: by phone unless both emails differ, or by email."""
        emails = self.by_phone.get(phone, ()) if phone else ()
        if any(not email or not other or email == other for other in emails):
            return True
        return bool(email) and email in self.by_email

    def add(self, lead: UUID, phone: str, email: str) -> None:
        """The contact stands for this lead from now on."""
        self.by_lead.add(lead.bytes)
        if phone:
            self.by_phone[phone] = (*self.by_phone.get(phone, ()), email)
        if email:
            self.by_email.add(email)


@dataclass
class Free:
    """Leads of the business that belong to no id of this CRM account, oldest first."""

    by_phone: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))
    by_email: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))

    def add(self, lead: Known) -> None:
        """To be found by phone and email."""
        if lead["phone"]:
            self.by_phone[lead["phone"]].append(lead)
        if lead["email"]:
            self.by_email[lead["email"]].append(lead)


def phone_of(contact: FetchedContact, region: str, known: Known | None) -> tuple[str, str]:
    """E.164 and the text it came from: the phone, else the mobile. "" where neither is in use.

    What is known already is not worked out again: that takes longer than all the rest.
    """
    for raw in (contact.phone, contact.mobile):
        if known and raw and raw == known["phone_raw"] and known["phone"]:
            return known["phone"], raw
        try:
            normal = normal_phone(raw, region, must_be_valid=True) if raw else ""
        except ValidationError:
            continue
        if normal:
            return normal, raw
    return "", contact.phone or contact.mobile


def values_of(contact: FetchedContact, phone: str, raw: str) -> dict[str, Any]:
    """The contact in our columns, cut to their lengths."""
    name = contact.name or f"{contact.first_name} {contact.last_name}".strip()
    values: dict[str, Any] = {
        "name": name,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "phone": phone,
        "phone_raw": raw,
        "email": normal_email(contact.email),
        "company": contact.company,
        "crm_owner": contact.owner,
        "crm_owner_email": normal_email(contact.owner_email),
        "crm_status": contact.status,
        "crm_stage": contact.stage or contact.status,
        "crm_description": contact.description,
        "crm_last_activity_at": contact.last_activity_at,
        "opted_out": contact.opted_out,
    }
    for column, length in LENGTHS.items():
        values[column] = values[column][:length]
    return values


def judge(
    contact: FetchedContact,
    values: dict[str, Any],
    known: Known | None,
    *,
    free: Free,
    claims: Claims,
    require_phone: bool,
) -> Outcome:
    """What becomes of the contact. `known` is the lead of its CRM id. The lead it stands for is claimed."""
    if known is not None and known["erased_at"] is not None:
        claims.by_lead.add(known["id"].bytes)
        return left_alone(Outcome(contact, Bucket.UNCHANGED, lead=known["id"]))
    if known is None:
        reason = _reason_to_skip(contact, values, require_phone)
        if not reason and claims.holds(values["phone"], values["email"]):
            reason = Reason.DUPLICATE_IN_RUN
        if reason:
            return Outcome(contact, Bucket.SKIPPED, reason)
        known = _alike(values, free, claims)
    return _written(contact, values, known, claims)


def left_alone(outcome: Outcome) -> Outcome:
    """Whoever was forgotten stays so: not even the outcome says who it is."""
    outcome.contact = FetchedContact(crm_id=outcome.contact.crm_id)
    outcome.bucket, outcome.values, outcome.changes = Bucket.UNCHANGED, {}, {}
    return outcome


def _reason_to_skip(contact: FetchedContact, values: dict[str, Any], require_phone: bool) -> str:
    """In the order in which they are documented."""
    has_phone = bool(contact.phone or contact.mobile)
    if not values["name"]:
        return Reason.NO_NAME
    if not has_phone and not values["email"]:
        return Reason.NO_CONTACT
    if not has_phone and require_phone:
        return Reason.NO_PHONE
    if has_phone and not values["phone"] and (require_phone or not values["email"]):
        return Reason.BAD_PHONE
    return ""


def _alike(values: dict[str, Any], free: Free, claims: Claims) -> Known | None:
    """A lead that is nobody else's in this CRM account: by phone unless both emails differ, then by email."""
    phone, email = values["phone"], values["email"]
    for lead in free.by_phone.get(phone, ()) if phone else ():
        agrees = not email or not lead["email"] or email == lead["email"]
        if agrees and lead["id"].bytes not in claims.by_lead:
            return lead
    return next((lead for lead in free.by_email.get(email, ()) if lead["id"].bytes not in claims.by_lead), None)


def _written(contact: FetchedContact, values: dict[str, Any], known: Known | None, claims: Claims) -> Outcome:
    if known is None:
        new = uuid4()
        claims.add(new, values["phone"], values["email"])
        return Outcome(contact, Bucket.CREATED, lead=new, values=values)
    values = kept(values, known, owner_unread=contact.owner_unread)
    changes = {name: [_plain(known[name]), _plain(values[name])] for name in COMPARED if known[name] != values[name]}
    if known["crm_deleted_at"] is not None:
        changes["crm_deleted_at"] = [_plain(known["crm_deleted_at"]), None]
    is_taken_over = known["crm_id"] != contact.crm_id
    values["lead_type"] = known["lead_type"] if known["crm_id"] else Lead.Type.OLD
    bucket = Bucket.UPDATED if changes or is_taken_over else Bucket.UNCHANGED
    claims.add(known["id"], values["phone"], values["email"])
    return Outcome(contact, bucket, lead=known["id"], values=values, changes=changes)


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def kept(values: dict[str, Any], known: Known, *, owner_unread: bool = False) -> dict[str, Any]:
    """What the lead says after: hand edits stay, blanks erase no identity, an opt-out is never taken back."""
    after = dict(values)
    for name in IDENTITY:
        edited = "phone" if name == "phone_raw" else name
        if edited in known["edited_fields"] or not after[name] or (name == "phone_raw" and not values["phone"]):
            after[name] = known[name]
    if owner_unread:
        after |= {"crm_owner": known["crm_owner"], "crm_owner_email": known["crm_owner_email"]}
    after["opted_out"] = known["opted_out"] or after["opted_out"]
    return after
