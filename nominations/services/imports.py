"""Files of nominations that staff bring in: looked through, or taken in by a worker, chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from crm.models import User
from nominations import contacts
from nominations.models import (
    Category,
    DecisionLog,
    ImportBatch,
    ImportProblem,
    Nomination,
    Nominator,
    Season,
)
from nominations.services.known import Known
from nominations.services.lines import key_of, read_line
from nominations.services.log import lock_season, log_decision
from nominations.services.nominations import organisers
from nominations.services.sheets import Line, lines_of, text_of

# As long as one takes, whoever nominates or decides waits.
CHUNK = 100
LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 3
State = ImportBatch.State


@dataclass
class Report:
    """What became of some lines, or would: each is in one of three counts."""

    created: int = 0
    unchanged: int = 0
    failed: int = 0
    problems: list[ImportProblem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many lines there were."""
        return self.created + self.unchanged + self.failed


def check_import(data: bytes, *, season: Season) -> Report:
    """What an import of the file would do now. Writes nothing. Raises ValidationError if it cannot be read."""
    lines = lines_of(text_of(data))
    known = Known(season, Nominator.objects.filter(is_organisers=True).first() or Nominator(), is_dry=True)
    report = Report()
    for start in range(0, len(lines), CHUNK):
        for wanted in _wanted(lines[start : start + CHUNK], known, report):
            _place(wanted, known)
    return report


def start_import(data: bytes, *, file_name: str, season: Season, by: User | None) -> ImportBatch:
    """Keep the file until a worker has taken it in; `run_import` does that.

    Raises ValidationError for a file that cannot be read. The nominating window need not be open: staff decide what
    they bring in, and when.
    """
    text = text_of(data)
    rows = len(lines_of(text))
    return ImportBatch.objects.create(season=season, file_name=file_name[-255:], content=text, rows=rows, by=by)


def run_import(batch_id: UUID) -> None:
    """Take in what is left of a file, unless somebody else is at it.

    Each chunk is one transaction with its count of rows, so that whoever is killed loses and doubles nothing.
    """
    batch = _leased(batch_id)
    if batch is None:
        return
    lines = lines_of(batch.content)
    lease = batch.leased_until
    while lease is not None:
        lease = _take_in_chunk(batch_id, lease, lines)


def retry_import(batch: ImportBatch) -> ImportBatch:
    """Let a failed one go on where it stopped. Raises ValidationError `already_retried`."""
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state != State.FAILED:
            raise ValidationError("This import has not failed.", code="already_retried")
        batch.state, batch.error, batch.attempts, batch.finished_at = State.WAITING, "", 0, None
        batch.save()
    return batch


def _leased(batch_id: UUID) -> ImportBatch | None:
    with transaction.atomic():
        batch = ImportBatch.objects.due().select_for_update(skip_locked=True, of=("self",)).filter(pk=batch_id).first()
        if batch is None:
            return None
        if batch.attempts >= MOST_ATTEMPTS:
            batch.state, batch.leased_until, batch.finished_at = State.FAILED, None, timezone.now()
            batch.error = f"{MOST_ATTEMPTS} workers stopped after {batch.read_rows:,} rows. What they read is in."
        else:
            batch.state, batch.leased_until = State.RUNNING, timezone.now() + LEASE
            batch.attempts += 1
        batch.save()
    return batch if batch.state == State.RUNNING else None


def _take_in_chunk(batch_id: UUID, lease: datetime, lines: Sequence[Line]) -> datetime | None:
    """The lease until the next one; None when it was the last, or the lease is somebody else's."""
    with transaction.atomic():
        season_id = ImportBatch.objects.values_list("season_id", flat=True).get(pk=batch_id)
        season = lock_season(season_id)
        # Without the file, which would be read and written again with each chunk.
        batch = ImportBatch.objects.defer("content").select_for_update(of=("self",)).get(pk=batch_id)
        if batch.leased_until != lease:
            return None
        chunk = lines[batch.read_rows : batch.read_rows + CHUNK]
        report = Report()
        known = Known(season, organisers(), is_dry=False)
        _submit([_place(wanted, known) for wanted in _wanted(chunk, known, report)], known, batch)
        _note(batch, report)
        batch.read_rows += len(chunk)
        batch.attempts, batch.leased_until = 0, timezone.now() + LEASE
        if batch.read_rows >= len(lines):
            batch.state, batch.content, batch.leased_until = State.DONE, "", None
            batch.finished_at = timezone.now()
        batch.save()
    return batch.leased_until


