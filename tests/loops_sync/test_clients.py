"""Clients at Loops: told, moved to another address, unsubscribed, and never there twice."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from config.sandbox import RunningSandbox
from crm import services as crm
from crm.models import Client
from loops_sync import services
from loops_sync.models import Contact, OutboxEntry
from nominations.models import Vote
from tests import builders
from tests.loops_sync.clients import LATER, Storm
from tests.loops_sync.test_races import in_threads

ANN = {"first_name": "Ann", "last_name": "Other", "email": "ann@x.example"}


def held(loops: RunningSandbox) -> dict[str, tuple[str | None, bool]]:
    """Who is at Loops: `userId` and whether subscribed, by address."""
    return {row["email"]: (row["userId"], row["subscribed"]) for row in loops.contacts}


def puts(loops: RunningSandbox) -> list[dict[str, Any]]:
    """The bodies of all writes, in order."""
    return [seen.body for seen in loops.requests if seen.method == "PUT"]


def move(client: Client, email: str) -> Client:
    return crm.change_client(client, email=email)


def events() -> list[str]:
    return list(OutboxEntry.objects.order_by("id").values_list("event_type", flat=True))


def own_id(email: str) -> str:
    return str(Contact.objects.get(email=email).pk)


def voter(email: str) -> Vote:
    """Somebody who voted, with that address."""
    return builders.vote(builders.approved(), email=email, company="Votes Ltd", phone="")


# --- told ----------------------------------------------------------------------------------------------------------
def test_new_client_is_a_contact_without_a_group(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_CLIENT_SOURCE = "Our clients"
    client = builders.client(**ANN, phone="07306 506797", company="Acme", country="GB", city="York")
    services.drain()
    assert puts(loops) == [
        {
            "email": "ann@x.example",
            "userId": str(client.pk),
            "firstName": "Ann",
            "lastName": "Other",
            "company": "Acme",
            "phone": "+447306506797",
            "source": "Our clients",
        }
    ]
    assert loops.contacts[0]["userGroup"] == ""
    assert events() == ["client_created"]


def test_change_tells_only_what_it_must_and_empties_what_is_gone(loops: RunningSandbox) -> None:
    client = builders.client(**ANN, company="Acme")
    services.drain()
    crm.change_client(client, company="", city="York")
    services.drain()
    assert puts(loops)[1]["company"] is None
    assert "source" not in puts(loops)[1]
    crm.change_client(client, city="Leeds")
    assert services.drain().succeeded == 1
    crm.change_client(client, city="Leeds")
    assert (len(puts(loops)), events()) == (2, ["client_created", "client_updated", "client_updated"])


def test_client_s_word_goes_before_all_others_and_the_group_comes_from_the_role(loops: RunningSandbox) -> None:
    vote = voter("ann@x.example")
    client = builders.client(**ANN, company="Acme")
    services.drain()
    row = loops.contact("ann@x.example")
    assert row is not None
    assert (row["firstName"], row["company"], row["userGroup"]) == ("Ann", "Acme", "Voters")
    assert (row["userId"], row["votedFor"], row["source"]) == (str(client.pk), vote.nominee.name, "Laurel Awards")
    crm.delete_client(client)
    services.drain()
    row = loops.contact("ann@x.example")
    assert row is not None
    assert (row["firstName"], row["company"], row["userGroup"]) == ("Ada", "Votes Ltd", "Voters")
    assert (row["userId"], row["subscribed"]) == (own_id("ann@x.example"), True)


def test_oldest_active_client_of_all_businesses_lends_the_id(loops: RunningSandbox) -> None:
    first = builders.client(**ANN)
    second = builders.client(builders.business("elsewhere"), **{**ANN, "first_name": "Anna"})
    services.drain()
    assert held(loops) == {"ann@x.example": (str(first.pk), True)}
    crm.change_client(first, is_active=False)
    services.drain()
    assert held(loops) == {"ann@x.example": (str(second.pk), True)}
    assert loops.contacts[0]["firstName"] == "Anna"
    crm.change_client(second, is_active=False)
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), True)}
    assert loops.contacts[0]["firstName"] is None
    assert Contact.objects.get().borrowed_id is None


# --- deleted -------------------------------------------------------------------------------------------------------
def test_deleted_client_is_unsubscribed_and_emptied(loops: RunningSandbox) -> None:
    client = builders.client(**ANN, company="Acme")
    services.drain()
    crm.delete_client(client)
    services.drain()
    row = loops.contact("ann@x.example")
    assert row is not None
    assert (row["subscribed"], row["firstName"], row["company"]) == (False, None, None)
    assert events() == ["client_created", "client_deleted"]


def test_client_deleted_before_anybody_was_told_is_no_contact(loops: RunningSandbox) -> None:
    crm.delete_client(builders.client(**ANN))
    services.drain()
    assert (loops.contacts, puts(loops)) == ([], [])


def test_client_of_another_business_keeps_the_contact_subscribed(loops: RunningSandbox) -> None:
    client, other = builders.client(**ANN), builders.client(builders.business("elsewhere"), **ANN, is_active=False)
    services.drain()
    crm.delete_client(client)
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), True)}
    crm.delete_client(other)
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), False)}


def test_client_deleted_and_made_again_before_the_worker_runs_stays_subscribed(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    crm.delete_client(client)
    again = builders.client(**ANN)
    services.drain()
    assert held(loops) == {"ann@x.example": (str(again.pk), True)}


def test_nobody_is_ever_subscribed_again(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    crm.delete_client(client)
    services.drain()
    again = builders.client(**ANN)
    services.drain()
    assert held(loops) == {"ann@x.example": (str(again.pk), False)}
    assert all(body.get("subscribed") is not True for body in puts(loops))


def test_role_at_the_deletion_decides_for_ever(loops: RunningSandbox) -> None:
    vote = voter("ann@x.example")
    client = builders.client(**ANN)
    services.drain()
    crm.delete_client(client)
    services.drain()
    vote.state, vote.reason = Vote.State.INVALID, "staff"
    vote.save()
    services.drain()
    row = loops.contact("ann@x.example")
    assert row is not None
    assert (row["subscribed"], row["userGroup"], row["votedFor"]) == (True, "", None)


def test_deletion_that_could_not_be_told_is_told_with_what_comes_next(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    crm.delete_client(client)
    loops.set_fault("reject", times=1)
    services.drain()
    assert OutboxEntry.objects.filter(status="dead").count() == 1
    services.record_change("resync", ["ann@x.example"])
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), False)}


# --- moved ---------------------------------------------------------------------------------------------------------
def test_contact_moves_with_the_address_in_one_request(loops: RunningSandbox) -> None:
    client = builders.client(**ANN, company="Acme")
    services.drain()
    crm.change_client(client, email="new@x.example", company="")
    services.drain()
    assert held(loops) == {"new@x.example": (str(client.pk), True)}
    assert [(body["email"], body["userId"], body["company"]) for body in puts(loops)[1:]] == [
        ("new@x.example", str(client.pk), None)
    ]
    assert Contact.objects.get(email="ann@x.example").accepted == {}
    assert not OutboxEntry.objects.exclude(status="done").exists()


@pytest.mark.parametrize("order", [["ann@x.example", "b@x.example", "c@x.example"], ["c@x.example", "b@x.example"]])
def test_changes_in_a_row_move_the_contact_once_whoever_is_told_first(loops: RunningSandbox, order: list[str]) -> None:
    client = builders.client(**ANN)
    services.drain()
    move(move(client, "b@x.example"), "c@x.example")
    for email in order:
        services.sync_contact(Contact.objects.get(email=email).pk)
    services.drain()
    assert held(loops) == {"c@x.example": (str(client.pk), True)}
    assert len(puts(loops)) == 2


def test_change_and_back_costs_nothing(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    move(move(client, "b@x.example"), "ann@x.example")
    services.drain()
    assert (held(loops), len(puts(loops))) == ({"ann@x.example": (str(client.pk), True)}, 1)
    move(client, "b@x.example")
    services.drain()
    move(client, "ann@x.example")
    services.drain()
    assert (held(loops), len(puts(loops))) == ({"ann@x.example": (str(client.pk), True)}, 3)


def test_change_before_anybody_was_told_makes_one_contact(loops: RunningSandbox) -> None:
    client = move(builders.client(**ANN), "b@x.example")
    services.drain()
    assert (held(loops), len(puts(loops))) == ({"b@x.example": (str(client.pk), True)}, 1)


def test_role_at_the_old_address_keeps_its_contact(loops: RunningSandbox) -> None:
    voter("ann@x.example")
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    services.drain()
    assert held(loops)["ann@x.example"] == (own_id("ann@x.example"), True)
    assert held(loops)["b@x.example"] == (str(client.pk), True)
    row = loops.contact("ann@x.example")
    assert row is not None
    assert (row["firstName"], row["userGroup"]) == ("Ada", "Voters")


def test_contact_at_the_new_address_is_kept_and_the_old_one_emptied(loops: RunningSandbox) -> None:
    client = builders.client(**ANN, company="Acme")
    voter("b@x.example")
    services.drain()
    move(client, "b@x.example")
    services.drain()
    rows = {row["email"]: row for row in loops.contacts}
    assert rows["b@x.example"]["userId"] == str(client.pk)
    assert (rows["b@x.example"]["firstName"], rows["b@x.example"]["userGroup"]) == ("Ann", "Voters")
    assert rows["ann@x.example"]["userId"] == own_id("ann@x.example")
    assert (rows["ann@x.example"]["firstName"], rows["ann@x.example"]["subscribed"]) == (None, True)


def test_contact_that_came_to_loops_by_another_way_is_no_dead_end(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    stranger(loops, "b@x.example")
    move(client, "b@x.example")
    services.drain()
    assert held(loops) == {
        "ann@x.example": (own_id("ann@x.example"), True),
        "b@x.example": (str(client.pk), True),
    }
    assert not OutboxEntry.objects.exclude(status="done").exists()
    assert all(check.state == "ok" for check in services.verify(remote=True))


def stranger(loops: RunningSandbox, email: str) -> None:
    """Somebody whom Loops knows from a form."""
    from loops_sync import client

    client.upsert_contact({"email": email, "firstName": "Form"})


def test_address_that_loops_refuses_may_be_corrected(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    loops.set_fault("reject", match="wrong@")
    move(client, "wrong@x.example")
    services.drain()
    assert held(loops) == {"ann@x.example": (str(client.pk), True)}
    move(client, "right@x.example")
    services.drain()
    assert held(loops) == {"right@x.example": (str(client.pk), True)}


def test_two_clients_swap_their_addresses(loops: RunningSandbox) -> None:
    one, two = builders.client(email="a@x.example"), builders.client(email="b@x.example")
    services.drain()
    move(one, "t@x.example")
    move(two, "a@x.example")
    move(one, "b@x.example")
    services.drain()
    assert held(loops) == {"a@x.example": (str(two.pk), True), "b@x.example": (str(one.pk), True)}
    assert {row["email"]: row["lastName"] for row in loops.contacts} == {
        "a@x.example": two.last_name,
        "b@x.example": one.last_name,
    }


@pytest.mark.parametrize("is_told_before", [True, False])
def test_client_moved_and_deleted_is_unsubscribed_where_loops_knows_them(
    loops: RunningSandbox, is_told_before: bool
) -> None:
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    if is_told_before:
        services.sync_contact(Contact.objects.get(email="ann@x.example").pk)
        assert len(puts(loops)) == 1
    crm.delete_client(client)
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), False)}


def test_client_moved_and_switched_off_leaves_nothing_behind(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    services.sync_contact(Contact.objects.get(email="ann@x.example").pk)
    crm.change_client(client, is_active=False)
    services.drain()
    assert held(loops) == {"ann@x.example": (own_id("ann@x.example"), True)}
    assert loops.contacts[0]["firstName"] is None


@pytest.mark.parametrize("fault", ["reset", "reset_before", "hang", "server_error"])
def test_lost_answer_of_a_move_leaves_one_contact(loops: RunningSandbox, fault: str) -> None:
    client = builders.client(**ANN, company="Acme")
    services.drain()
    crm.change_client(client, email="b@x.example", company="")
    loops.set_fault(fault, times=1)
    services.drain()
    loops.clear_faults()
    move(client, "c@x.example")
    with time_machine.travel(timezone.now() + LATER):
        services.drain()
    assert held(loops) == {"c@x.example": (str(client.pk), True)}
    assert loops.contacts[0]["company"] is None


@pytest.mark.parametrize("fault", ["reset", "reset_before"])
def test_lost_answer_of_the_first_word_leaves_one_contact(loops: RunningSandbox, fault: str) -> None:
    loops.set_fault(fault, times=1)
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    with time_machine.travel(timezone.now() + LATER):
        services.drain()
    assert held(loops) == {"b@x.example": (str(client.pk), True)}


def test_worker_killed_in_the_middle_of_a_move_leaves_one_contact(
    loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had sent the request; its leases lapse."""
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    with monkeypatch.context() as patch:
        patch.setattr("loops_sync.services.delivery.settle_sent", killed)
        patch.setattr("loops_sync.services.delivery.flush", lambda batch: None)
        patch.setattr("loops_sync.services.delivery.release", lambda batch, ids: None)
        with pytest.raises(SystemExit):
            services.drain()
    assert Contact.objects.get(email="b@x.example").in_doubt
    move(client, "c@x.example")
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        services.drain()
    assert held(loops) == {"c@x.example": (str(client.pk), True)}


