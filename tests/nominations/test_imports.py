"""Files of nominations: what is read, what is refused and why, and that nothing is lost or doubled."""

import csv
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db.models.signals import post_save
from django_q.models import OrmQ

from config.erasing import forget, identify
from config.sandbox import RunningSandbox
from loops_sync.models import Contact, OutboxEntry
from nominations import services, tasks
from nominations.models import (
    Category,
    DecisionLog,
    ImportBatch,
    ImportProblem,
    Nomination,
    Nominator,
    Nominee,
    Season,
)
from nominations.models.imports import COLUMNS
from nominations.services import imports
from nominations.services.sheets import lines_of
from tests import builders

pytestmark = pytest.mark.django_db
Capture = Callable[..., AbstractContextManager[Any]]
JANE = {
    "type": "person",
    "category": "best-recruiter",
    "first_name": "Jane",
    "last_name": "Doe",
    "email": "jane@example.com",
    "why_vote_for_me": "She is good.",
    "nominator_name": "Sam van Dyke",
    "nominator_email": "sam@example.org",
}
ACME = {"type": "company", "category": "best-firm", "company_name": "Acme Ltd", "website": "acme.example"}


@pytest.fixture(autouse=True)
def opened() -> Season:
    builders.category()
    builders.category("best-firm", "company")
    return builders.season()


def sheet(*rows: dict[str, str], separator: str = ",", header: Any = COLUMNS) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, header, delimiter=separator, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def check(data: bytes) -> services.Report:
    return services.check_import(data, season=builders.season())


def taken_in(data: bytes) -> ImportBatch:
    batch = services.start_import(data, file_name="a.csv", season=builders.season(), by=None)
    services.run_import(batch.pk)
    batch.refresh_from_db()
    return batch


def counts(found: Any) -> tuple[int, int, int]:
    if isinstance(found, ImportBatch):
        return found.created_rows, found.unchanged_rows, found.failed_rows
    return found.created, found.unchanged, found.failed


def problems(*rows: dict[str, str]) -> list[tuple[int, str, str]]:
    return [(problem.row, problem.field, problem.reason) for problem in check(sheet(*rows)).problems]


def rows_in_all() -> list[int]:
    models: list[Any] = [Nomination, Nominee, Nominator, DecisionLog, OutboxEntry, Contact]
    return [model.objects.count() for model in models]


def test_good_rows_go_in_though_others_fail_and_each_is_told_of() -> None:
    batch = taken_in(sheet(JANE, {**JANE, "email": "nonsense", "last_name": "", "category": "best-cook"}, ACME))
    assert (batch.state, counts(batch), batch.content) == ("done", (2, 0, 1), "")
    assert [(p.row, p.field, p.reason) for p in batch.problems.all()] == [
        (3, "category", "There is no such category."),
        (3, "last_name", "This field is required."),
        (3, "email", "Enter a valid email address."),
    ]
    jane = Nomination.objects.get(nominee__first_name="Jane")
    assert (jane.state, jane.source, jane.batch, jane.why) == ("submitted", "import", batch, "She is good.")
    assert str(jane.nominator) == "Sam van Dyke"
    assert (jane.nominator.first_name, jane.nominator.last_name) == ("Sam", "van Dyke")
    acme = Nomination.objects.get(nominee__company_name="Acme Ltd")
    assert acme.nominee.website == "https://acme.example"
    assert (acme.nominator.is_organisers, acme.nominator.email) == (True, None)
    assert list(OutboxEntry.objects.values_list("event_type", "contact__email")) == [
        ("nomination_submitted", "sam@example.org")
    ]


