"""Connections, runs and what they changed, as one says it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import phonenumbers
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from crm.models import Connection, Lead, SyncOutcome, SyncRun
from notifications.admin import badge

Bucket, Reason = SyncOutcome.Bucket, SyncOutcome.Reason
Status, Strategy, Trigger = SyncRun.Status, SyncRun.Strategy, SyncRun.Trigger
DATED_AFTER = timedelta(days=7)
# The staff site's colours.
RUN_COLOURS = {
    Status.QUEUED: "pending",
    Status.RUNNING: "processing",
    Status.DONE: "done",
    Status.FAILED: "failed",
}
BUCKET_COLOURS = {
    Bucket.CREATED: "approved",
    Bucket.UPDATED: "processing",
    Bucket.UNCHANGED: "closed",
    Bucket.SKIPPED: "pending",
    Bucket.FAILED: "failed",
    Bucket.REMOVED: "rejected",
}
BUCKET_WORDS = {
    Bucket.CREATED: "New",
    Bucket.UPDATED: "Updated",
    Bucket.UNCHANGED: "Unchanged",
    Bucket.SKIPPED: "Skipped",
    Bucket.FAILED: "Failed",
    Bucket.REMOVED: "Marked as gone",
}
REASON_WORDS = {
    Reason.NO_NAME: "No name",
    Reason.NO_CONTACT: "Neither phone nor email",
    Reason.NO_PHONE: "No phone",
    Reason.BAD_PHONE: "Phone not in use",
    Reason.DUPLICATE_IN_RUN: "Same person twice",
}
FIELD_WORDS = {
    "name": "Name",
    "first_name": "First name",
    "last_name": "Last name",
    "phone": "Phone",
    "phone_raw": "Phone as the CRM writes it",
    "email": "Email",
    "company": "Company",
    "crm_owner": "Owner",
    "crm_owner_email": "Owner’s email",
    "crm_status": "CRM status",
    "crm_stage": "Stage",
    "crm_description": "Notes",
    "crm_last_activity_at": "Last activity",
    "crm_deleted_at": "In the CRM",
    "opted_out": "Opted out",
}
TRIGGER_WORDS = {
    Trigger.PERSON: "somebody",
    Trigger.CONNECT: "the new connection",
    Trigger.HOURLY: "the hourly sync",
    Trigger.NIGHTLY: "the nightly sync",
    Trigger.CRON: "the outside clock",
    Trigger.WEBHOOK: "the CRM itself",
}
# How the client begins to tell of it.
KEY_REFUSED = ("Nango answered 401.", "Nango answered 403.")
KEY_OWNER = "Whoever runs this installation"
MOMENTS = ("crm_last_activity_at",)

TICK = mark_safe('<span class="tick" aria-hidden="true">✓</span><span class="visually-hidden">Contacted</span>')


@dataclass(frozen=True)
class Change:
    """A field, before and after."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Trouble:
    """What went wrong, what to do, and the other side's own words."""

    what: str
    todo: str
    detail: str = ""


