"""Signing in by a mailed link, by password, and joining: nobody learns whom we know, and nobody gets in twice."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from crm.models import RateGate, User
from loyalty import tasks
from loyalty.models import Customer, SignInLink
from loyalty.services import signing_in
from tests import builders
from tests.door import post, said
from tests.loyalty.crowd import at_once

pytestmark = pytest.mark.django_db
ADA, PHONE = "ada@example.org", "07306 506797"
LINK = re.compile(r"https://awards\.example(/sign-in/[\w-]{43})\n")


def mailed() -> list[str]:
    """Let the worker mail what waits: the paths of the links, and of what else was mailed nothing."""
    for link in SignInLink.objects.filter(token_hash=None).order_by("created_at"):
        tasks.mail_link(link.pk)
    found = [match[1] for message in mail.outbox for match in [LINK.search(str(message.body))] if match]
    mail.outbox.clear()
    return found


def asked_link(email: str = ADA, **fields: str) -> str:
    """The path of a link that was asked for and mailed."""
    signing_in.request_link(email, **fields)
    return mailed()[0]


def joined(email: str = ADA, phone: str = PHONE, **fields: str) -> Any:
    """What the form of /join answers."""
    sent: Any = {"name": "Ada King Lovelace", "phone": phone, "email": email, **fields}
    return Client().post("/join", sent)


def who(client: Client) -> str | None:
    """Who is signed in."""
    pk = client.session.get("_auth_user_id")
    return User.objects.get(pk=pk).email if pk else None


def opened(path: str) -> Client:
    """A browser in which the link's button was pressed."""
    client = Client()
    client.post(path)
    return client


def test_link_signs_in_once_and_makes_the_login_at_its_first_use() -> None:
    customer = builders.customer(PHONE, email=ADA)
    path = asked_link(" ADA@example.org")
    client = Client()
    page = client.get(path)
    assert (page.status_code, who(client)) == (200, None)
    assert not User.objects.filter(email=ADA).exists()
    answer = client.post(path)
    assert (answer.status_code, answer["Location"], who(client)) == (302, "/cards", ADA)
    user = User.objects.get(email=ADA)
    assert (Customer.objects.get(user=user), user.has_usable_password()) == (customer, False)
    again = Client()
    assert [again.post(path).status_code, again.get(path).status_code, who(again)] == [410, 410, None]
    assert "used already" in again.get(path).content.decode()


def test_only_a_digest_of_the_token_is_kept() -> None:
    builders.customer(PHONE, email=ADA)
    token = asked_link().removeprefix("/sign-in/")
    assert token not in str(SignInLink.objects.values_list().get())


@pytest.mark.parametrize(("minutes", "status"), [(14, 302), (15, 410)])
def test_link_is_good_for_fifteen_minutes(minutes: int, status: int) -> None:
    builders.customer(PHONE, email=ADA)
    path = asked_link()
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
        assert Client().post(path).status_code == status


def test_unknown_link_says_so_and_offers_a_new_one() -> None:
    page = Client().get("/sign-in/nothing")
    assert page.status_code == 404
    assert 'name="link"' in page.content.decode()


