"""Which business a login acts for, and as what."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404

from crm.models import Business
from crm.selectors import business_for, require_role
from tests import builders

pytestmark = pytest.mark.django_db
ROLES = ("cashier", "manager", "owner")


@pytest.mark.parametrize("role", ROLES)
def test_member_of_one_business_need_not_name_it(role: str) -> None:
    own = builders.business()
    builders.business("elsewhere")
    assert business_for(builders.member(role, own), None) == own
    assert business_for(builders.member(role, own), "") == own


def test_member_names_the_business_by_id_or_slug() -> None:
    own = builders.business()
    user = builders.member("cashier", own, builders.business("second"))
    assert [business_for(user, str(own.pk)), business_for(user, own.slug)] == [own, own]


def test_member_of_several_must_name_one() -> None:
    user = builders.member("owner", builders.business(), builders.business("second"))
    with pytest.raises(ValidationError) as raised:
        business_for(user, None)
    assert list(raised.value.message_dict) == ["business"]


def test_foreign_business_is_missing_exactly_as_one_that_does_not_exist() -> None:
    foreign = builders.business("elsewhere")
    user = builders.member("owner", builders.business())
    answers = set()
    for wanted in (str(foreign.pk), foreign.slug, str(uuid4()), "nowhere"):
        with pytest.raises(Http404) as raised:
            business_for(user, wanted)
        answers.add(str(raised.value))
    assert answers == {"Not found."}


def test_user_without_a_business_acts_for_none() -> None:
    builders.business()
    with pytest.raises(PermissionDenied):
        business_for(builders.plain_user(), None)


def test_staff_see_all_and_must_name_one() -> None:
    tenant = builders.business()
    for user in (builders.staff(), builders.superuser()):
        assert business_for(user, tenant.slug) == tenant
        with pytest.raises(ValidationError) as raised:
            business_for(user, None)
        assert list(raised.value.message_dict) == ["business"]


@pytest.mark.parametrize("held", ROLES)
@pytest.mark.parametrize("needed", ROLES)
def test_role_includes_those_below_it(held: str, needed: str) -> None:
    tenant = builders.business()
    user = builders.member(held, tenant)
    if ROLES.index(held) >= ROLES.index(needed):
        require_role(user, tenant, needed)
    else:
        with pytest.raises(PermissionDenied, match=f"This needs the role {needed}."):
            require_role(user, tenant, needed)


@pytest.mark.parametrize("needed", ROLES)
def test_role_in_one_business_is_none_in_another(needed: str) -> None:
    user = builders.member("owner", builders.business())
    with pytest.raises(PermissionDenied):
        require_role(user, builders.business("elsewhere"), needed)


@pytest.mark.parametrize("needed", ROLES)
def test_staff_have_every_role_everywhere(needed: str) -> None:
    require_role(builders.staff(), builders.business(), needed)


def test_businesses_seen_are_ones_own() -> None:
    own = builders.business()
    builders.business("elsewhere")
    assert list(Business.objects.visible_to(builders.member("cashier", own))) == [own]
    assert list(Business.objects.visible_to(builders.plain_user())) == []
    assert Business.objects.visible_to(builders.staff()).count() == 2
