"""The proof of the decision log finds whatever a hand in the database could have changed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from nominations import services
from nominations.models import DecisionLog, Nomination, Season
from tests import builders
from tests.nominations.test_admin import EVIL, logged_in, told

pytestmark = pytest.mark.django_db
LOG = "/admin/nominations/decisionlog/"
TABLE = "nominations_decisionlog"
triggers = import_module("nominations.migrations.0002_append_only")


@contextmanager
def unguarded() -> Iterator[None]:
    """As somebody who owns the database: without the triggers."""
    editor = SimpleNamespace(connection=connection, execute=lambda sql: connection.cursor().execute(sql))
    connection.check_constraints()
    triggers.drop_triggers(apps, editor)
    yield
    connection.check_constraints()
    triggers.add_triggers(apps, editor)


def forge(at: int, *, rehash: bool = False, **values: Any) -> None:
    """Change a row, and if wanted make its hash and all after it fit again."""
    with unguarded():
        DecisionLog.objects.filter(seq=at).update(**values)
        head = DecisionLog.objects.filter(seq__lt=at).order_by("-seq").values_list("row_hash", flat=True).first() or ""
        # From the end, so that no two rows hold the same hash meanwhile.
        rows = list(DecisionLog.objects.filter(seq__gte=at).order_by("seq")) if rehash else []
        for row in rows:
            row.previous_hash = head
            head = row.row_hash = row.computed_hash()
        for row in reversed(rows):
            DecisionLog.objects.filter(pk=row.pk).update(previous_hash=row.previous_hash, row_hash=row.row_hash)


def decided() -> Nomination:
    """Three rows of one, two of another: submit, reject, reopen; submit, approve."""
    nomination = builders.reopened(builders.in_state("rejected"))
    builders.approved()
    return nomination


def problem() -> str:
    """As the command says it."""
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_log", stdout=out, stderr=err)
    assert ended.value.code == 1
    return err.getvalue().strip()


def test_every_season_is_proven_with_its_count_and_head(capsys: pytest.CaptureFixture[str]) -> None:
    decided()
    builders.season(is_current=False)
    builders.season(name="2027")
    builders.in_state("duplicate")
    Season.objects.create(name="2028")
    call_command("verify_log")
    heads = [DecisionLog.objects.filter(season__name=name).order_by("-seq")[0].row_hash for name in ("2026", "2027")]
    assert capsys.readouterr().out.splitlines() == [
        f"2026: 5 decisions, head {heads[0]}",
        f"2027: 3 decisions, head {heads[1]}",
        "2028: 0 decisions, head none",
    ]


def test_blanked_reason_is_no_break() -> None:
    decided()
    DecisionLog.objects.exclude(reason="").update(reason="")
    assert services.verify_log().broken is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"to_state": "approved"}, "decision 2: its hash is not that of what it says"),
        ({"by": None}, "decision 2: its hash is not that of what it says"),
        ({"row_hash": "x"}, "decision 2: its hash is not that of what it says"),
        ({"previous_hash": "x"}, "decision 2: it does not hold the hash of the decision before it"),
        ({"seq": 9}, "decision 3: number 2 is missing"),
        ({"reason": "A kinder one."}, "decision 2: its reason was changed"),
    ],
)
def test_first_break_is_named_with_season_number_and_what_differs(values: dict[str, Any], said: str) -> None:
    decided()
    forge(2, **values)
    assert problem() == f"2026, {said}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"action": "approve", "to_state": "rejected"},
            "decision 2: there is no such move: approve from submitted to rejected",
        ),
        (
            {"action": "withdraw", "from_state": "approved", "to_state": "withdrawn"},
            "decision 2: withdraw from approved to withdrawn, but its nomination was submitted",
        ),
        ({"reason_digest": hashlib.sha256(b"Other.").hexdigest()}, "decision 2: its reason was changed"),
    ],
)
def test_forgery_with_new_hashes_is_found_by_what_it_says(values: dict[str, Any], said: str) -> None:
    decided()
    forge(2, rehash=True, **values)
    assert problem() == f"2026, {said}"


def test_row_taken_out_or_put_in_twice_is_found() -> None:
    decided()
    row = DecisionLog.objects.get(seq=3)
    with unguarded():
        row.delete()
    assert problem() == "2026, decision 4: number 3 is missing"


def test_nomination_that_is_not_as_its_last_row_is_found() -> None:
    nomination = decided()
    Nomination.objects.filter(pk=nomination.pk).update(state="withdrawn")
    assert problem() == f"2026, decision 3: it made nomination {nomination.pk} submitted, but that is withdrawn"


def test_nomination_without_any_row_is_found() -> None:
    nomination = builders.submitted()
    with unguarded():
        DecisionLog.objects.all().delete()
    expected = f"2026, decision missing: nomination {nomination.pk} is submitted, but nothing is logged of it"
    assert problem() == expected


@pytest.mark.parametrize("count", [1, 4])
def test_proof_asks_the_same_for_any_length(count: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(count):
        builders.submitted()
    with transaction.atomic(), django_assert_num_queries(3):
        assert services.verify_log().count == count


def test_list_shows_the_heads_and_proves_at_a_click(staff_client: Client) -> None:
    decided()
    head = DecisionLog.objects.order_by("-seq")[0].row_hash
    assert head in staff_client.get(LOG).content.decode()
    response = staff_client.post(f"{LOG}prove/")
    level, text = told(response)[0]
    assert (level, "5 decisions follow one from another" in text) == ("success", True)
    forge(2, reason="Other.")
    level, text = told(staff_client.post(f"{LOG}prove/"))[-1]
    assert (level, "2026, decision 2: its reason was changed" in text) == ("error", True)


def test_proof_needs_the_right_to_see_the_log_and_a_click(staff_client: Client) -> None:
    assert staff_client.get(f"{LOG}prove/").status_code == 405
    assert logged_in().post(f"{LOG}prove/").status_code == 403
    assert logged_in("nominations.view_decisionlog").post(f"{LOG}prove/").status_code == 302


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?action__exact=reject", 1),
        ("?q=boss@example.org", 3),
        ("?q=eligible", 1),
        ("?at__gte=2099-01-01T00:00:00Z", 0),
    ],
)
def test_log_is_filtered_searched_and_leads_to_the_nomination(staff_client: Client, query: str, found: int) -> None:
    nomination = decided()
    html = staff_client.get(LOG + query).content.decode()
    assert html.count('class="field-moment"') == found
    if query.startswith("?action"):
        assert f"/admin/nominations/nomination/{nomination.pk}/change/" in html


@pytest.mark.parametrize("rows", [1, 3])
def test_log_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        builders.in_state("rejected", why=EVIL)
    staff_client.get(LOG)
    with django_assert_num_queries(8):
        staff_client.get(LOG)