def test_request_answers_alike_whoever_has_the_address(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    builders.customer(PHONE, email=ADA)
    builders.superuser()
    answers = []
    for email in (ADA, "nobody@example.org", "boss@example.org"):
        with django_capture_on_commit_callbacks(execute=True):
            answers.append(said(post("/api/auth/link", {"email": email})))
    assert answers == [answers[0]] * 3
    assert answers[0][0] == 202
    assert (SignInLink.objects.count(), OrmQ.objects.count()) == (3, 3)
    assert len(mailed()) == 1
    assert [link.email for link in SignInLink.objects.all()] == [ADA]


def test_request_costs_the_same_whoever_has_the_address(django_assert_max_num_queries: Any) -> None:
    builders.customer(PHONE, email=ADA)
    counts = []
    for email in (ADA, "nobody@example.org"):
        with django_assert_max_num_queries(20) as seen:
            post("/api/auth/link", {"email": email})
        counts.append(len(seen))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("body", [{}, {"email": "no address"}, {"email": 5}, {"email": ADA, "next": "/"}])
def test_request_refuses_what_is_no_address(body: Any) -> None:
    assert post("/api/auth/link", body).status_code == 400


def test_requests_are_throttled_by_address_and_quietly_by_email(settings: Settings) -> None:
    builders.customer(PHONE, email=ADA)
    assert {post("/api/auth/link", {"email": ADA}).status_code for _ in range(7)} == {202}
    assert SignInLink.objects.count() == 5
    settings.THROTTLE_RATES = {"public": "2/min", "lookup": ""}
    codes = [post("/api/auth/link", {"email": f"{name}@example.org"}).status_code for name in "abc"]
    assert codes == [202, 202, 429]
    forms = {"/login": {"email": ADA, "link": "yes"}, "/join": {"name": "A", "phone": PHONE, "email": ADA}}
    for path, sent in forms.items():
        assert Client().post(path, sent).status_code == 429


@pytest.mark.parametrize("flags", [{"is_staff": True}, {"is_active": False}])
def test_staff_and_closed_logins_get_no_link_and_none_that_they_have_works(flags: dict[str, bool]) -> None:
    user = User.objects.create_user(ADA, "secret-1")
    builders.customer(PHONE, email=ADA, user=user)
    path = asked_link()
    User.objects.filter(pk=user.pk).update(**flags)
    assert Client().post(path).status_code == 404
    signing_in.request_link(ADA)
    joined("ada@example.org", "07306 506798")
    assert (mailed(), SignInLink.objects.filter(token_hash=None).count()) == ([], 0)


def test_login_that_nobody_has_as_a_customer_is_linked() -> None:
    customer = builders.customer(PHONE, email=ADA)
    user = User.objects.create_user(ADA, "secret-1")
    assert who(opened(asked_link())) == ADA
    assert Customer.objects.get(user=user) == customer


def test_of_several_customers_the_one_active_last_is_linked() -> None:
    idle, active, newest = [builders.customer(f"07306 50679{n}", email=ADA) for n in range(3)]
    builders.card(10, by=active)
    opened(asked_link())
    assert [customer.pk for customer in Customer.objects.filter(user__email=ADA)] == [active.pk]
    # Now that one of them is linked, the address means that one.
    opened(asked_link())
    assert Customer.objects.filter(user=None).count() == 2


def test_customer_whose_address_was_changed_by_others_is_not_given_away() -> None:
    owner = builders.plain_user()
    builders.customer(PHONE, email=ADA, user=owner)
    signing_in.request_link(ADA)
    assert mailed() == []


def test_somebody_new_joins_with_a_login() -> None:
    answer = joined()
    assert (answer.status_code, answer["Location"], Customer.objects.count()) == (302, "/sign-in/sent", 0)
    client = opened(mailed()[0])
    customer = Customer.objects.get()
    assert (who(client), customer.phone, customer.phone_raw) == (ADA, "+447306506797", PHONE)
    assert (customer.first_name, customer.last_name, customer.email) == ("Ada", "King Lovelace", ADA)
    assert User.objects.get(customer=customer).get_full_name() == "Ada King Lovelace"


def test_known_phone_is_linked_by_its_own_address_only() -> None:
    mine = builders.customer(PHONE, email=ADA)
    builders.customer("07306 506798", email="bob@example.org")
    builders.customer("07306 506799")
    answers = [joined(), joined("mallory@example.org", "07306 506798"), joined("eve@example.org", "07306 506799")]
    fresh = joined("new@example.org", "07306 506700")
    assert {(answer.status_code, answer["Location"]) for answer in [*answers, fresh]} == {(302, "/sign-in/sent")}
    for link in SignInLink.objects.order_by("created_at"):
        tasks.mail_link(link.pk)
    subjects = [(message.to[0], message.subject) for message in mail.outbox]
    join, taken = "Confirm your address to join Laurel", "This phone already has a card"
    assert subjects == [
        (ADA, join),
        ("mallory@example.org", taken),
        ("eve@example.org", taken),
        ("new@example.org", join),
    ]
    assert "ask at the till" in str(mail.outbox[1].body)
    assert LINK.search(str(mail.outbox[1].body)) is None
    opened(LINK.search(str(mail.outbox[0].body))[1])  # type: ignore[index]
    assert Customer.objects.get(user__isnull=False) == mine


def test_phone_that_somebody_else_took_meanwhile_is_not_given_away() -> None:
    joined()
    path = mailed()[0]
    builders.customer(PHONE, email="bob@example.org")
    client = Client()
    answer = client.post(path)
    assert (answer.status_code, who(client)) == (409, None)
    assert "already has a card" in answer.content.decode()
    assert not User.objects.filter(email=ADA).exists()


def test_joining_customer_who_has_a_login_signs_in() -> None:
    customer = builders.customer(PHONE, email=ADA, user=User.objects.create_user(ADA))
    joined("ada@example.org", "07306 506700")
    assert who(opened(mailed()[0])) == ADA
    assert list(Customer.objects.all()) == [customer]


def test_join_reads_the_phone_in_the_region_of_the_business() -> None:
    paris = builders.business("boulangerie")
    paris.default_region = "FR"
    paris.save()
    sent = {"name": "Ada", "phone": "06 12 34 56 78", "email": ADA}
    assert Client().post("/join?business=boulangerie", sent).status_code == 302
    answer = Client().post(mailed()[0])
    assert answer["Location"] == "/cards?business=boulangerie"
    assert Customer.objects.get().phone == "+33612345678"


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"phone": "12"}, {"email": "ada"}, {"name": "x" * 101}, {"name": "a\0b"}]
)
def test_join_says_at_the_field_what_is_wrong(fields: dict[str, str]) -> None:
    answer = joined(**fields)
    assert answer.status_code == 400
    name = next(iter(fields))
    assert f'id="id_{name}_error"' in answer.content.decode()
    assert not SignInLink.objects.exists()


