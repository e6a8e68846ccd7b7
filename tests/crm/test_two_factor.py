"""Staff give a second factor, at the admin and for a token; nobody else does."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from crm.models import User
from crm.services import enroll_app, offer_app, offered_app
from tests import builders
from tests.door import bearer, get, post, refusal

pytestmark = pytest.mark.django_db
LOGIN, ADMIN, PAGE = "/api/auth/login", "/admin/", "/admin/second-factor/"
STAFF_LIST = "/api/nominations"


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    """As in production."""
    settings.STAFF_REQUIRE_2FA = True


def shown(device: TOTPDevice) -> str:
    """What the user's app shows now."""
    return f"{totp(device.bin_key):06d}"


def later() -> Any:
    """A minute on: a code is good once."""
    return time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False)


def enrolled(user: User) -> tuple[TOTPDevice, list[str]]:
    """The user's app and their codes on paper."""
    offer = offer_app(user)
    codes = enroll_app(user, offer, shown(offered_app(user, offer)))[1]
    return TOTPDevice.objects.get(user=user), codes


def with_password(user: User) -> Client:
    """Somebody who has given the right password at the admin."""
    client = Client()
    sent = {"username": user.email, "password": "secret-1"}
    assert client.post("/admin/login/", sent).status_code == 302
    return client


def log_in(user: User, **fields: str) -> Any:
    """A login by token."""
    return post(LOGIN, {"email": user.email, "password": "secret-1", **fields})


def test_password_alone_opens_nothing() -> None:
    client = with_password(builders.superuser())
    response = client.get(ADMIN, follow=True)
    assert response.redirect_chain[-1][0] == f"{PAGE}?next=%2Fadmin%2F"
    assert refusal(get(STAFF_LIST, client=client)) == (401, "not_authenticated")
    assert refusal(get("/metrics", client=client)) == (401, "not_authenticated")
    assert client.get("/admin/crm/user/").status_code == 302


def test_staff_without_an_app_set_one_up_and_are_in() -> None:
    user = builders.superuser()
    client = with_password(user)
    page = client.get(f"{PAGE}?next=/admin/crm/user/").content.decode()
    assert "<svg" in page
    assert "style=" not in page
    assert not TOTPDevice.objects.exists()
    found = re.search(r'name="offer" value="([^"]+)"', page)
    assert found
    code = shown(offered_app(user, found[1]))
    wrong = client.post(PAGE, {"offer": found[1], "code": "000000" if code != "000000" else "000001"})
    assert "not the code that the app shows" in wrong.content.decode()
    assert not TOTPDevice.objects.exists()
    done = client.post(PAGE, {"offer": found[1], "code": code, "next": "/admin/crm/user/"}).content.decode()
    codes = re.findall(r"<li><code>(\w{8})</code></li>", done)
    assert (len(set(codes)), 'href="/admin/crm/user/"' in done) == (10, True)
    assert client.get("/admin/crm/user/").status_code == 200
    assert get(STAFF_LIST, client=client).status_code == 200
    assert not any(code in client.get(PAGE).content.decode() for code in codes)


def test_app_cannot_be_set_up_by_another_nor_with_an_old_page() -> None:
    offer = offer_app(builders.superuser())
    client = with_password(builders.staff())
    assert "opened by somebody else" in client.post(PAGE, {"offer": offer, "code": "123456"}).content.decode()
    assert "open for too long" in client.post(PAGE, {"offer": "x", "code": "123456"}).content.decode()
    assert not TOTPDevice.objects.exists()


def test_code_of_the_app_opens_once() -> None:
    user = builders.superuser()
    device, _codes = enrolled(user)
    with later():
        client, session = with_password(user), with_password(user)
        before = client.session.session_key
        assert client.post(PAGE, {"code": shown(device), "next": "//evil.example"}).headers["Location"] == ADMIN
        assert client.session.session_key != before
        assert client.get(ADMIN).status_code == 200
        assert "was used before" in session.post(PAGE, {"code": shown(device)}).content.decode()