def _wanted(chunk: Sequence[Line], known: Known, report: Report) -> Iterator[Nomination]:
    """The lines that are new, in order; the others are counted. Who takes one places it before taking the next."""
    categories = _categories()
    theirs = _exported(chunk, known.season)
    asked = []
    for line in chunk:
        if _is_export_of(line, theirs, categories):
            report.unchanged += 1
            continue
        try:
            nomination = read_line(line, categories, known.season)
        except ValidationError as error:
            report.failed += 1
            report.problems += _problems(line, error)
        else:
            nomination.import_key = key_of(nomination)
            asked.append(nomination)
    known.learn(asked)
    for nomination in asked:
        if _is_here(nomination, known):
            report.unchanged += 1
        else:
            report.created += 1
            yield nomination


def _categories() -> dict[str, Category]:
    """By slug and by label; a slug wins over another's label."""
    rows = list(Category.objects.all())
    return {row.label.lower(): row for row in rows} | {row.slug: row for row in rows}


def _exported(chunk: Sequence[Line], season: Season) -> dict[str, Nomination]:
    """The nominations whose ids our own export wrote into these lines."""
    ids = []
    for line in chunk:
        try:
            ids.append(UUID(line.cells.get("id", "")))
        except ValueError:
            continue
    rows = Nomination.objects.filter(pk__in=ids, season=season).select_related("nominee") if ids else []
    return {str(row.pk): row for row in rows}


def _is_export_of(line: Line, theirs: dict[str, Nomination], categories: dict[str, Category]) -> bool:
    """Whether the line still speaks of the nomination whose id it has: whoever reuses lines forgets the ids."""
    nomination = theirs.get(line.cells.get("id", "").lower())
    if nomination is None:
        return False
    category = categories.get(line.cells["category"].lower())
    is_person = nomination.nominee.kind == nomination.nominee.Kind.PERSON
    names = ("first_name", "last_name") if is_person else ("company_name",)
    name = " ".join(line.cells[column] for column in names)
    same_name = contacts.normal_name(name) == contacts.normal_name(nomination.nominee.name)
    return same_name and category is not None and category.pk == nomination.category_id


def _is_here(nomination: Nomination, known: Known) -> bool:
    """The line is known, or its nominator has named that nominee in that category."""
    if nomination.import_key in known.keys:
        return True
    draft = nomination.nominator
    author = known.people.get(draft.email) if draft.email else known.organisers
    nominee = known.nominee_of(nomination)
    if author is None or nominee is None:
        return False
    return (nomination.category_id, author.pk, nominee.pk) in known.named


def _place(nomination: Nomination, known: Known) -> Nomination:
    """With the people who are known, and known itself from now on."""
    nomination.nominator, nomination.nominee = known.author_of(nomination), known.subject_of(nomination)
    known.keys.add(nomination.import_key or "")
    known.named.add((nomination.category_id, nomination.nominator.pk, nomination.nominee.pk))
    return nomination


def _submit(nominations: list[Nomination], known: Known, batch: ImportBatch) -> None:
    """In bulk, but for the log: by each of its rows somebody outside may have to hear of the nominator."""
    known.save()
    for nomination in nominations:
        nomination.batch, nomination.source = batch, Nomination.Source.IMPORT
    Nomination.objects.bulk_create(nominations)
    for nomination in nominations:
        log_decision(nomination, DecisionLog.Action.SUBMIT, from_state="", by=batch.by)


def _note(batch: ImportBatch, report: Report) -> None:
    batch.created_rows += report.created
    batch.unchanged_rows += report.unchanged
    batch.failed_rows += report.failed
    for problem in report.problems:
        problem.batch = batch
    ImportProblem.objects.bulk_create(report.problems)


def _problems(line: Line, error: ValidationError) -> list[ImportProblem]:
    return [
        ImportProblem(row=line.number, field=column, reason=reason[:500])
        for column, reasons in error.message_dict.items()
        for reason in reasons
    ]
