"""A nominee's address: made of the name, unique, and fixed for ever at the first approval."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.models import User
from nominations import contacts, services
from nominations.models import Nominee
from tests import builders
from tests.door import post, said

BAD_SLUG = {"slug": ["Use lower-case letters a to z, digits and hyphens, for example jane-doe."]}


@pytest.fixture
def decider() -> User:
    """Staff who may decide."""
    return builders.staff("nominations.decide_nomination")


def slug_for(first: str, last: str, *, wanted: str = "") -> str | None:
    """The slug that an approval gives somebody of that name."""
    return builders.approved(of={"kind": "person", "first_name": first, "last_name": last}, slug=wanted).nominee.slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("ABC Company Ltd.", "abc-company-ltd"),
        ("John Smith", "john-smith"),
        ("  Zoë   O'Neill-Núñez ", "zoe-oneill-nunez"),
        ("Müller & Söhne GmbH", "muller-sohne-gmbh"),
        ("Δημήτρης Παπαδόπουλος", "dimitris-papadopoylos"),
        ("Владимир Иванов", "vladimir-ivanov"),
        ("李小龙", "lixiaolong"),
        ("🏆", "trophy"),
        ("\u202e", "nominee"),
        ("!!!", "nominee"),
        ("--a__b--", "a-b"),
        ("x" * 300, "x" * 180),
    ],
)
def test_slug_is_made_of_the_name(name: str, slug: str) -> None:
    assert contacts.slug_of(name) == slug


@settings(max_examples=200, deadline=None, derandomize=True)
@given(name=st.text(max_size=300))
def test_slug_is_always_an_address_and_stays_as_it_is(name: str) -> None:
    slug = contacts.slug_of(name)
    assert slug.isascii()
    assert slug == slug.lower()
    assert 0 < len(slug) <= 180
    assert contacts.slug_of(slug) == slug


@pytest.mark.django_db
def test_namesakes_get_a_number() -> None:
    assert [slug_for("John", "Smith") for _ in range(3)] == ["john-smith", "john-smith-2", "john-smith-3"]


@pytest.mark.django_db
def test_number_in_a_name_is_not_taken_for_a_namesake() -> None:
    assert [slug_for("John", "Smith 2"), slug_for("John", "Smith")] == ["john-smith-2", "john-smith"]
    assert slug_for("John", "Smith") == "john-smith-3"


@pytest.mark.django_db
def test_slug_is_fixed_for_ever(decider: User) -> None:
    nomination = builders.approved(of={"kind": "person", "first_name": "John", "last_name": "Smith"})
    nominee = nomination.nominee
    nominee.last_name = "Doe"
    nominee.save()
    services.reject_nomination(nomination, by=decider, reason="No.")
    services.approve_nomination(nomination, by=decider)
    assert Nominee.objects.get(pk=nominee.pk).slug == "john-smith"
    assert services.proposed_slug(nominee) == "john-smith"


@pytest.mark.django_db
def test_staff_may_choose_the_slug_before_the_first_approval_only(decider: User) -> None:
    nomination = builders.submitted()
    path = f"/api/nominations/{nomination.pk}"
    assert said(post(f"{path}/approve", {"slug": "the-best"}, by=decider))[1]["nominee"]["slug"] == "the-best"
    post(f"{path}/reopen", {}, by=decider)
    assert said(post(f"{path}/approve", {"slug": "better"}, by=decider)) == (
        400,
        {"slug": ["The address is fixed since the first approval: the-best."]},
    )
    assert said(post(f"{path}/approve", {"slug": "the-best"}, by=decider))[0] == 200


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["John-Smith", "john smith", "jöhn", "-john", "john-", "a--b", "a/b", ".", "---"])
def test_slug_that_is_no_address_is_refused(slug: str, decider: User) -> None:
    nomination = builders.submitted()
    assert said(post(f"/api/nominations/{nomination.pk}/approve", {"slug": slug}, by=decider)) == (400, BAD_SLUG)
    nomination.refresh_from_db()
    assert nomination.state == "submitted"


@pytest.mark.django_db
def test_slug_over_180_characters_is_refused(decider: User) -> None:
    nomination = builders.submitted()
    path = f"/api/nominations/{nomination.pk}/approve"
    message = "Ensure this field has no more than 180 characters."
    assert said(post(path, {"slug": "x" * 181}, by=decider)) == (400, {"slug": [message]})
    assert said(post(path, {"slug": "x" * 180}, by=decider))[0] == 200


@pytest.mark.django_db
def test_taken_slug_is_refused(decider: User) -> None:
    slug_for("John", "Smith")
    nomination = builders.submitted()
    with pytest.raises(ValidationError) as raised:
        services.approve_nomination(nomination, by=decider, slug="john-smith")
    assert raised.value.message_dict == {"slug": ["Another nominee has this address."]}


@pytest.mark.django_db
def test_slug_of_a_suspended_nominee_stays_taken(decider: User) -> None:
    nomination = builders.approved(of={"kind": "person", "first_name": "John", "last_name": "Smith"})
    services.withdraw_nomination(nomination, by=decider)
    assert slug_for("John", "Smith") == "john-smith-2"


@pytest.mark.django_db
def test_database_holds_that_slugs_are_unique_and_the_live_have_one() -> None:
    first, second = builders.approved().nominee, builders.approved().nominee
    for fields in ({"slug": first.slug}, {"slug": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Nominee.objects.filter(pk=second.pk).update(**fields)