def ago(at: datetime | None) -> str:
    """`Never`, `Just now`, `5 minutes ago`, and after a week the date."""
    if at is None:
        return "Never"
    passed = timezone.now() - at
    if passed > DATED_AFTER:
        return f"{timezone.localtime(at):%-d %B %Y}"
    seconds = int(passed.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "Just now"


def took(run: SyncRun) -> str:
    """How long it read and wrote: `12 s`, `3 min 5 s`."""
    if run.started_at is None or run.finished_at is None:
        return "–"
    minutes, seconds = divmod(round((run.finished_at - run.started_at).total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{max(seconds, 1)} s"


def phone_in_words(phone: str) -> str:
    """`+44 7306 506797`."""
    if not phone:
        return ""
    try:
        return phonenumbers.format_number(phonenumbers.parse(phone), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return phone


def softly(word: str) -> str:
    """A CRM's `ATTEMPTED_TO_CONTACT` as `Attempted to contact`; what is written for people stays as it is."""
    return word.replace("_", " ").capitalize() if word.isupper() or "_" in word else word


def short(text: str, length: int = 80) -> str:
    """The beginning, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def bucket_badge(outcome: SyncOutcome) -> SafeString:
    """In its colour."""
    bucket = Bucket(outcome.bucket)
    return badge(BUCKET_COLOURS[bucket], BUCKET_WORDS[bucket])


def changes_in_words(outcome: SyncOutcome) -> list[Change]:
    """Field by field, as the lead has them in its order."""
    found = [
        Change(label, _value(field, outcome.changes[field][0]), _value(field, outcome.changes[field][1]))
        for field, label in FIELD_WORDS.items()
        if field in outcome.changes
    ]
    # The same number in another spelling says nothing that the number does not.
    return [change for change in found if change.label != FIELD_WORDS["phone_raw"]] or found


def _value(field: str, value: Any) -> str:
    if field == "crm_deleted_at":
        return "gone" if value else "there again"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field in MOMENTS and value:
        at = parse_datetime(str(value))
        return f"{timezone.localtime(at):%-d %b %Y, %H:%M}" if at else str(value)
    if field in ("crm_status", "crm_stage"):
        return softly(str(value))
    return phone_in_words(value) if field == "phone" and value else str(value or "")


def title_of(run: SyncRun) -> str:
    """What it was to do."""
    if run.strategy == Strategy.PREVIEW:
        return "Preview of an overwrite" if run.of == Strategy.OVERWRITE else "Preview of a refresh"
    return "Overwrite" if run.strategy == Strategy.OVERWRITE else "Refresh"


def asked_by(run: SyncRun) -> str:
    """Who wanted it: a person by name, else what started it."""
    return str(run.by) if run.by else TRIGGER_WORDS[Trigger(run.trigger)]


def sentence_of(run: SyncRun) -> str:
    """What came of a run that ended well: new and updated add up to what was synced."""
    would = run.strategy == Strategy.PREVIEW
    total = run.created + run.updated
    return (
        f"{'Would sync' if would else 'Synced'} {total:,} contact{'' if total == 1 else 's'} "
        f"({run.created:,} new, {run.updated:,} updated)"
    )


def buckets_of(run: SyncRun) -> Iterator[tuple[str, str, int, str]]:
    """Bucket, reason, how many and what to call it: what stands beside the sentence."""
    if run.unchanged:
        yield Bucket.UNCHANGED, "", run.unchanged, "unchanged"
    for reason in Reason:
        count = run.skipped_reasons.get(reason, 0)
        if count:
            yield Bucket.SKIPPED, reason, count, f"skipped: {REASON_WORDS[reason].lower()}"
    if run.failed:
        yield Bucket.FAILED, "", run.failed, "failed"
    if run.removed:
        would = "would be " if run.strategy == Strategy.PREVIEW else ""
        yield Bucket.REMOVED, "", run.removed, f"{would}marked as gone"


def trouble_of(run: SyncRun) -> Trouble | None:
    """Why it failed and what to do, in words, and in the CRM's or Nango's own."""
    if run.status != Status.FAILED:
        return None
    crm, connection = run.connection.get_provider_display(), run.connection
    wait = f" It asks to wait {run.retry_after:,} s." if run.retry_after else ""
    known = {
        "upstream_timeout": (f"{crm} did not answer in time.", "Refresh again, or leave it to the next hour."),
        "upstream_busy": (f"{crm} had too many requests.{wait}", "The next hour tries again by itself."),
        "died": ("The worker stopped in the middle.", "Refresh: what is missing is read again."),
        "empty_fetch": (
            f"{crm} returned no contacts, so nothing was marked as gone.",
            "Look whether the right account is connected, and whether it may read contacts.",
        ),
        "limit_exceeded": (run.error, "Preview the overwrite, and confirm it there."),
    }
    if run.error_code in known:
        return Trouble(*known[run.error_code])
    if connection.reconnect_required and connection.last_error == run.error:
        return Trouble(
            f"{crm} no longer lets us in.", "Reconnect, and the next sync reads what was missed.", run.error
        )
    if run.error.startswith(KEY_REFUSED):
        return Trouble("Nango refuses our key.", f"{KEY_OWNER} has to set NANGO_SECRET_KEY right.", run.error)
    return Trouble(f"{crm} could not be read.", "The next hour tries again. If it stays, connect anew.", run.error)


def source_of(lead: Lead) -> str:
    """Where it comes from."""
    if lead.crm_id is None:
        return "Made by hand"
    return str(dict(Connection.Provider.choices).get(lead.crm_source, lead.crm_source))


def marks_of(lead: Lead) -> SafeString:
    """What one must not overlook."""
    marks = [badge("rejected", "Opted out")] if lead.opted_out else []
    marks += [badge("closed", "Gone from the CRM")] if lead.crm_deleted_at else []
    return format_html_join(" ", "{}", ((mark,) for mark in marks))


def tick(lead: Lead) -> SafeString | str:
    """Whether we wrote to them."""
    if not lead.contacted:
        return "–"
    return TICK