def test_loops_learns_of_a_file_with_the_next_sweep_and_not_by_a_task_for_each_line(
    loops: RunningSandbox, django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        taken_in(sheet(JANE))
    assert (OutboxEntry.objects.get().contact.email, OrmQ.objects.count()) == ("sam@example.org", 0)


def test_the_same_lines_again_change_nothing_in_whatever_file() -> None:
    first = sheet(JANE, JANE, {**JANE, "email": " JANE@example.com "}, ACME)
    assert counts(taken_in(first)) == (2, 2, 0)
    before = rows_in_all()
    assert counts(taken_in(first)) == (0, 4, 0)
    # Another file, in which the same nominator names the same nominee in other words.
    assert counts(taken_in(sheet({**JANE, "why_vote_for_me": "Still good."}, ACME, separator=";"))) == (0, 2, 0)
    assert rows_in_all() == before


def test_nominee_is_known_again_by_address_and_never_by_name() -> None:
    known = builders.submitted(
        of=builders.nominee(linkedin_url="https://linkedin.com/in/jd", email="", bio="")
    ).nominee
    rows = [
        {**JANE, "email": "", "linkedin": "LinkedIn.com/in/JD/?x=1", "bio": "Born.", "phone": "07306 506797"},
        {**JANE, "email": "", "linkedin": "", "company_name": "One"},
        {**JANE, "email": "", "linkedin": "", "company_name": "Two"},
    ]
    assert counts(taken_in(sheet(*rows))) == (3, 0, 0)
    assert Nominee.objects.filter(first_name="Jane").count() == 2
    known.refresh_from_db()
    assert (known.nominations.count(), known.bio, known.phone) == (2, "Born.", "+447306506797")


def test_dry_run_writes_nothing_and_says_what_the_import_does(opened: Season) -> None:
    data = sheet(JANE, JANE, ACME, {**ACME, "type": "person"}, {**JANE, "nominator_email": "b@x.org"})
    before = rows_in_all()
    report = check(data)
    assert (rows_in_all(), ImportBatch.objects.count()) == (before, 0)
    assert counts(report) == counts(taken_in(data)) == (3, 1, 1)


def test_import_is_not_bound_to_the_nominating_window() -> None:
    builders.season(nominations_open_at=None)
    assert counts(taken_in(sheet(JANE))) == (1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"type": ""}, "type", "This field is required."),
        ({"type": "dog"}, "type", "Enter person or company."),
        ({"category": "best-firm"}, "type", "This category is for a company."),
        ({"category": ""}, "category", "This field is required."),
        ({"category": "closed"}, "category", "This category takes no nominations."),
        ({"first_name": "\u202e…"}, "first_name", "Enter a name that can be read."),
        ({"first_name": "\u202e"}, "first_name", "Enter a name that can be read."),
        ({"first_name": "x" * 101}, "first_name", "Ensure this field has no more than 100 characters."),
        ({"bio": "x" * 2001}, "bio", "Ensure this field has no more than 2000 characters."),
        ({"why_vote_for_me": "x" * 1001}, "why_vote_for_me", "Ensure this field has no more than 1000 characters."),
        ({"website": "javascript:alert(1)"}, "website", "Enter a valid URL."),
        ({"headshot_url": "ftp://x.org/a"}, "headshot_url", "Enter an address that begins with http:// or https://."),
        ({"logo_url": "http://"}, "logo_url", "Enter a valid URL."),
        ({"phone": "12"}, "phone", "This phone number is too short, too long or not in use."),
        ({"linkedin": "https://evil.example/in/jane"}, "linkedin", "Enter a LinkedIn address, for example "),
        ({"nominator_email": ""}, "nominator_email", "A nominator is known by the email address: "),
        ({"nominator_phone": "x"}, "nominator_phone", "Enter a phone number, for example "),
        ({"nominator_name": "x" * 101}, "nominator_name", "Ensure this field has no more than 100 characters."),
    ],
)
def test_bad_field_is_named(fields: dict[str, str], field: str, reason: str) -> None:
    Category.objects.filter(pk=builders.category("closed").pk).update(is_active=False)
    [(row, name, text)] = [problem for problem in problems({**JANE, **fields}) if problem[1] == field]
    assert (row, name, text[: len(reason)]) == (2, field, reason)


def test_person_fields_are_not_for_a_company() -> None:
    assert problems({**ACME, "first_name": "Jane"}) == [(2, "first_name", "Not for a company.")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("separator", "newline"), [(",", "\r\n"), (";", "\n"), ("\t", "\r")])