def test_code_on_paper_opens_once_in_any_spelling() -> None:
    user = builders.superuser()
    _device, codes = enrolled(user)
    sent = {"code": f" {codes[0][:4].upper()} {codes[0][4:]}"}
    client = with_password(user)
    client.post(PAGE, sent)
    assert "That recovery code is used up: 9 left" in client.get(ADMIN).content.decode()
    again = with_password(user)
    again.post(PAGE, sent)
    assert again.get(ADMIN).status_code == 302


def test_wrong_codes_are_slowed_down() -> None:
    user = builders.superuser()
    device, _codes = enrolled(user)
    with later() as clock:
        client = with_password(user)
        for _attempt in range(3):
            client.post(PAGE, {"code": "x12345"})
            client.post(PAGE, {"code": "000000"})
        assert "Too many wrong codes" in client.post(PAGE, {"code": shown(device)}).content.decode()
        response = log_in(user, otp=shown(device))
        assert refusal(response) == (429, "throttled")
        assert int(response["Retry-After"]) >= 1
        clock.shift(60)
        assert log_in(user, otp=shown(device)).status_code == 200


def test_one_can_leave_half_way() -> None:
    client = with_password(builders.superuser())
    assert client.post(PAGE, {"leave": "1"}).headers["Location"] == "/admin/login/"
    assert client.get("/admin/login/").status_code == 200


def test_token_of_staff_needs_the_code_too() -> None:
    user = builders.superuser()
    assert refusal(log_in(user)) == (401, "otp_required")
    device, codes = enrolled(user)
    assert refusal(log_in(user)) == (401, "otp_required")
    with later():
        assert refusal(log_in(user, otp="nonsense")) == (401, "invalid_credentials")
        response = log_in(user, otp=shown(device))
    assert response.status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert log_in(user, otp=codes[3]).status_code == 200
        assert refusal(post(LOGIN, {"email": user.email, "password": "wrong", "otp": codes[4]}))[0] == 401
        assert StaticDevice.objects.get(user=user).token_set.count() == 9


def test_members_and_customers_need_none() -> None:
    cashier = builders.member("cashier", builders.business())
    assert with_password(cashier).get(ADMIN).status_code == 200
    assert log_in(builders.plain_user()).status_code == 200


def test_somebody_made_staff_is_asked_from_then_on() -> None:
    cashier = builders.member("cashier", builders.business())
    client = with_password(cashier)
    User.objects.filter(pk=cashier.pk).update(is_staff=True)
    assert client.get(ADMIN).status_code == 302


def test_superuser_resets_a_lost_phone_which_is_on_record() -> None:
    boss, user = builders.superuser(), builders.staff("crm.view_user", "crm.change_user")
    device, _codes = enrolled(user)
    token = bearer(user)
    client, other = with_password(boss), with_password(user)
    with later():
        client.post(PAGE, {"code": shown(enrolled(boss)[0])})
        other.post(PAGE, {"code": shown(device)})
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        client.post(PAGE, {"code": shown(TOTPDevice.objects.get(user=boss))})
    url = f"/admin/crm/user/{user.pk}/second-factor/"
    assert other.get(f"/admin/crm/user/{boss.pk}/second-factor/").status_code == 403
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 302
    assert list(TOTPDevice.objects.values_list("user", flat=True)) == [boss.pk]
    assert LogEntry.objects.filter(user=boss, object_id=str(user.pk)).count() == 1
    assert other.get(ADMIN).status_code == 302
    assert get(STAFF_LIST, **token).status_code == 401
    assert client.get(f"/admin/crm/user/{boss.pk}/second-factor/").status_code == 403


def test_without_the_setting_a_password_is_enough(settings: Settings) -> None:
    settings.STAFF_REQUIRE_2FA = False
    assert with_password(builders.superuser()).get(ADMIN).status_code == 200
    assert log_in(builders.superuser()).status_code == 200


def test_secrets_of_the_apps_are_nowhere_in_the_admin(settings: Settings) -> None:
    settings.STAFF_REQUIRE_2FA = False
    client = with_password(builders.superuser())
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert client.get("/admin/otp_static/staticdevice/").status_code == 404
