"""The log of decisions: append-only in the database, chained, and true to whatever staff do."""

import hashlib
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nominations import services
from nominations.models import DecisionLog, Nomination, Nominee, Season
from tests import builders

TABLE = "nominations_decisionlog"
COLUMNS = ("seq", "action", "from_state", "to_state", "reason", "reason_digest", "at", "previous_hash", "row_hash")


def chain(season: Season) -> list[DecisionLog]:
    """A season's log, verified: numbered without a gap, each row hashed, each holding the hash before it."""
    rows = list(DecisionLog.objects.filter(season=season).order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert [row.previous_hash for row in rows] == ["", *(row.row_hash for row in rows)][: len(rows)]
    assert [row.computed_hash() for row in rows] == [row.row_hash for row in rows]
    return rows


def run_sql(statement: str, *values: Any) -> None:
    """As another program would."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.django_db
def test_every_move_is_a_row_of_the_chain() -> None:
    nomination = builders.in_state("rejected")
    services.reopen_nomination(nomination, by=builders.superuser())
    rows = chain(nomination.season)
    assert [(row.action, row.from_state, row.to_state, row.reason) for row in rows] == [
        ("submit", "", "submitted", ""),
        ("reject", "submitted", "rejected", "Not eligible."),
        ("reopen", "rejected", "submitted", ""),
    ]
    assert [row.by for row in rows] == [None, builders.superuser(), builders.superuser()]
    assert [row.reason_digest for row in rows] == ["", hashlib.sha256(b"Not eligible.").hexdigest(), ""]


@pytest.mark.django_db
def test_each_season_has_a_chain_of_its_own() -> None:
    old = builders.approved().season
    builders.season(is_current=False)
    new = builders.season(name="2027")
    builders.approved()
    assert [len(chain(old)), len(chain(new))] == [2, 2]


@pytest.mark.django_db
@pytest.mark.parametrize("column", COLUMNS)
def test_database_refuses_to_change_a_row(column: str) -> None:
    builders.in_state("rejected")
    value = {"seq": 99, "at": "2020-01-01 00:00:00+00:00"}.get(column, "forged")
    with pytest.raises(DatabaseError, match="the decision log is append-only"):
        run_sql(f"UPDATE {TABLE} SET {column} = %s WHERE action = 'reject'", value)


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["season_id", "nomination_id", "by_id"])
def test_database_refuses_to_point_a_row_elsewhere(column: str) -> None:
    builders.in_state("rejected")
    with pytest.raises(DatabaseError, match="the decision log is append-only"):
        run_sql(f"UPDATE {TABLE} SET {column} = NULL WHERE action = 'reject'")


@pytest.mark.django_db
def test_database_refuses_to_delete_a_row() -> None:
    builders.in_state("rejected")
    for statement in (f"DELETE FROM {TABLE}", f"DELETE FROM {TABLE} WHERE action = 'reject'"):
        with pytest.raises(DatabaseError, match="the decision log is append-only"):
            run_sql(statement)
    assert DecisionLog.objects.count() == 2


@pytest.mark.django_db
def test_reason_can_be_blanked_without_breaking_the_chain() -> None:
    nomination = builders.in_state("rejected")
    run_sql(f"UPDATE {TABLE} SET reason = '' WHERE action = 'reject'")
    assert [row.reason for row in chain(nomination.season)] == ["", ""]


@pytest.mark.django_db
def test_reason_cannot_be_blanked_together_with_something_else() -> None:
    builders.in_state("rejected")
    with pytest.raises(DatabaseError, match="the decision log is append-only"):
        run_sql(f"UPDATE {TABLE} SET reason = '', to_state = 'approved' WHERE action = 'reject'")


@pytest.mark.django_db
def test_chain_cannot_fork() -> None:
    nomination = builders.approved()
    last = chain(nomination.season)[-1]
    for fields in ({"seq": last.seq, "previous_hash": "x"}, {"seq": 99, "previous_hash": last.previous_hash}):
        twin = DecisionLog.objects.get(pk=last.pk)
        twin.pk = None
        for name, value in fields.items():
            setattr(twin, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save(force_insert=True)


class Decisions(RuleBasedStateMachine):
    """Any decisions on the nominations of one nominee, beside a model of five lines."""

    nominations = Bundle("nominations")
    OF: ClassVar[dict[str, str]] = {
        "kind": "person",
        "first_name": "Nia",
        "last_name": "Nominee",
        "linkedin_url": "linkedin.com/in/nia",
    }
    FROM: ClassVar[dict[str, set[str]]] = {
        "approve": {"submitted", "rejected"},
        "reject": {"submitted", "approved"},
        "withdraw": {"submitted", "approved"},
        "reopen": {"approved", "rejected", "withdrawn", "duplicate"},
    }
    TO: ClassVar[dict[str, str]] = {
        "approve": "approved",
        "reject": "rejected",
        "withdraw": "withdrawn",
        "reopen": "submitted",
    }

    def __init__(self) -> None:
        super().__init__()
        self.run = transaction.atomic()
        self.run.__enter__()
        self.states: dict[Any, str] = {}
        self.slug: str | None = None
        self.moves = 0
        self.boss = builders.superuser()
        self.season = builders.season()

    def teardown(self) -> None:
        """As if the run had never been."""
        transaction.set_rollback(True)
        self.run.__exit__(None, None, None)

    @rule(target=nominations)
    def submit(self) -> Any:
        """Another nominator names the same nominee."""
        nomination = builders.submitted(of=self.OF)
        self.states[nomination.pk] = "submitted"
        self.moves += 1
        return nomination

    @rule(nomination=nominations, action=st.sampled_from(sorted(FROM)), slug=st.sampled_from(["", "nia", "other"]))
    def decide(self, nomination: Nomination, action: str, slug: str) -> None:
        """A move, allowed or not; `nomination` is as stale as a tab left open."""
        allowed = self.states[nomination.pk] in self.FROM[action]
        if action == "approve" and self.slug is not None and slug not in ("", self.slug):
            allowed = False
        try:
            self._do(nomination, action, slug)
        except ValidationError:
            done = False
        else:
            done = True
        assert done == allowed
        if not done:
            return
        self.states[nomination.pk] = self.TO[action]
        self.moves += 1
        if action == "approve" and self.slug is None:
            self.slug = slug or "nia-nominee"

    def _do(self, nomination: Nomination, action: str, slug: str) -> None:
        if action == "approve":
            services.approve_nomination(nomination, by=self.boss, slug=slug)
        elif action == "reject":
            services.reject_nomination(nomination, by=self.boss, reason="No.")
        elif action == "withdraw":
            services.withdraw_nomination(nomination, by=self.boss)
        else:
            services.reopen_nomination(nomination, by=self.boss)

    @rule(nomination=nominations, of=nominations)
    def mark_duplicate(self, nomination: Nomination, of: Nomination) -> None:
        """Of any other, or of itself."""
        try:
            services.mark_duplicate(nomination, of=of, by=self.boss)
        except ValidationError:
            return
        assert self.states[nomination.pk] in ("submitted", "approved")
        self.states[nomination.pk] = "duplicate"
        self.moves += 1

    @invariant()
    def stored_is_as_the_model(self) -> None:
        """States, slug, and a live page just while an approval stands."""
        assert dict(Nomination.objects.values_list("pk", "state")) == self.states
        if self.states:
            nominee = Nominee.objects.get()
            assert nominee.slug == self.slug
            assert (nominee.state == "live") == ("approved" in self.states.values())

    @invariant()
    def no_duplicate_leads_back_to_itself(self) -> None:
        """However many steps."""
        leads = dict(Nomination.objects.values_list("pk", "duplicate_of"))
        for start in leads:
            step, seen = leads[start], set()
            while step is not None:
                assert step != start
                assert step not in seen
                seen.add(step)
                step = leads[step]

    @invariant()
    def log_is_whole(self) -> None:
        """One row for each move, and the chain verifies."""
        assert len(chain(self.season)) == self.moves


@pytest.mark.django_db
def test_any_decisions_in_any_order_keep_nominee_slug_and_log_true() -> None:
    some = settings(max_examples=8, stateful_step_count=20, deadline=None, derandomize=True)
    run_state_machine_as_test(Decisions, settings=some)
