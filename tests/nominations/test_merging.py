"""Two nominees that are one: what goes to the survivor, what the loser's address answers, and the way back."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from config import erasing
from config.sandbox import RunningSandbox
from loops_sync import services as loops_services
from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import Merge, Nomination, Nominee, Tally, Vote
from nominations.services import (
    add_manual_votes,
    merge_nominees,
    preview_merge,
    preview_unmerge,
    unmerge_nominees,
    verify_votes,
)
from tests import builders
from tests.config.test_erasing import EMAIL, HER, NAME, traces
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
FIELDS = ("state", "slug", "email", "linkedin_url", "phone", "phone_raw", "country", "bio", "image", "merged_into_id")
FILLED = {"email", "phone", "phone_raw", "linkedin_url", "country"}
LINKEDIN = "https://www.linkedin.com/in/ada"


def everything() -> dict[str, Any]:
    """All that a merge may touch; a tally of nothing is none."""
    tallies = Tally.objects.exclude(votes=0, manual_votes=0)
    return {
        "nominees": sorted(Nominee.objects.values_list("pk", *FIELDS)),
        "nominations": sorted(Nomination.objects.values_list("pk", "nominee", "original_nominee", "state"), key=str),
        "votes": sorted(Vote.objects.values_list("pk", "nominee", "original_nominee", "state", "reason"), key=str),
        "tallies": sorted(tallies.values_list("category", "nominee", "votes", "manual_votes")),
    }


def merged(loser: Nomination, survivor: Nomination, reason: str = "") -> Merge:
    return merge_nominees(loser.nominee, survivor.nominee, by=builders.superuser(), reason=reason)


def now(nomination: Nomination) -> Nominee:
    """Whom it was for when it came in, as they are now."""
    return Nominee.objects.get(pk=nomination.nominee_id)


def refused(act: Any) -> tuple[str, str]:
    """Code and words of the refusal, which changes nothing."""
    before = everything()
    with pytest.raises(ValidationError) as error:
        act()
    assert everything() == before
    return getattr(error.value, "code", "") or "", " ".join(error.value.messages)


def pair() -> tuple[Nomination, Nomination]:
    """One with an address, a bio and votes; and one that is bare, with votes too."""
    by = builders.person()
    of = builders.nominee(
        email="ada@x.example", phone="07306 506797", linkedin_url=LINKEDIN, country="Spain", bio="Hi."
    )
    loser = builders.approved(of=of, by=by)
    survivor = builders.approved(of=builders.nominee(email="", bio="Own."), by=by)
    Nominee.objects.filter(pk=loser.nominee_id).update(image="nominees/ada.webp")
    loser.nominee.refresh_from_db()
    builders.vote(loser)
    builders.vote(survivor)
    for row, count in ((loser, 3), (survivor, -1)):
        add_manual_votes(row.nominee, row.category, count=count, reason="Post.", by=builders.superuser())
    return loser, survivor


def test_merge_gives_the_survivor_everything_and_undoing_restores_all_of_it() -> None:
    loser, survivor = pair()
    builders.submitted(of={**builders.nominee(), "email": "ada@x.example"}, to=builders.category("best-leader"))
    before, preview = everything(), preview_merge(loser.nominee, survivor.nominee)
    merge = merged(loser, survivor, reason=" The same person. ")

    kept, gone = now(survivor), now(loser)
    assert (gone.state, gone.merged_into, gone.slug) == ("merged", kept, loser.nominee.slug)
    assert [str(row.image) for row in (kept, gone)] == ["nominees/ada.webp", ""]
    assert (kept.state, kept.slug, kept.email, kept.phone, kept.bio) == (
        "live",
        survivor.nominee.slug,
        "ada@x.example",
        "+447306506797",
        "Own.",
    )
    assert set(merge.filled) == {*FILLED, "image"} == set(preview.changed)
    # The same nominator named both in one category, and both nominations stand.
    assert sorted(kept.nominations.values_list("original_nominee", "category__slug"), key=str) == sorted(
        [(None, "best-recruiter"), (gone.pk, "best-leader"), (gone.pk, "best-recruiter")], key=str
    )
    tallies = Tally.objects.exclude(votes=0, manual_votes=0)
    assert [(row.nominee, row.votes, row.manual_votes) for row in tallies] == [(kept, 2, 2)]
    place = next(row for row in preview.places if row.category.slug == "best-recruiter")
    assert ([sums.total_votes for sums in place.after], preview.votes) == ([0, 4], 1)
    assert (merge.reason, verify_votes()) == ("The same person.", "")

    since = builders.vote(survivor)
    back = preview_unmerge(merge)
    assert ([sums.total_votes for sums in back.places[0].after], back.problem) == ([1, 4], "")
    unmerge_nominees(merge, by=builders.superuser())
    assert verify_votes() == ""
    services.invalidate_votes(Vote.objects.filter(pk=since.pk), reason="staff", note="x", by=builders.superuser())
    Vote.objects.filter(pk=since.pk).delete()
    assert everything() == before


def test_blanks_that_were_filled_in_since_are_left() -> None:
    loser, survivor = pair()
    merge = merged(loser, survivor)
    Nominee.objects.filter(pk=survivor.nominee_id).update(country="Portugal", image="nominees/new.webp")
    unmerge_nominees(merge, by=None)
    kept = now(survivor)
    assert (kept.country, str(kept.image), kept.email) == ("Portugal", "nominees/new.webp", "")
    # A picture that was replaced is gone for good.
    assert (now(loser).country, str(now(loser).image), now(loser).email) == ("Spain", "", "ada@x.example")


@pytest.mark.parametrize(
    ("loser", "survivor", "together", "apart"),
    [
        ("approved", "submitted", "live", ("live", "draft")),
        ("approved", "withdrawn", "live", ("live", "draft")),
        ("submitted", "approved", "live", ("draft", "live")),
        ("submitted", "submitted", "draft", ("draft", "draft")),
        ("taken out", "submitted", "suspended", ("suspended", "draft")),
        ("approved", "taken out", "live", ("live", "suspended")),
    ],
)
def test_survivor_is_what_all_nominations_make_of_it(
    loser: str, survivor: str, together: str, apart: tuple[str, str]
) -> None:
    def made(state: str) -> Nomination:
        if state == "taken out":
            return services.withdraw_nomination(builders.approved(), by=builders.superuser())
        return builders.in_state(state)

    one, other = made(loser), made(survivor)
    merge = merged(one, other)
    kept = now(other)
    assert (kept.state, bool(kept.slug) or together != "live") == (together, True)
    unmerge_nominees(merge, by=None)
    assert (now(one).state, now(other).state) == apart


def test_what_is_decided_meanwhile_is_theirs_whose_nomination_it_was() -> None:
    waiting, survivor = builders.submitted(), builders.approved()
    merge = merged(waiting, survivor)
    services.approve_nomination(waiting, by=builders.superuser())
    services.withdraw_nomination(survivor, by=builders.superuser())
    unmerge_nominees(merge, by=None)
    assert (now(waiting).state, now(survivor).state, bool(now(waiting).slug)) == ("live", "suspended", True)


def test_nomination_that_staff_joined_to_another_meanwhile_stays_there() -> None:
    waiting, survivor, third = builders.submitted(), builders.approved(), builders.approved()
    merge = merged(waiting, survivor)
    services.approve_nomination(waiting, by=builders.superuser(), nominee=third.nominee)
    unmerge_nominees(merge, by=None)
    moved = Nomination.objects.get(pk=waiting.pk)
    assert (moved.nominee, moved.original_nominee, now(waiting).state) == (third.nominee, None, "draft")
    again = merge_nominees(third.nominee, now(waiting), by=None)
    assert Nomination.objects.get(pk=waiting.pk).original_nominee == third.nominee
    unmerge_nominees(again, by=None)
    assert (now(third).state, now(waiting).state, verify_votes()) == ("live", "draft", "")


def test_old_address_leads_to_the_survivor_by_however_many_steps() -> None:
    first, second, third = (builders.approved() for _ in range(3))
    earlier, later = merged(first, second), merged(second, third)
    address = f"/api/nominees/{first.nominee.slug}"
    answer = get(address)
    assert (answer.status_code, answer["Location"]) == (301, f"/api/nominees/{third.nominee.slug}")
    assert get(answer["Location"]).status_code == 200
    body = {"category": "best-recruiter", "nominee": first.nominee.slug, "voter": builders.person()}
    assert refusal(post("/api/votes", body)) == (404, "not_live")
    assert refusal(post(f"/api/nominees/{first.nominee.slug}/manual-votes", body, by=builders.superuser())) == (
        404,
        "not_found",
    )
    code, words = refused(lambda: unmerge_nominees(earlier, by=None))
    assert (code, words) == ("", f"{second.nominee} was merged into {third.nominee} since: undo that merge first.")
    for nomination in Nomination.objects.all():
        services.withdraw_nomination(nomination, by=builders.superuser())
    assert refusal(get(address)) == (410, "gone")
    for merge in (later, earlier):
        unmerge_nominees(merge, by=None)
    assert set(Nominee.objects.values_list("state", "merged_into")) == {("suspended", None)}


def test_whoever_is_named_again_by_an_old_address_is_the_survivor() -> None:
    loser, survivor = pair()
    Nominee.objects.filter(pk=survivor.nominee_id).update(email="new@x.example")
    third = builders.approved()
    merged(loser, survivor)
    merge_nominees(survivor.nominee, third.nominee, by=None)
    for known in ({"email": "ada@x.example"}, {"email": "other@x.example", "linkedin_url": LINKEDIN}):
        body = builders.submission(nominee={**builders.nominee(), **known})
        status, answer = said(post("/api/nominations", body))
        assert (status, Nomination.objects.get(pk=answer["id"]).nominee) == (201, third.nominee)
        assert refusal(post("/api/nominations", body)) == (409, "already_nominated")
    # Chosen on a page that was opened before the merge.
    source = Nomination.Source.PAGE
    chosen = services.submit_nomination(
        loser.category,
        nominator=builders.person(),
        nominee=builders.nominee(),
        why="",
        source=source,
        known=loser.nominee,
    )
    assert chosen.nominee == third.nominee


def test_what_cannot_be_one_is_refused_in_words() -> None:
    loser, survivor = pair()
    company = builders.approved(to=builders.category("best-firm", "company"), of=builders.company(company_name="Firm"))
    assert refused(lambda: merged(loser, loser))[0] == ""
    assert refused(lambda: merged(loser, company)) == ("", "Choose a person: Firm is none.")
    merge = merged(loser, survivor)
    for one, other in ((loser, survivor), (survivor, loser), (builders.approved(), loser)):
        assert refused(lambda one=one, other=other: merged(one, other))[0] == "already_decided"
    Nominee.objects.filter(pk=survivor.nominee_id).update(email="own@x.example")
    taker = builders.approved(of=builders.nominee(last_name="Taker"))
    Nominee.objects.filter(pk=taker.nominee_id).update(email="ada@x.example")
    code, words = refused(lambda: unmerge_nominees(merge, by=None))
    assert words == "Nia Taker has the email address ada@x.example now: change it there first."
    Nominee.objects.filter(pk=taker.nominee_id).update(email="")
    add_manual_votes(survivor.nominee, survivor.category, count=-4, reason="x", by=builders.superuser())
    assert refused(lambda: unmerge_nominees(merge, by=None))[0] == "total_below_zero"
    add_manual_votes(survivor.nominee, survivor.category, count=4, reason="x", by=builders.superuser())
    unmerge_nominees(merge, by=None)
    assert refused(lambda: unmerge_nominees(merge, by=None))[0] == "already_decided"


def test_everybody_concerned_is_right_at_loops_after_a_merge_and_after_its_undoing(loops: RunningSandbox) -> None:
    nominator, voter = builders.person(), builders.person()
    loser = builders.approved(of=builders.nominee(last_name="Old", email="old@x.example"), by=nominator)
    survivor = builders.submitted(of=builders.nominee(last_name="New", email="new@x.example"))
    builders.vote(loser, **voter)

    def seen() -> list[dict[str, Any]]:
        loops_services.drain()
        emails = ("old@x.example", "new@x.example", nominator["email"], voter["email"])
        return [loops.contact(email) or {} for email in emails]

    before = seen()
    assert [row.get("userGroup") for row in before] == ["Nominess", None, "Nominator Live", "Voters"]
    done = OutboxEntry.objects.count()
    merge = merged(loser, survivor)
    told = OutboxEntry.objects.filter(event_type="nominee_merged", reference_type="merge", reference_id=str(merge.pk))
    emails = set(told.values_list("contact__email", flat=True))
    assert emails == {"new@x.example", "old@x.example", nominator["email"]}
    assert OutboxEntry.objects.count() == done + 4
    old, new, author, elector = seen()
    assert [old.get(name) or "" for name in ("userGroup", "liveUrl")] == ["", ""]
    assert (new["userGroup"], new["liveUrl"]) == ("Nominess", "https://awards.example/nominee/nia-new")
    assert (author["nomineeName"], author["nomineeLiveUrl"]) == ("Nia New", "https://awards.example/nominee/nia-new")
    assert elector["votedFor"] == "Nia New"
    unmerge_nominees(merge, by=None)
    old, new, author, elector = seen()
    assert (old["userGroup"], author["nomineeName"], elector["votedFor"]) == ("Nominess", "Nia Old", "Nia Old")
    assert not new.get("userGroup")


def test_whoever_is_forgotten_is_forgotten_under_every_name_that_was_merged() -> None:
    spelling = {"first_name": "Zephyrine", "last_name": "Quilfeather"}
    loser = builders.approved(of=builders.nominee(**HER))
    survivor = builders.approved(of=builders.nominee(**spelling, email="zephyrine.q@canary.example"))
    other = builders.approved()
    merge = merged(loser, survivor, reason=f"{NAME}, says {EMAIL}.")
    elsewhere = merge_nominees(builders.approved().nominee, other.nominee, by=None, reason=f"Not {NAME}.")
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    assert traces() == []
    assert [str(now(row)) for row in (loser, survivor, other)] == [
        "Erased person",
        "Erased person",
        str(other.nominee),
    ]
    assert [Merge.objects.get(pk=row.pk).filled for row in (merge, elsewhere)] == [{}, {}]
    unmerge_nominees(merge, by=None)
    assert (now(loser).state, verify_votes()) == ("suspended", "")


class Mergers(RuleBasedStateMachine):
    """Any order of votes, merges and their undoing."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.outside = transaction.atomic()
        self.outside.__enter__()
        self.boss = builders.superuser()
        by = builders.person()
        self.places = [*(builders.approved(by=by) for _ in range(3)), builders.submitted(by=by)]
        self.voters = [builders.person() for _ in range(4)]
        self.cast_for: dict[UUID, UUID] = {}
        self.added: Counter[UUID] = Counter()

    def teardown(self) -> None:
        """After undoing everything all is as if never merged: each vote is where it was cast, or added by hand."""
        for merge in Merge.objects.filter(undone_at=None):
            # What was taken away on the strength of the other's votes is owed first.
            self.give(merge.survivor, 50)
            unmerge_nominees(merge, by=self.boss)
        assert verify_votes() == ""
        assert {vote.pk: vote.nominee_id for vote in Vote.objects.all()} == self.cast_for
        manual = Tally.objects.exclude(manual_votes=0).values_list("nominee", "manual_votes")
        assert dict(manual) == {pk: count for pk, count in self.added.items() if count}
        assert not Vote.objects.exclude(original_nominee=None).exists()
        assert [row.nominee for row in Nomination.objects.order_by("created_at")] == [
            row.nominee for row in self.places
        ]
        for nominee in Nominee.objects.all():
            assert (nominee.state == "live") == nominee.nominations.approved().exists()
        transaction.set_rollback(True)
        self.outside.__exit__(None, None, None)

    def done(self, act: Any) -> Any:
        """A refusal moves nothing."""
        type(self).steps += 1
        answer = None
        try:
            with transaction.atomic():
                answer = act()
        except ValidationError:
            pass
        assert verify_votes() == ""
        return answer

    def target(self, place: int) -> Nominee:
        """Whoever a nominee is by now, or was a step ago."""
        row = Nominee.objects.get(pk=self.places[place].nominee_id)
        return row.merged_into or row

    def give(self, nominee: Nominee, count: int) -> None:
        """Manual votes."""
        category = self.places[0].category
        if self.done(lambda: add_manual_votes(nominee, category, count=count, reason="x", by=self.boss)):
            self.added[nominee.pk] += count

    @rule(place=st.integers(0, 3), voter=st.integers(0, 3), held=st.booleans())
    def cast(self, place: int, voter: int, held: bool) -> None:
        """A vote for whoever the nominee is now, counted or held."""
        builders.season(vote_verification="email" if held else "none")
        nominee, category = self.target(place), self.places[place].category
        vote = self.done(lambda: services.cast_vote(category, nominee, voter=self.voters[voter]))
        if vote is not None:
            self.cast_for.setdefault(vote.pk, nominee.pk)

    @rule(number=st.integers(0, 9))
    def confirm(self, number: int) -> None:
        """Its voter's word."""
        votes = list(Vote.objects.held().order_by("created_at"))
        if number < len(votes):
            self.done(lambda: services.confirm_vote(services.verification_token(votes[number])))

    @rule(place=st.integers(0, 3), count=st.sampled_from([-2, -1, 1, 5]))
    def by_hand(self, place: int, count: int) -> None:
        """Manual votes."""
        self.give(self.target(place), count)

    @rule(place=st.integers(0, 3), action=st.sampled_from(["approve", "withdraw", "reopen"]))
    def decide(self, place: int, action: str) -> None:
        """Staff go on deciding."""
        act = getattr(services, f"{action}_nomination")
        self.done(lambda: act(self.places[place], by=self.boss))

    @rule(one=st.integers(0, 3), other=st.integers(0, 3))
    def merge(self, one: int, other: int) -> None:
        """Any two."""
        loser, survivor = self.places[one].nominee, self.places[other].nominee
        self.done(lambda: merge_nominees(loser, survivor, by=self.boss))

    @rule(number=st.integers(0, 2))
    def unmerge(self, number: int) -> None:
        """Any one, also one that cannot be undone yet or again."""
        rows = list(Merge.objects.all())
        if number < len(rows):
            self.done(lambda: unmerge_nominees(rows[number], by=self.boss))


def test_votes_are_never_lost_and_go_home_whatever_is_merged() -> None:
    quick = settings(
        max_examples=2,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Mergers, settings=quick)
