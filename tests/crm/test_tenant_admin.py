"""What a member sees of the admin is their own business's; programs stand for all that belongs to a business."""

from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, User
from loyalty.models import Program
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/loyalty/program/"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def two_businesses() -> tuple[Program, Program]:
    """A program here, and one elsewhere."""
    return builders.program(name="Here"), builders.program(builders.business("elsewhere"), name="There")


def seen(client: Client) -> set[str]:
    html = client.get(LIST).content.decode()
    return {name for name in ("Here", "There") if f">{name}</a>" in html}


@pytest.mark.parametrize("role", ["cashier", "manager", "owner"])
def test_member_sees_their_own_business(role: str) -> None:
    here, there = two_businesses()
    assert seen(logged_in(builders.member(role, here.business))) == {"Here"}
    assert seen(logged_in(builders.member(role, here.business, there.business))) == {"Here", "There"}


@pytest.mark.parametrize("permission", ["loyalty.view_program", "loyalty.change_program"])
def test_staff_with_the_permission_see_all(permission: str) -> None:
    two_businesses()
    assert seen(logged_in(builders.staff(permission))) == {"Here", "There"}


def test_staff_without_the_permission_see_none_unless_they_are_members() -> None:
    here, _there = two_businesses()
    staff = builders.staff()
    assert logged_in(staff).get(LIST).status_code == 403
    here.business.memberships.create(user=staff, role="cashier")
    assert seen(logged_in(staff)) == {"Here"}


def test_permission_without_being_staff_shows_no_other_business() -> None:
    here, _there = two_businesses()
    user = builders.staff("loyalty.view_program", "loyalty.change_program")
    User.objects.filter(pk=user.pk).update(is_staff=False)
    here.business.memberships.create(user=user, role="manager")
    assert seen(logged_in(User.objects.get(pk=user.pk))) == {"Here"}


@pytest.mark.parametrize("page", ["change", "history"])
def test_foreign_row_answers_as_a_missing_one(page: str) -> None:
    here, there = two_businesses()
    client = logged_in(builders.member("owner", here.business))
    answers = [client.get(f"{LIST}{pk}/{page}/") for pk in (there.pk, uuid4(), "nonsense")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.content for answer in answers}) == 1
    assert client.get(f"{LIST}{here.pk}/{page}/").status_code == 200


def test_role_counts_in_the_rows_business_only() -> None:
    here, there = two_businesses()
    user = builders.member("cashier", here.business)
    there.business.memberships.create(user=user, role="manager")
    client = logged_in(user)
    assert b'name="_save"' not in client.get(f"{LIST}{here.pk}/change/").content
    assert b'name="_save"' in client.get(f"{LIST}{there.pk}/change/").content
    assert client.post(f"{LIST}{here.pk}/change/", {"name": "Mine"}).status_code == 403


def test_member_adds_only_where_the_role_suffices() -> None:
    here, there = two_businesses()
    user = builders.member("cashier", here.business)
    assert logged_in(user).get(f"{LIST}add/").status_code == 403
    there.business.memberships.create(user=user, role="manager")
    html = logged_in(user).get(f"{LIST}add/").content.decode()
    assert str(there.business.pk) in html
    assert str(here.business.pk) not in html


def test_nobody_deletes() -> None:
    here, _there = two_businesses()
    for user in (builders.superuser(), builders.member("owner", here.business)):
        assert logged_in(user).post(f"{LIST}{here.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Program.objects.count() == 2


def test_who_has_no_business_is_shown_to_the_login() -> None:
    assert "/login/" in logged_in(builders.plain_user()).get(LIST)["Location"]
    assert Client().get("/admin/login/").status_code == 200
    assert logged_in(builders.plain_user()).get("/admin/login/").status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_roles_are_asked_once_however_many_lists_and_businesses(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    businesses: list[Business] = [builders.business(f"shop-{number}") for number in range(count)]
    for business in businesses:
        builders.program(business)
    client = logged_in(builders.member("manager", *businesses))
    client.get(LIST)
    with django_assert_num_queries(10):
        client.get(LIST)
