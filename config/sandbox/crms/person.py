"""One person of a CRM, as no CRM in particular writes it."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Person:
    """A contact or lead. Moments are milliseconds; a missing value is None, an emptied one may be "".

    `owner` is a place in the account's list of owners. The E.164 forms are what the raw phones stand for, None where
    they stand for nothing; `dirt` says what was spoilt on purpose.
    """

    position: int
    module: str = "contact"
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    other_email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    phone_e164: str | None = None
    mobile_e164: str | None = None
    company: str | None = None
    title: str | None = None
    country: str | None = None
    owner: int | None = None
    status: str | None = None
    stage: str | None = None
    lead_source: str | None = None
    description: str | None = None
    email_opt_out: bool = False
    do_not_call: bool = False
    last_activity: int | None = None
    created: int = 0
    updated: int = 0
    deleted: int | None = None
    merged_into: int | None = None
    merged_from: list[int] = field(default_factory=list)
    converted_to: int | None = None
    dirt: str | None = None

    @property
    def name(self) -> str:
        """First and last name, as far as there are any."""
        return " ".join(part.strip() for part in (self.first_name, self.last_name) if part and part.strip())


@dataclass(frozen=True, slots=True)
class Owner:
    """A colleague at the CRM whom contacts belong to. One who left stays the owner of some."""

    id: str
    first_name: str
    last_name: str
    email: str | None
    is_active: bool

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one CRM. An empty tuple: it has no such field."""

    statuses: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