def test_mail_that_fails_is_sent_later_and_old_links_are_forgotten(settings: Settings) -> None:
    builders.customer(PHONE, email=ADA)
    signing_in.request_link(ADA)
    link = SignInLink.objects.get()
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    tasks.mail_link(link.pk)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        tasks.sweep_links()
        tasks.sweep_links()
    assert len(mail.outbox) == 1
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        tasks.sweep_links()
    assert not SignInLink.objects.exists()


def logged_in(email: str, password: str = "secret-1", **fields: str) -> Any:
    """What the form of /login answers."""
    return Client().post("/login", {"email": email, "password": password, **fields})


def test_password_leads_each_to_their_own_page() -> None:
    customer = builders.customer(PHONE, user=builders.plain_user()).user
    member = builders.member("cashier", builders.business())
    users = [customer, member, builders.superuser()]
    assert [logged_in(f" {user.email.upper()}")["Location"] for user in users if user] == [
        "/cards",
        "/business/scan",
        "/admin/",
    ]


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("/qr?a=1", "/qr?a=1"),
        ("https://evil.example/", "/cards"),
        ("//evil.example/", "/cards"),
        ("/\\evil.example", "/cards"),
        ("javascript:alert(1)", "/cards"),
        ("qr", "/cards"),
        ("/qr\0", "/cards"),
    ],
)
def test_login_goes_on_to_own_pages_only(target: str, reached: str) -> None:
    user = builders.customer(PHONE, email=ADA, user=builders.plain_user()).user
    assert user
    assert logged_in(user.email, next=target)["Location"] == reached
    Client().post("/login", {"email": user.email, "link": "yes", "next": target})
    assert Client().post(mailed()[0])["Location"] == reached


def test_wrong_password_is_told_and_the_twentieth_locks_in_words() -> None:
    user = builders.plain_user()
    pages = [logged_in(user.email, "wrong") for _ in range(20)]
    assert [page.status_code for page in pages] == [400] * 19 + [429]
    assert "The address or the password is wrong." in pages[0].content.decode()
    assert "Too many failed logins" in logged_in(user.email).content.decode()


def test_logout_is_a_post() -> None:
    client = builders.logged_in(builders.plain_user())
    assert (client.get("/logout").status_code, who(client) is None) == (405, False)
    assert (client.post("/logout")["Location"], who(client)) == ("/login", None)


def test_forms_want_their_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert {strict.post(path).status_code for path in ("/login", "/join", "/logout", "/sign-in/x")} == {403}


@pytest.mark.parametrize("path", ["/login", "/join", "/sign-in/sent", "/sign-in/x", "/cards", "/qr", "/notifications"])
def test_pages_are_kept_nowhere(path: str) -> None:
    assert Client().get(path)["Cache-Control"] == "no-store, no-cache, must-revalidate, private"


def used(path: str) -> Any:
    """A press of the link's button."""
    return lambda: signing_in.use_link(path.removeprefix("/sign-in/"))[0].email


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_links_pressed_at_the_same_moment_make_one_login_and_one_customer() -> None:
    bob = "bob@example.org"
    for number in range(5):
        Customer.objects.all().delete()
        User.objects.all().delete()
        phones = [f"07306 5067{number}{last}" for last in range(3)]
        for email, phone in [(ADA, phones[0]), (bob, phones[0]), (ADA, phones[1])]:
            signing_in.request_to_join(email=email, phone=phone, first_name="A", last_name="", region="GB")
        RateGate.objects.all().delete()
        first, other, second = mailed()
        assert sorted(at_once(used(first), used(first))) == [ADA, "used"]
        Customer.objects.all().delete()
        SignInLink.objects.update(used_at=None)
        emails = at_once(used(first), used(second), used(other))
        assert emails[:2] in ([ADA, ADA], ["phone_taken", ADA])
        assert emails[2] in (bob, "phone_taken")
        assert Customer.objects.filter(user__email=ADA).count() == 1
        assert Customer.objects.filter(user=None).count() == 0