def test_spreadsheets_write_in_many_ways(encoding: str, separator: str, newline: str) -> None:
    names = [name.replace("_", " ").title() for name in COLUMNS]
    row = {**JANE, "first_name": " Zoë ", "category": "Best Recruiter", "phone": "'+44 7306 506797", "bio": "a"}
    lines = [names + ["", " "], [], [row.get(name, "") for name in COLUMNS] + ["", ""], [""] * 30, ["person"]]
    text = newline.join(separator.join(f'"{cell}"' for cell in line) for line in lines).replace('"a"', '"a,;""\n\tb"')
    batch = taken_in(text.encode(encoding))
    assert counts(batch) == (1, 0, 1)
    assert {problem.row for problem in batch.problems.all()} == {5}
    zoe = Nominee.objects.get()
    assert (zoe.name, zoe.phone, zoe.bio) == ("Zoë Doe", "+447306506797", 'a,;"\n\tb')


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty."),
        (b"\n,,\n", "The file is empty."),
        (b"name,mail\nJane,x\n", "The first row must be the header: type, category, first_name"),
        (sheet(header=COLUMNS[:-1]), "The column “nominator_country” is missing."),
        (sheet(header=(*COLUMNS, "shoe_size")), "The column “shoe_size” is not known."),
        (sheet(header=(*COLUMNS, "type")), "The column “type” stands there twice."),
        (sheet(header=("category", "type", *COLUMNS[2:])), "The columns are in another order: column 1 is “category”"),
        (sheet(JANE, {"first_name": "Zo"}).replace(b"Zo", "Zoë".encode("cp1252")), "Row 3 is not in UTF-8."),
        (sheet() + b'"' + b"x" * 140_000 + b'\xff"\n', "Row 2 is not in UTF-8."),
        (sheet(JANE) + b'person,"open', "Row 3 cannot be read: a quotation mark is not closed"),
        (sheet(JANE).decode().encode("utf-16-le"), "This is no text in UTF-8."),
        (b"x" * (10 * 1024 * 1024 + 1), "The file is larger than 10 MB."),
        (sheet(*[JANE] * 10_001), "The file has 10,001 rows; 10,000 are the most."),
    ],
)
def test_file_that_cannot_be_read_is_one_clear_error(data: bytes, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        services.start_import(data, file_name="a.csv", season=builders.season(), by=None)
    assert refused.value.messages[0].startswith(message)
    assert ImportBatch.objects.count() == 0


def test_row_with_more_cells_than_the_header_fails() -> None:
    data = sheet(JANE).rstrip() + b",stray\r\n"
    assert [(p.row, p.field) for p in check(data).problems] == [(2, "")]


def test_colliding_names_lose_nobody_and_share_no_address() -> None:
    first, last = ("John", "Jane"), ("Smith", "O’Neil", "王")
    rows = [
        {**JANE, "first_name": first[n % 2], "last_name": last[n % 3], "email": f"n{n}@x.org" if n % 4 else ""}
        | {
            "why_vote_for_me": f"Reason {n}",
            "nominator_email": f"by{n % 7}@y.org" if n % 5 else "",
            "nominator_name": "",
        }
        for n in range(60)
    ]
    data = sheet(*rows)
    assert counts(taken_in(data)) == (60, 0, 0)
    for nomination in Nomination.objects.all():
        services.approve_nomination(nomination, by=builders.superuser())
    slugs = list(Nominee.objects.live().values_list("slug", flat=True))
    assert (len(slugs), len(set(slugs))) == (60, 60)
    before = rows_in_all()
    assert counts(taken_in(data)) == (0, 60, 0)
    assert rows_in_all() == before


class Killed(BaseException):
    """What no code catches."""


def test_worker_that_was_killed_is_replaced_and_three_are_enough() -> None:
    rows = [{**JANE, "email": f"n{n}@x.org"} for n in range(110)]
    batch = services.start_import(sheet(*rows), file_name="a.csv", season=builders.season(), by=None)

    def kill(instance: DecisionLog, **_: Any) -> None:
        if instance.seq == 105:
            raise Killed

    post_save.connect(kill, sender=DecisionLog)
    with pytest.raises(Killed):
        services.run_import(batch.pk)
    post_save.disconnect(kill, sender=DecisionLog)
    batch.refresh_from_db()
    assert (batch.state, batch.read_rows, Nomination.objects.count()) == ("running", 100, 100)
    services.run_import(batch.pk)
    assert Nomination.objects.count() == 100, "its lease has not lapsed"
    ImportBatch.objects.update(leased_until=batch.created_at, attempts=3)
    services.run_import(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.error) == ("failed", "3 workers stopped after 100 rows. What they read is in.")
    services.run_import(services.retry_import(batch).pk)
    batch.refresh_from_db()
    assert (batch.state, counts(batch), batch.read_rows) == ("done", (110, 0, 0), 110)
    with pytest.raises(ValidationError):
        services.retry_import(batch)


def test_whoever_is_forgotten_in_the_middle_of_a_file_does_not_come_back() -> None:
    others = [{**JANE, "first_name": "Jo", "last_name": f"O{number}", "email": ""} for number in range(100)]
    builders.submitted(of=builders.nominee(first_name="Jane", last_name="Doe", email=JANE["email"]))
    batch = services.start_import(sheet(*others, JANE), file_name="a.csv", season=builders.season(), by=None)
    worker = imports._leased(batch.pk)
    assert worker is not None
    assert worker.leased_until is not None
    lines = lines_of(worker.content)
    lease = imports._take_in_chunk(batch.pk, worker.leased_until, lines)
    assert lease is not None
    forget(identify(JANE["email"]), by=builders.superuser())
    assert imports._take_in_chunk(batch.pk, lease, lines) is None
    services.run_import(batch.pk)
    assert not Nominee.objects.filter(last_name="Doe").exists()


def test_sweep_queues_what_nobody_works_at() -> None:
    batch = services.start_import(sheet(JANE), file_name="a.csv", season=builders.season(), by=None)
    tasks.resume_imports()
    assert OrmQ.objects.count() == 1
    tasks.run_import(str(batch.pk))
    assert ImportBatch.objects.get().state == "done"
    tasks.resume_imports()
    assert OrmQ.objects.count() == 1


def test_line_about_somebody_merged_goes_to_whom_they_are_now() -> None:
    loser, survivor = (builders.approved(of=builders.nominee(email=f"{name}@x.org")).nominee for name in "ab")
    services.merge_nominees(loser, survivor, by=builders.superuser())
    data = sheet({**JANE, "email": "a@x.org"})
    assert (counts(taken_in(data)), counts(taken_in(data))) == ((1, 0, 0), (0, 1, 0))
    assert Nomination.objects.get(source="import").nominee == survivor


def test_command_prints_the_report_and_exits_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nominations.csv"
    file.write_bytes(sheet(JANE, {**JANE, "type": ""}))
    for arguments, words in (
        (["--dry-run"], "Nothing was written. An import would do this:\n1 created"),
        ([], "1 cre"),
    ):
        with pytest.raises(SystemExit) as ended:
            call_command("import_nominations", str(file), *arguments)
        said = capsys.readouterr()
        assert (ended.value.code, said.out[: len(words)]) == (1, words)
        assert said.err == "Row 3, type: This field is required.\n"
    file.write_bytes(sheet(JANE))
    call_command("import_nominations", str(file), "--season", builders.season().name)
    assert capsys.readouterr().out == "0 created, 1 unchanged, 0 failed.\n"
    for arguments in ([str(file), "--season", "1066"], [str(tmp_path / "none.csv")]):
        with pytest.raises(CommandError):
            call_command("import_nominations", *arguments)


def test_problems_quote_nothing_of_the_file() -> None:
    taken_in(sheet({**JANE, "email": "zephyrine", "linkedin": "zephyrine", "type": "zephyrine", "phone": "zephyrine"}))
    assert not [problem for problem in ImportProblem.objects.all() if "zephyrine" in problem.reason]