def killed(*_: Any) -> None:
    raise SystemExit


def test_contact_in_another_worker_s_hands_is_waited_for(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    move(client, "b@x.example")
    now = timezone.now()
    Contact.objects.filter(email="ann@x.example").update(leased_until=now + timedelta(seconds=30))
    assert services.drain().succeeded == 0
    assert set(OutboxEntry.objects.exclude(status="done").values_list("status", "attempts")) == {("pending", 0)}
    with time_machine.travel(now + timedelta(seconds=31)):
        services.drain()
    assert held(loops) == {"b@x.example": (str(client.pk), True)}


def test_contact_deleted_at_loops_is_not_made_anew(loops: RunningSandbox) -> None:
    client = builders.client(**ANN)
    services.drain()
    Contact.objects.update(deleted_at=timezone.now())
    crm.change_client(client, company="Acme")
    services.drain()
    assert len(puts(loops)) == 1


# --- all of it at once ---------------------------------------------------------------------------------------------
def test_sixty_clients_in_a_storm_end_as_the_database_has_them(loops: RunningSandbox) -> None:
    Storm(loops, seed=1, clients=60).run()


@pytest.mark.postgres
def test_workers_side_by_side_move_each_contact_once(really_committed: None, loops: RunningSandbox) -> None:
    """Half of the clients get new addresses, the others each other's, while three workers tell of it."""
    clients = [builders.client(email=f"p{number}@x.example") for number in range(24)]
    in_threads(3, services.drain)
    loops.set_fault("slow", seconds=0.002)
    work = iter([*range(24)])

    def churn() -> None:
        for number in work:
            client = clients[number]
            move(client, f"new{number}@x.example")
            if number % 2:
                move(clients[number - 1], f"p{number}@x.example")
            services.drain()

    in_threads(3, churn)
    with time_machine.travel(timezone.now() + LATER):
        services.drain()
    wanted = {client.email: (str(client.pk), True) for client in Client.objects.all()}
    # An address that was another's when its client left it stays behind, under an id of its own.
    left = {email: (own_id(email), True) for email in held(loops).keys() - wanted.keys()}
    assert held(loops) == {**left, **wanted}
    assert not OutboxEntry.objects.exclude(status="done").exists()
    assert all(check.state == "ok" for check in services.verify(remote=True))
