"""The charts of the staff home: right numbers, in a drawing that a strict policy lets through."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import time_machine
from django.utils.safestring import SafeString

from config.dashboard import delivery_charts, span
from loops_sync import selectors
from loops_sync.models import Contact, OutboxEntry, SyncAttempt
from notifications.admin.charts import bars, columns, lines
from tests import builders

NOON = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def _noon() -> object:
    with time_machine.travel(NOON, tick=False):
        yield


def told(at: datetime, waited: float, **fields: object) -> None:
    """An entry that was delivered then, after so many seconds."""
    contact = Contact.objects.get_or_create(email="a@example.org")[0]
    values = {"event_type": "vote_cast", "contact": contact, "status": "done", "outcome": "sent", "finished_at": at}
    OutboxEntry.objects.create(**values | {"created_at": at - timedelta(seconds=waited)} | fields)


@pytest.mark.django_db
@pytest.mark.usefixtures("_noon")
def test_hours_tell_how_many_were_delivered_and_how_long_they_waited() -> None:
    for waited in range(1, 101):
        told(NOON - timedelta(minutes=40), waited)
    told(NOON - timedelta(minutes=5), 2.5)
    told(NOON - timedelta(minutes=5), 900, outcome="discarded")
    told(NOON - timedelta(minutes=5), 900, status="dead", outcome="")
    told(NOON - timedelta(hours=24), 900)
    hours = selectors.deliveries_by_hour()
    assert [hour.begins_at for hour in (hours[0], hours[-1])] == [
        datetime(2026, 5, 31, 13, tzinfo=UTC),
        datetime(2026, 6, 1, 12, tzinfo=UTC),
    ]
    assert [(hour.begins_at.hour, hour.count, hour.p50, hour.p95) for hour in hours if hour.count] == [
        (11, 100, timedelta(seconds=50), timedelta(seconds=95)),
        (12, 1, timedelta(seconds=2.5), timedelta(seconds=2.5)),
    ]


@pytest.mark.django_db
@pytest.mark.usefixtures("_noon")
def test_a_flood_is_looked_at_from_its_newest_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "MOST_COUNTED", 2)
    monkeypatch.setattr(selectors.traffic, "MOST_COUNTED", 2)
    for minutes in (10, 20, 80):
        told(NOON - timedelta(minutes=minutes), 1)
    assert [hour.count for hour in selectors.deliveries_by_hour() if hour.count] == [2]
    assert selectors.outbox_depth() == {"pending": 0, "processing": 0, "done": 2, "dead": 0}


@pytest.mark.django_db
@pytest.mark.usefixtures("_noon")
def test_waiting_and_failures_are_told_by_age_and_reason() -> None:
    for minutes in (0, 0, 5, 30, 120, 3000):
        told(NOON, minutes * 60, status="pending", outcome="", finished_at=None)
    contact = Contact.objects.get()
    for error in (
        "429 Slow down",
        "429",
        "503 a",
        "401 no",
        "400 Invalid",
        "Loops did not answer in time.",
        "Loops could not be reached (ConnectionError).",
    ):
        SyncAttempt.objects.create(contact=contact, at=NOON, duration_ms=1, ok=False, error=error)
    SyncAttempt.objects.create(contact=contact, at=NOON, duration_ms=1, ok=True)
    SyncAttempt.objects.create(contact=contact, at=NOON - timedelta(hours=25), duration_ms=1, ok=False, error="500")
    assert list(selectors.waiting_by_age().values()) == [2, 1, 1, 1, 1]
    assert selectors.failures_by_reason() == {
        "Too many requests (429)": 2,
        "Error at Loops (503)": 1,
        "Key refused (401)": 1,
        "Refused as wrong (400)": 1,
        "No answer in time": 1,
        "Out of reach": 1,
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("_noon")
def test_each_chart_has_its_numbers_beside_it_and_no_inline_style() -> None:
    told(NOON, 61)
    page = unescape(builders.logged_in(builders.superuser()).get("/admin/").content.decode())
    charts = re.findall(r'<figure class="chart">.*?</figure>', page, re.DOTALL)
    titles = [re.findall(r"<h2>(.*?)</h2>", chart)[0] for chart in charts]
    assert titles == ["Delivered per hour", "Time to deliver", "Waiting now", "Failures by reason"]
    assert "<td>01 Jun 12:00</td>" in charts[0]
    assert "<td>1 min</td>" in charts[1]
    assert not re.search(r"\sstyle=|<style|\son\w+=", "".join(charts))
    assert "chart" not in builders.logged_in(builders.staff()).get("/admin/").content.decode().split("<main")[1]


@pytest.mark.django_db
def test_an_empty_outbox_draws_empty_charts() -> None:
    assert [(chart.figure, len(chart.rows)) for chart in delivery_charts()] == [
        ("0", 24),
        ("–", 24),
        ("0", 5),
        ("0", 0),
    ]


def shapes(drawing: SafeString, name: str) -> list[str]:
    return re.findall(rf'{name}="([^"]*)"', str(drawing))


def test_columns_are_in_proportion_and_say_their_name() -> None:
    drawing = columns([0, 1, 1000], ["a", "<b>", "c"], label='At "most"')
    assert shapes(drawing, " height") == ["0", "2", "100"]
    assert "<title>&lt;b&gt;</title>" in drawing
    assert 'aria-label="At &quot;most&quot;"' in drawing


def test_lines_break_where_nothing_is_known() -> None:
    drawing = lines({"p50": [1, 2, None, 4, None]}, label="x")
    assert shapes(drawing, " d") == ["M5 75h.01L15 50M35 0h.01"]


def test_bars_tell_name_and_number() -> None:
    drawing = bars({"<x>": 1500, "y": 300})
    assert shapes(drawing, '<rect class="column" width') == ["100%", "20%"]
    assert "<dt>&lt;x&gt;</dt><dd>1,500</dd>" in drawing


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min"), (7200, "2 h")])
def test_spans_are_exact_where_a_second_matters(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
