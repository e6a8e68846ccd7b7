"""What the account at Loops must have before it can hold what it is told."""

from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from loops_sync import client
from loops_sync.contacts import CUSTOM_TYPES
from loops_sync.models import AccountSetup
from loops_sync.services.pace import wait_for_slot


@dataclass
class SetupReport:
    """Names of properties, and what only a person can mend: types by property, and settings with their list's id."""

    created: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mistyped: dict[str, str] = field(default_factory=dict)
    missing_lists: list[str] = field(default_factory=list)


def set_up_account(*, create: bool = True) -> SetupReport:
    """Make the custom properties that Loops does not have, and see which mailing lists of the settings it lacks.

    What was seen is kept for the system check. Running it twice, or twice at once, makes nothing twice; with `create`
    false it only looks. Raises LoopsError, and Stop when the line has to rest.
    """
    wait_for_slot()
    held = client.list_properties()
    report = SetupReport(present=[name for name in CUSTOM_TYPES if name in held])
    report.mistyped = {name: held[name] for name in report.present if held[name] != CUSTOM_TYPES[name]}
    report.missing = [name for name in CUSTOM_TYPES if name not in held]
    if create:
        _create_missing(report)
    wait_for_slot()
    known = client.list_lists()
    wanted = {f"LOOPS_LIST_{role.upper()}": list_id for role, list_id in settings.LOOPS_LISTS.items() if list_id}
    report.missing_lists = [f"{name}={list_id}" for name, list_id in wanted.items() if list_id not in known]
    _keep(report)
    return report


def _create_missing(report: SetupReport) -> None:
    for name in list(report.missing):
        wait_for_slot()
        try:
            client.create_property(name, CUSTOM_TYPES[name])
        except client.LoopsError as error:
            if not error.permanent or not _is_there(name):
                raise
            report.present.append(name)  # somebody was faster
        else:
            report.created.append(name)
        report.missing.remove(name)


def _is_there(name: str) -> bool:
    wait_for_slot()
    return name in client.list_properties()


def _keep(report: SetupReport) -> None:
    seen = {
        "checked_at": timezone.now(),
        "missing_properties": report.missing,
        "mistyped": report.mistyped,
        "missing_lists": report.missing_lists,
    }
    AccountSetup.objects.update_or_create(pk=1, defaults=seen)
