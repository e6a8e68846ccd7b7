"""Names that are alike: found without comparing everybody with everybody, with what speaks for it and against it."""

from itertools import combinations
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from nominations import selectors, services
from nominations.contacts import normal_name
from nominations.models import Nomination, Nominee
from nominations.models.names import trigrams
from nominations.selectors.duplicates import similar_names
from tests import builders

PAGE = "/admin/nominations/nominee/duplicates/"
SYLLABLES = st.sampled_from(["an", "na", "ber", "bel", "son", "sen", "a", " ", "o ", "li"])
NAMES = st.lists(SYLLABLES, min_size=1, max_size=7).map("".join).map(normal_name)


def named(first: str, last: str, to: str = "best-recruiter", **kwargs: Any) -> Nomination:
    of = builders.nominee(first_name=first, last_name=last, **kwargs)
    return builders.submitted(of=of, to=builders.category(to))


def likeness(one: str, other: str) -> float:
    first, second = trigrams(one), trigrams(other)
    return len(first & second) / len(first | second)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(NAMES, min_size=2, max_size=25, unique=True), st.sampled_from([0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))
def test_shortcut_finds_just_what_comparing_everybody_finds(names: list[str], at_least: float) -> None:
    found = {(frozenset(pair), score) for score, *pair in similar_names(names, at_least)}
    assert found == {
        (frozenset(pair), likeness(*pair)) for pair in combinations(names, 2) if likeness(*pair) >= at_least
    }


@pytest.mark.django_db
def test_pairs_share_a_category_or_the_whole_name_and_say_what_speaks_for_it(staff_client: Client) -> None:
    old = named("Catherine", "Johnson", company="NASA", country="USA", email="one@nasa.example")
    new = named(
        "Katherine",
        "Johnson",
        company="Nasa",
        country="Spain",
        email="two@nasa.example",
        linkedin_url="linkedin.com/in/k",
    )
    services.approve_nomination(new, by=builders.superuser())
    named("Catherine", "Johnsson", to="best-leader")
    same = named("CATHERINE", "Johnson", to="best-leader", email="")
    named("Someone", "Else")
    pairs, count = selectors.duplicate_pairs("person", 0.7)
    assert [(row.one.pk, row.other.pk, row.likeness, row.categories) for row in pairs[:1]] == [
        (old.nominee_id, same.nominee_id, 100, [])
    ]
    row = next(row for row in pairs if new.nominee_id in (row.one.pk, row.other.pk))
    # Whoever has an address is the one to keep.
    assert (row.one.pk, row.other.pk, row.likeness, row.categories, count) == (
        new.nominee_id,
        old.nominee_id,
        71,
        ["Best Recruiter"],
        3,
    )
    assert (row.speaks_for, row.speaks_against) == (["same company", "same mail domain"], ["different country"])
    shown = staff_client.get(PAGE).content.decode()
    assert f"/admin/nominations/nominee/{old.nominee_id}/merge/{new.nominee_id}/" in shown
    for query, size in (
        ("?at_least=0.9", 1),
        ("?category=best-leader&at_least=0.5", 1),
        ("?kind=company", 0),
        ("?at_least=x", 3),
    ):
        assert len(staff_client.get(PAGE + query).context["pairs"]) == size, query
    services.merge_nominees(old.nominee, new.nominee, by=None)
    Nominee.objects.update(first_name="Erased", last_name="person")
    assert selectors.duplicate_pairs("person", 0.4) == ([], 0)
    assert "No duplicates found" in staff_client.get(PAGE).content.decode()


@pytest.mark.django_db
def test_alike_reads_names_alone_and_returns_the_best(django_assert_num_queries: Any) -> None:
    for last in ("Hoper", "Hopper", "Hop", "Murray", "Hopperly"):
        named("Grace", last)
    with django_assert_num_queries(2):
        found = selectors.alike("Grace Hopper", Nominee.objects.all(), limit=2)
    assert [(str(nominee), likeness) for nominee, likeness in found] == [("Grace Hopper", 100), ("Grace Hoper", 79)]
    assert selectors.alike("Nobody", Nominee.objects.all()) == []
