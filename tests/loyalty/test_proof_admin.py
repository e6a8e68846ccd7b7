"""Staff prove the ledger with a button, watch it, and read what came of it."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from crm.models import User
from loyalty import services, tasks
from loyalty.models import LedgerProof, LoyaltyCard
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/loyalty/ledgerproof/"
PROVE, LATEST = f"{LIST}prove/", f"{LIST}latest/"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def prover() -> Client:
    return logged_in(builders.staff("loyalty.prove_ledger"))


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(response.content.decode())))


def test_button_asks_a_worker_for_a_proof(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> None:
    builders.card(10)
    client = prover()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(PROVE)["Location"] == LIST
    proof = LedgerProof.objects.get()
    assert (proof.state, proof.cards_total, str(proof.by)) == ("waiting", 1, str(User.objects.get(is_staff=True)))
    assert OrmQ.objects.count() == 1
    tasks.prove_ledger(proof.pk)
    assert "1 card agrees with the ledger." in text_of(client.get(LIST))


def test_second_click_finds_the_proof_that_is_under_way(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = prover()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(PROVE)
        response = client.post(PROVE)
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["A proof is under way already."]
    assert (LedgerProof.objects.count(), OrmQ.objects.count()) == (1, 1)


def test_page_polls_while_it_runs_and_then_tells_the_result() -> None:
    for _ in range(3):
        builders.card(10)
    proof = services.start_proof(by=None)
    client = prover()
    page = client.get(LIST).content.decode()
    assert "hx-get" in page
    assert "Prove the ledger now" not in page
    LedgerProof.objects.update(state="running", cards_checked=2)
    response = client.get(LATEST)
    assert "2 of 3 cards checked" in text_of(response)
    assert '<rect class="bar-order" width="67" height="6" />' in response.content.decode()
    assert "HX-Refresh" not in response
    services.run_proof(proof)
    response = client.get(LATEST)
    assert "3 cards agree with the ledger." in text_of(response)
    assert "by the clock" in text_of(response)
    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in client.get(LIST).content.decode()


def test_broken_proof_names_the_card_and_how_it_differs() -> None:
    card = builders.card(10)
    LoyaltyCard.objects.update(total_points_earned=11)
    services.run_proof(services.start_proof(by=None))
    html = unescape(prover().get(LIST).content.decode())
    link = f'<a href="/admin/loyalty/loyaltycard/{card.pk}/change/">{card.card_number}</a>'
    assert f"Card {link} differs. Earned points: 11, but the rows say 10." in html


def test_proof_whose_worker_died_is_given_up_and_may_be_asked_for_again(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    services.start_proof(by=None)
    LedgerProof.objects.update(state="running", heard_at=timezone.now() - timedelta(minutes=6))
    client = prover()
    assert "It was given up" in text_of(client.get(LIST))
    with django_capture_on_commit_callbacks(execute=True):
        client.post(PROVE)
    assert LedgerProof.objects.count() == 2


def test_proof_that_is_long_ago_asks_for_a_worker() -> None:
    services.run_proof(services.start_proof(by=None))
    client = prover()
    assert "Does a worker run?" not in text_of(client.get(LIST))
    LedgerProof.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert "Does a worker run?" in text_of(client.get(LIST))


def test_proof_is_for_staff_with_the_permission() -> None:
    business = builders.business()
    viewer = logged_in(builders.staff("loyalty.view_ledgerproof"))
    assert viewer.get(LIST).status_code == 200
    assert "Prove the ledger now" not in text_of(viewer.get(LIST))
    assert viewer.post(PROVE).status_code == 403
    for user in (builders.staff(), builders.member("owner", business)):
        client = logged_in(user)
        assert [client.get(LIST).status_code, client.get(LATEST).status_code] == [403, 403]
        assert client.post(PROVE).status_code == 403
    member = builders.staff("loyalty.prove_ledger")
    User.objects.filter(pk=member.pk).update(is_staff=False)
    business.memberships.create(user=member, role="owner")
    assert logged_in(User.objects.get(pk=member.pk)).post(PROVE).status_code == 403
    assert prover().get(PROVE).status_code == 405
    assert LedgerProof.objects.count() == 0


def test_history_can_be_searched_and_opened() -> None:
    card = builders.card(10)
    LoyaltyCard.objects.update(total_points_earned=11)
    services.run_proof(services.start_proof(by=None))
    client = prover()
    assert "1 proof of the ledger" in text_of(client.get(LIST, {"q": card.card_number}))
    assert "0 proofs of the ledger" in text_of(client.get(LIST, {"q": "nothing"}))
    page = client.get(f"{LIST}{LedgerProof.objects.get().pk}/change/")
    assert "Earned points: 11, but the rows say 10." in text_of(page)


@pytest.mark.parametrize("count", [1, 3])
def test_page_needs_the_same_queries_for_any_number_of_rows(
    count: int, staff_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        services.run_proof(services.start_proof(by=builders.superuser()))
    staff_client.get(LIST)
    with django_assert_num_queries(6):
        staff_client.get(LIST)
