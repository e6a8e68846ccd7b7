"""The fields of Contact and Lead, as a query names and an answer nests them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from config.sandbox.crms import times
from config.sandbox.crms.person import Person
from config.sandbox.crms.places import PLACES

if TYPE_CHECKING:
    from config.sandbox.crms.salesforce import Salesforce

Json = dict[str, Any]
TABLES = {"contact": "Contact", "lead": "Lead"}
# Who owns a lead may be a queue, so that Salesforce speaks of a name.
RELATED = {("contact", "Owner"): "User", ("lead", "Owner"): "Name", ("contact", "Account"): "Account"}
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@lru_cache(maxsize=4096)
def salesforce_id(prefix: str, number: int) -> str:
    """15 characters that grow with the number, and three that tell which of them are capitals."""
    digits = ""
    while number:
        number, at = divmod(number, len(DIGITS))
        digits = DIGITS[at] + digits
    id_ = prefix + digits.zfill(12)
    blocks = (id_[start : start + 5] for start in (0, 5, 10))
    return id_ + "".join(CHECKSUM[sum(char.isupper() << at for at, char in enumerate(block))] for block in blocks)


def stamp(moment: int) -> str:
    """A datetime as Salesforce writes it, without a colon in the offset."""
    return times.iso(moment).replace("Z", "+0000")


def values(org: "Salesforce", person: Person) -> Json:
    """All fields that a query may name."""
    owner, place = org.owner_of(person), PLACES.get(person.country or "")
    return {
        "Id": org.person_id(person.position),
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "Name": person.name,
        "Email": person.email,
        "Phone": person.phone,
        "MobilePhone": person.mobile,
        "Title": person.title,
        "OwnerId": owner.id,
        "Owner.Id": owner.id,
        "Owner.Name": owner.name,
        "Owner.Email": owner.email,
        "LeadSource": person.lead_source,
        "Description": person.description,
        "LastActivityDate": None if person.last_activity is None else times.day(person.last_activity),
        "HasOptedOutOfEmail": person.email_opt_out,
        "DoNotCall": person.do_not_call,
        "CreatedDate": stamp(person.created),
        "LastModifiedDate": stamp(person.updated),
        "SystemModstamp": stamp(person.updated),
        "IsDeleted": person.deleted is not None,
        "MasterRecordId": None if person.merged_into is None else org.person_id(person.merged_into),
        "Country" if person.module == "lead" else "MailingCountry": place.name if place else person.country,
        **(_of_lead(org, person) if person.module == "lead" else _of_contact(org, person)),
    }


def field_names(module: str) -> dict[str, str]:
    """The fields of a table by their names in lower case."""
    own = "Company Status IsConverted ConvertedContactId Country" if module == "lead" else ""
    own = own or "AccountId Account.Id Account.Name MailingCountry"
    return {name.lower(): name for name in [*_COMMON, *own.split()]}


def record(person: Person, all_values: Json, names: Iterable[str], version: str) -> Json:
    """One record of an answer: related objects nested, each with its attributes."""
    shown: Json = {"attributes": _attributes(TABLES[person.module], all_values["Id"], version)}
    for name in names:
        relation, dot, field = name.partition(".")
        if not dot:
            shown[name] = all_values[name]
        elif all_values[f"{relation}.Id"] is None:
            shown[relation] = None
        else:
            related = _attributes(RELATED[person.module, relation], all_values[f"{relation}.Id"], version)
            shown.setdefault(relation, {"attributes": related})[field] = all_values[name]
    return shown


class Row:
    """A person as a condition looks at it: moments in milliseconds, made only when that does not do."""

    def __init__(self, org: "Salesforce", position: int, names: dict[str, str]) -> None:
        """Nothing is looked up yet."""
        self._org, self._position, self._names = org, position, names

    def __getitem__(self, name: str) -> Any:
        """The value of a field in any case."""
        known = name.lower()
        if known in ("systemmodstamp", "lastmodifieddate"):
            return self._org.book.updated(self._position)
        if known == "createddate":
            return self._org.book.person(self._position).created
        kept = self._org.book.kept(self._position)
        if kept is None and known in ("isconverted", "isdeleted"):
            return False
        return values(self._org, self._org.book.person(self._position))[self._names[known]]


_COMMON = (
    "Id FirstName LastName Name Email Phone MobilePhone Title OwnerId Owner.Id Owner.Name Owner.Email LeadSource "
    "Description LastActivityDate HasOptedOutOfEmail DoNotCall CreatedDate LastModifiedDate SystemModstamp IsDeleted "
    "MasterRecordId"
).split()


def _of_lead(org: "Salesforce", person: Person) -> Json:
    """What only a lead has."""
    converted = None if person.converted_to is None else org.person_id(person.converted_to)
    return {
        "Company": person.company,
        "Status": person.status,
        "IsConverted": converted is not None,
        "ConvertedContactId": converted,
    }


def _of_contact(org: "Salesforce", person: Person) -> Json:
    """What only a contact has."""
    company = org.shown_company(person)
    account_id = org.record_id("001", org.company_number(company)) if company else None
    return {"AccountId": account_id, "Account.Id": account_id, "Account.Name": company}


def _attributes(table: str, id_: str, version: str) -> dict[str, str]:
    """What every record begins with."""
    return {"type": table, "url": f"/services/data/v{version}/sobjects/{table}/{id_}"}
