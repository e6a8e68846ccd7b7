"""Nominations and votes as files: what stands in them, who may have them, and that they come back unchanged."""

import csv
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config import erasing
from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import Category, DecisionLog, ImportBatch, Nomination, Nominator, Nominee
from nominations.models.imports import COLUMNS
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/nominations/nomination/"
EXPORT, IMPORT = f"{LIST}export/", f"{LIST}import/"
VOTES = "/admin/nominations/vote/export/"


def logged_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(builders.staff(*permissions))
    return client


def read(response: Any) -> list[dict[str, str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def rows_in_all() -> list[int]:
    models: list[Any] = [Nomination, Nominee, Nominator, DecisionLog, OutboxEntry]
    return [model.objects.count() for model in models]


def test_nominations_are_written_as_an_import_reads_them_with_what_became_of_them(staff_client: Client) -> None:
    nomination = builders.approved(
        of=builders.nominee(first_name="=1+1", phone="07306 506797", linkedin_url="linkedin.com/in/x", bio="a\nb"),
        by=builders.person(first_name="Ann", last_name="Lee", phone="07306 506798"),
        slug="nia",
    )
    builders.vote(nomination)
    services.add_manual_votes(
        nomination.nominee, nomination.category, count=4, reason="Hall.", by=builders.superuser()
    )
    [row] = read(staff_client.get(EXPORT))
    assert tuple(row)[: len(COLUMNS)] == COLUMNS
    assert (row["type"], row["category"], row["first_name"]) == ("person", "best-recruiter", "'=1+1")
    assert (row["phone"], row["bio"], row["linkedin"]) == ("'+447306506797", "a\nb", "https://www.linkedin.com/in/x")
    assert (row["nominator_name"], row["nominator_phone"]) == ("Ann Lee", "'+447306506798")
    assert (row["state"], row["slug"], row["live_url"]) == ("approved", "nia", "https://awards.example/nominee/nia")
    assert (row["votes"], row["manual_votes"], row["total_votes"], row["id"]) == ("1", "4", "5", str(nomination.pk))
    assert not LogEntry.objects.exists()


def test_export_comes_back_and_changes_nothing(staff_client: Client) -> None:
    builders.submitted(of=builders.nominee(phone="07306 506797"), why=' Good,\r\n"very" good. ')
    builders.approved(to=builders.category("best-firm", "company"), of=builders.company(website="http://a.example"))
    bare = {"kind": "person", "first_name": "John", "last_name": "Smith"}
    builders.in_state("rejected", of=bare)
    services.add_nomination(builders.category(), nominee=bare, why="", by=builders.superuser())
    erased = builders.submitted(by=builders.person(email="gone@example.org"))
    erasing.forget(erasing.identify("gone@example.org"), by=builders.superuser())
    Category.objects.filter(slug="best-firm").update(is_active=False)
    assert Nomination.objects.get(pk=erased.pk).nominator.email is None
    data = b"".join(staff_client.get(EXPORT).streaming_content)  # type: ignore[attr-defined]
    before = rows_in_all()
    season = builders.season()
    batch = services.start_import(data, file_name="a.csv", season=season, by=None)
    services.run_import(batch.pk)
    batch.refresh_from_db()
    assert (batch.unchanged_rows, batch.created_rows, batch.failed_rows) == (5, 0, 0)
    # Also without what only an export writes, but for what nobody can nominate in any more, or has forgotten.
    bare_rows = [row for row in csv.DictReader(io.StringIO(data.decode())) if row["category"] != "best-firm"]
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(row for row in bare_rows if row["id"] != str(erased.pk))
    assert services.check_import(out.getvalue().encode(), season=season).unchanged == 3
    assert rows_in_all() == before


def test_line_that_kept_an_old_id_but_names_another_goes_in() -> None:
    nomination = builders.submitted()
    client = logged_in("nominations.view_nomination")
    [row] = read(client.get(EXPORT))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow({**row, "first_name": "Somebody", "last_name": "Else", "email": "else@example.org"})
    report = services.check_import(out.getvalue().encode(), season=nomination.season)
    assert (report.created, report.unchanged) == (1, 0)


def test_export_has_what_the_list_shows(staff_client: Client) -> None:
    builders.approved()
    zed = builders.submitted(of=builders.nominee(email="zed@example.com"))
    for query in ("?state__exact=submitted", "?q=zed@example.com", "?state__exact=submitted&p=1"):
        assert [row["id"] for row in read(staff_client.get(EXPORT + query))] == [str(zed.pk)]
        html = staff_client.get(LIST + query).content.decode()
        assert "Export this one" in html
        assert f"{EXPORT}{query.replace('@', '%40')}".replace("&", "&amp;") in html


@pytest.mark.parametrize("rows", [1, 3])
def test_export_asks_no_more_for_more_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        builders.approved(by=builders.person(), of=builders.nominee())
    read(staff_client.get(EXPORT))
    with django_assert_num_queries(8):
        assert len(read(staff_client.get(EXPORT))) == rows


def test_votes_are_written_with_who_cast_them(staff_client: Client) -> None:
    nomination = builders.approved()
    builders.vote(nomination, email="ada@example.org", country="@UK", phone="07306 506797")
    builders.vote(nomination)
    found = read(staff_client.get(f"{VOTES}?q=ada@"))
    assert [(row["voter_email"], row["voter_country"], row["state"]) for row in found] == [
        ("ada@example.org", "'@UK", "counted")
    ]
    assert len(read(staff_client.get(VOTES))) == 2
    html = staff_client.get("/admin/nominations/vote/?state__exact=counted").content.decode()
    assert f"{VOTES}?state__exact=counted" in html


def test_only_who_may_see_the_list_has_the_file() -> None:
    assert logged_in("nominations.view_vote").get(EXPORT).status_code == 403
    assert logged_in("nominations.view_nomination").get(VOTES).status_code == 403
    assert logged_in("nominations.view_vote").get(VOTES).status_code == 200


@pytest.mark.parametrize("query", ["?season__id__exact=x", "?shoe_size=9", "?batch__id__exact=x", "?p=x"])
def test_export_of_a_broken_address_is_no_bug(staff_client: Client, query: str) -> None:
    assert staff_client.get(EXPORT + query).status_code in (200, 400, 404)
    assert staff_client.get(VOTES + query).status_code in (200, 400, 404)


def upload(data: bytes, **more: str) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("a.csv", data), "season": str(builders.season().pk), **more}


def test_import_page_checks_imports_and_shows_how_far_it_is(staff_client: Client) -> None:
    builders.category()
    template = b"".join(staff_client.get(f"{IMPORT}template/").streaming_content)  # type: ignore[attr-defined]
    data = template.replace(b"jane.doe@example.com", b"'+nonsense")
    before = rows_in_all()
    html = staff_client.post(IMPORT, upload(data, _check="1")).content.decode()
    assert "nothing was written" in html
    assert "data:text/csv;charset=utf-8,row%2Cfield%2Creason" in html
    assert (rows_in_all(), ImportBatch.objects.count()) == (before, 0)
    response = staff_client.post(IMPORT, upload(template))
    batch = ImportBatch.objects.get()
    assert response["Location"] == f"/admin/nominations/importbatch/{batch.pk}/change/"
    assert "hx-get" in staff_client.get(response["Location"]).content.decode()
    services.run_import(batch.pk)
    page = staff_client.get(f"/admin/nominations/importbatch/{batch.pk}/progress/").content.decode()
    assert "hx-get" not in page
    assert f"batch__id__exact={batch.pk}" in page
    html = staff_client.get(f"{LIST}?batch__id__exact={batch.pk}").content.decode()
    assert html.count("/approve/") == 1
    assert "Jane Doe" in html
    problems = read(staff_client.get(f"/admin/nominations/importbatch/{batch.pk}/problems/"))
    assert [(row["row"], row["field"]) for row in problems] == [("3", "category")]
    error = staff_client.post(IMPORT, upload(b"a,b\n")).content.decode()
    assert "The first row must be the header" in error
    assert "a.csv" in staff_client.get("/admin/nominations/importbatch/").content.decode()


def test_failed_import_goes_on_by_its_button(staff_client: Client) -> None:
    data = ",".join(COLUMNS).encode() + b"\nperson,best-recruiter,Jane,Doe\n"
    builders.category()
    batch = services.start_import(data, file_name="a.csv", season=builders.season(), by=None)
    ImportBatch.objects.update(state="failed", error="3 workers stopped after 0 rows.")
    url = f"/admin/nominations/importbatch/{batch.pk}"
    assert "Go on…" in staff_client.get(f"{url}/change/").content.decode()
    staff_client.post(f"{url}/retry/")
    services.run_import(batch.pk)
    assert Nomination.objects.get().batch_id == batch.pk


def test_only_who_may_import_comes_in() -> None:
    batch = ImportBatch.objects.create(season=builders.season(), file_name="a.csv")
    viewer = logged_in("nominations.view_nomination")
    for url in (IMPORT, f"{IMPORT}template/", f"/admin/nominations/importbatch/{batch.pk}/change/"):
        assert viewer.get(url).status_code == 403
    assert viewer.post(IMPORT, upload(b"x")).status_code == 403
    importer = logged_in("nominations.import_nominations")
    for url in (IMPORT, f"{IMPORT}template/", f"/admin/nominations/importbatch/{batch.pk}/change/"):
        assert importer.get(url).status_code == 200
