"""The state table of nominations, move by move, with its effects on the nominee and on the outbox."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from crm.models import User
from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import DecisionLog, Nomination, Nominee
from tests import builders
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
STATES = ("submitted", "approved", "rejected", "withdrawn", "duplicate")
ACTIONS = ("approve", "reject", "withdraw", "duplicate", "reopen")
# State after, nominee after, events written; a dash is a 409.
TABLE = {
    ("submitted", "approve"): ("approved", "live", ["nomination_approved"] * 2),
    ("submitted", "reject"): ("rejected", "draft", ["nomination_rejected"]),
    ("submitted", "withdraw"): ("withdrawn", "draft", ["nomination_withdrawn"]),
    ("submitted", "duplicate"): ("duplicate", "draft", ["nomination_duplicate"]),
    ("approved", "reject"): ("rejected", "suspended", ["nomination_rejected"] * 2),
    ("approved", "withdraw"): ("withdrawn", "suspended", ["nomination_withdrawn"] * 2),
    ("approved", "duplicate"): ("duplicate", "suspended", ["nomination_duplicate"] * 2),
    ("approved", "reopen"): ("submitted", "suspended", ["nomination_reopened"] * 2),
    ("rejected", "approve"): ("approved", "live", ["nomination_approved"] * 2),
    ("rejected", "reopen"): ("submitted", "draft", ["nomination_reopened"]),
    ("withdrawn", "reopen"): ("submitted", "draft", ["nomination_reopened"]),
    ("duplicate", "reopen"): ("submitted", "draft", ["nomination_reopened"]),
}
REFUSED = [(state, action) for state in STATES for action in ACTIONS if (state, action) not in TABLE]


@pytest.fixture
def decider() -> User:
    """Staff who may decide, and nothing else."""
    return builders.staff("nominations.decide_nomination")


def decide(nomination: Nomination, action: str, by: User, **body: Any) -> HttpResponse:
    """A decision through the API, with the least that it needs."""
    if action == "reject":
        body = {"reason": "Not eligible.", **body}
    if action == "duplicate" and not body:
        body = {"of": str(builders.submitted(to=nomination.category).pk)}
    return post(f"/api/nominations/{nomination.pk}/{action}", body, by=by)


def facts(nomination: Nomination) -> tuple[str, str, str | None]:
    """State of the nomination, and state and slug of its nominee, as stored."""
    stored = Nomination.objects.select_related("nominee").get(pk=nomination.pk)
    return stored.state, stored.nominee.state, stored.nominee.slug


def test_table_has_every_state_and_action() -> None:
    assert len(TABLE) + len(REFUSED) == len(STATES) * len(ACTIONS)
    assert tuple(Nomination.State.values) == STATES


@pytest.mark.parametrize(("state", "action"), TABLE)
def test_move_of_the_table(state: str, action: str, decider: User) -> None:
    nomination = builders.in_state(state)
    other = builders.submitted(to=nomination.category)
    entries, decisions = OutboxEntry.objects.count(), DecisionLog.objects.count()
    after, nominee, events = TABLE[state, action]

    response = decide(nomination, action, decider, **({"of": str(other.pk)} if action == "duplicate" else {}))
    assert response.status_code == 200
    body = said(response)[1]
    assert (body["id"], body["state"]) == (str(nomination.pk), after)
    assert facts(nomination)[:2] == (after, nominee)

    written = OutboxEntry.objects.order_by("id").values_list("event_type", flat=True)[entries:]
    assert list(written) == events
    logged = DecisionLog.objects.order_by("seq")[decisions:]
    reason = "Not eligible." if action == "reject" else ""
    assert [(row.action, row.from_state, row.to_state, row.reason, row.by) for row in logged] == [
        (action, state, after, reason, decider)
    ]


@pytest.mark.parametrize(("state", "action"), REFUSED)
def test_move_that_is_not_in_the_table_changes_nothing(state: str, action: str, decider: User) -> None:
    nomination = builders.in_state(state)
    other = builders.submitted(to=nomination.category)
    before = (facts(nomination), OutboxEntry.objects.count(), DecisionLog.objects.count())
    response = decide(nomination, action, decider, **({"of": str(other.pk)} if action == "duplicate" else {}))
    detail = f"Already decided: this nomination is {state}."
    assert said(response) == (409, {"detail": detail, "code": "already_decided"})
    assert (facts(nomination), OutboxEntry.objects.count(), DecisionLog.objects.count()) == before


def test_approval_answers_with_the_live_address(decider: User) -> None:
    nomination = builders.submitted(of=builders.nominee(first_name="Ann", last_name="Lee", email="ann@x.example"))
    status, body = said(decide(nomination, "approve", decider, admin_notes="Checked."))
    nomination.refresh_from_db()
    assert nomination.approved_at is not None
    assert (status, body) == (
        200,
        {
            "id": str(nomination.pk),
            "state": "approved",
            "approved_at": nomination.approved_at.isoformat().replace("+00:00", "Z"),
            "live_url": "https://awards.example/nominee/ann-lee",
            "nominee": {
                "id": str(nomination.nominee_id),
                "kind": "person",
                "state": "live",
                "name": "Ann Lee",
                "email": "ann@x.example",
                "slug": "ann-lee",
                "live_url": "https://awards.example/nominee/ann-lee",
            },
        },
    )
    assert (nomination.admin_notes, nomination.approved_by) == ("Checked.", decider)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}])
def test_rejection_without_a_reason_is_refused(body: dict[str, str], decider: User) -> None:
    nomination = builders.submitted()
    response = post(f"/api/nominations/{nomination.pk}/reject", body, by=decider)
    assert refusal(response) == (400, "reason_required")
    assert facts(nomination)[0] == "submitted"


def test_page_of_a_nominee_comes_and_goes_with_the_last_approved_nomination(decider: User) -> None:
    of = builders.nominee(linkedin_url="linkedin.com/in/nia")
    first, second = builders.submitted(of=of), builders.submitted(of=of)
    assert first.nominee_id == second.nominee_id
    decide(first, "approve", decider)
    decide(second, "approve", decider)
    slug = facts(first)[2]
    assert get(f"/nominee/{slug}").status_code == 200

    decide(first, "reject", decider)
    assert facts(second) == ("approved", "live", slug)
    decide(second, "withdraw", decider)
    assert facts(second) == ("withdrawn", "suspended", slug)
    assert get(f"/nominee/{slug}").status_code == 410
    assert refusal(get(f"/api/nominees/{slug}")) == (410, "gone")

    decide(first, "approve", decider)
    assert facts(first) == ("approved", "live", slug)
    assert get(f"/nominee/{slug}").status_code == 200


def test_reopening_a_rejection_does_not_bring_the_page_back(decider: User) -> None:
    nomination = builders.approved()
    decide(nomination, "reject", decider)
    decide(nomination, "reopen", decider)
    assert facts(nomination)[:2] == ("submitted", "suspended")


def test_nominee_approved_in_an_earlier_season_stays_live(decider: User) -> None:
    of = builders.nominee()
    builders.approved(of=of)
    builders.season(is_current=False)
    builders.season(name="2027")
    now = builders.approved(of=of)
    decide(now, "reject", decider)
    assert facts(now)[:2] == ("rejected", "live")


def test_duplicate_points_at_its_original_until_it_is_reopened(decider: User) -> None:
    original, copy = builders.submitted(), builders.submitted()
    decide(copy, "duplicate", decider, of=str(original.pk))
    assert Nomination.objects.get(pk=copy.pk).duplicate_of == original
    decide(copy, "reopen", decider)
    assert Nomination.objects.get(pk=copy.pk).duplicate_of is None


def test_duplicate_of_another_season_is_refused(decider: User) -> None:
    old = builders.submitted()
    builders.season(is_current=False)
    builders.season(name="2027")
    nomination = builders.submitted()
    response = decide(nomination, "duplicate", decider, of=str(old.pk))
    assert said(response) == (400, {"of": ["Choose a nomination of the same season."]})
    assert facts(nomination)[0] == "submitted"


def test_duplicate_of_itself_is_refused_however_long_the_way(decider: User) -> None:
    first, second, third = builders.submitted(), builders.submitted(), builders.submitted()
    message = {"of": ["That would make it a duplicate of itself."]}
    assert said(decide(first, "duplicate", decider, of=str(first.pk))) == (400, message)
    decide(first, "duplicate", decider, of=str(second.pk))
    decide(second, "duplicate", decider, of=str(third.pk))
    assert said(decide(third, "duplicate", decider, of=str(first.pk))) == (400, message)
    assert facts(third)[0] == "submitted"


def test_duplicate_is_judged_by_what_is_stored_not_by_what_was_read_before(decider: User) -> None:
    first, second = builders.submitted(), builders.submitted()
    read_before = Nomination.objects.get(pk=first.pk)
    services.mark_duplicate(first, of=second, by=decider)
    with pytest.raises(ValidationError) as raised:
        services.mark_duplicate(second, of=read_before, by=decider)
    assert raised.value.message_dict == {"of": ["That would make it a duplicate of itself."]}


@pytest.mark.parametrize("action", ACTIONS)
def test_decision_on_a_missing_nomination_is_404(action: str, decider: User) -> None:
    body = {"reject": {"reason": "No."}, "duplicate": {"of": str(builders.submitted().pk)}}.get(action, {})
    assert refusal(post(f"/api/nominations/{uuid4()}/{action}", body, by=decider)) == (404, "not_found")


def test_missing_original_and_missing_nominee_are_404(decider: User) -> None:
    nomination = builders.submitted()
    assert refusal(decide(nomination, "duplicate", decider, of=str(uuid4()))) == (404, "not_found")
    assert refusal(decide(nomination, "approve", decider, nominee=str(uuid4()))) == (404, "not_found")
    assert facts(nomination)[0] == "submitted"


def test_join_gives_the_nomination_to_the_nominee_that_exists(decider: User) -> None:
    known = builders.approved(of=builders.nominee(last_name="Known", email="")).nominee
    nomination = builders.submitted(of=builders.nominee(last_name="Knwon", bio="Story.", email="new@x.example"))
    status, body = said(decide(nomination, "approve", decider, nominee=str(known.pk)))
    assert (status, body["nominee"]["id"], body["nominee"]["slug"]) == (200, str(known.pk), known.slug)
    known.refresh_from_db()
    assert (known.last_name, known.bio, known.email) == ("Known", "Story.", "")


def test_join_is_refused_to_another_kind_and_to_what_the_nominator_has_already_named(decider: User) -> None:
    by = builders.person()
    known = builders.approved(by=by).nominee
    firm = builders.approved(to=builders.category("best-firm", "company"), of=builders.company()).nominee
    nomination = builders.submitted(by=by)
    assert said(decide(nomination, "approve", decider, nominee=str(firm.pk))) == (
        400,
        {"nominee": ["Choose a person that is not merged."]},
    )
    message = "The nominator has already named them in this category: mark it as a duplicate instead."
    assert said(decide(nomination, "approve", decider, nominee=str(known.pk))) == (400, {"nominee": [message]})
    assert facts(nomination)[0] == "submitted"


def test_join_is_refused_to_a_merged_nominee(decider: User) -> None:
    known = builders.approved().nominee
    Nominee.objects.filter(pk=known.pk).update(state="merged", merged_into=builders.approved().nominee)
    response = decide(builders.submitted(), "approve", decider, nominee=str(known.pk))
    assert said(response) == (400, {"nominee": ["Choose a person that is not merged."]})


def test_join_keeps_the_slug_and_words_stored_since_the_nominee_was_read(decider: User) -> None:
    waiting = builders.submitted(of=builders.nominee(last_name="Known"))
    read_before = Nominee.objects.get(pk=waiting.nominee_id)
    services.approve_nomination(waiting, by=decider)
    Nominee.objects.filter(pk=waiting.nominee_id).update(bio="By staff.")
    other = builders.submitted(of=builders.nominee(last_name="Knwon", bio="By anybody."))
    services.approve_nomination(other, by=decider, nominee=read_before)
    stored = Nominee.objects.get(pk=waiting.nominee_id)
    assert (stored.slug, stored.bio) == ("nia-known", "By staff.")


def test_similar_names_of_the_category_are_suggested_and_never_merged(decider: User) -> None:
    category = builders.category()
    for first, last in (("Jonathan", "Smith"), ("Jonathan", "Smyth"), ("Jonathan", "Smithe"), ("Zoe", "Quill")):
        builders.submitted(of=builders.nominee(first_name=first, last_name=last))
    builders.submitted(to=builders.category("elsewhere"), of=builders.nominee(first_name="Jonathan", last_name="Smit"))
    nomination = builders.submitted(to=category, of=builders.nominee(first_name="Jonathan", last_name="Smith"))
    suggested = services.similar_nominees(nomination)
    assert [(nominee.name, percent) for nominee, percent in suggested] == [
        ("Jonathan Smith", 100),
        ("Jonathan Smithe", 82),
        ("Jonathan Smyth", 67),
    ]
    assert Nominee.objects.filter(last_name="Smith").count() == 2


def test_nominee_without_an_address_writes_one_event_at_approval(decider: User) -> None:
    nomination = builders.submitted(of=builders.nominee(email=""))
    before = OutboxEntry.objects.count()
    decide(nomination, "approve", decider)
    assert OutboxEntry.objects.count() - before == 1
