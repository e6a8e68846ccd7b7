"""Clients: what the services hold, and what the database holds when two come at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import Http404

from crm import services
from crm.models import Client
from tests import builders

pytestmark = pytest.mark.django_db
ANN = {"first_name": "Ann", "last_name": "Other", "email": "ann@x.example"}


def test_email_is_one_in_a_business_in_whatever_case() -> None:
    builders.client(**ANN)
    with pytest.raises(ValidationError) as refused:
        builders.client(**{**ANN, "email": " ANN@X.example"})
    assert refused.value.code == "duplicate_email"
    builders.client(builders.business("elsewhere"), **ANN)
    other = builders.client()
    with pytest.raises(ValidationError) as refused:
        services.change_client(other, email="Ann@x.example")
    assert refused.value.code == "duplicate_email"
    other.refresh_from_db()
    assert other.email != "ann@x.example"


@pytest.mark.parametrize("bad", [{"email": "ann@X.example"}, {"email": ""}, {"phone": "07306"}, {"first_name": ""}])
def test_database_refuses_what_no_service_would_write(bad: dict[str, str]) -> None:
    client = builders.client(**ANN)
    columns = ", ".join(f"{name} = %s" for name in bad)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE crm_client SET {columns} WHERE email = %s", [*bad.values(), client.email])


def test_phone_is_read_as_in_the_business_s_region_and_kept_as_typed() -> None:
    abroad = builders.business("elsewhere")
    abroad.default_region = "US"
    abroad.save()
    client = builders.client(abroad, phone="(650) 253-0000")
    assert (client.phone, client.phone_raw) == ("+16502530000", "(650) 253-0000")
    again = services.change_client(client, phone="+1 650 253 0000")
    assert (again.phone_raw, again.updated_at) == ("(650) 253-0000", client.updated_at)
    assert services.change_client(client, phone="").phone_raw == ""
    with pytest.raises(ValidationError, match="too short"):
        services.change_client(client, phone="123")


def test_what_is_as_it_was_is_no_change() -> None:
    client = builders.client(**ANN, company="Acme")
    same = services.change_client(client, company="Acme", email="Ann@X.example")
    assert same.updated_at == client.updated_at
    assert services.change_client(client, company="Else").updated_at > client.updated_at


def test_client_deleted_in_the_middle_is_missing() -> None:
    client = builders.client()
    Client.objects.all().delete()
    with pytest.raises(Http404):
        services.change_client(client, company="Acme")
    with pytest.raises(Http404):
        services.delete_client(client)


@pytest.mark.postgres
def test_two_creations_of_one_email_make_one_client_and_one_refusal(really_committed: None) -> None:
    shop, start = builders.business(), Barrier(2)

    def add() -> Any:
        try:
            start.wait()
            return services.add_client(shop, **ANN)
        except ValidationError as error:
            return error.code
        finally:
            connection.close()

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            ends = [running.result() for running in [pool.submit(add), pool.submit(add)]]
        assert [end for end in ends if isinstance(end, str)] == ["duplicate_email"]
        Client.objects.all().delete()
