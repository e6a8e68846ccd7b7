"""All five adapters and the client against the sandbox: what a CRM knows is what arrives, whatever happens there."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from config.sandbox import RunningSandbox
from config.sandbox.nango import Nango
from crm import client, providers
from crm.client import NangoError
from crm.providers import Answer, Call, FetchedContact
from crm.providers.contract import Provider, moment

SOURCES = {
    "hubspot": "hubspot",
    "salesforce": "salesforce",
    "pipedrive": "pipedrive",
    "zoho": "zoho-crm",
    "gohighlevel": "highlevel",
}
TEXTS = "first_name last_name name email company owner owner_email status description".split()


@pytest.fixture
def nango(running_sandbox: RunningSandbox, settings: Settings) -> Iterator[Nango]:
    """Nango, empty."""
    running_sandbox.nango.reset()
    settings.NANGO_HOST = running_sandbox.nango_url
    settings.NANGO_SECRET_KEY = "0c2f9a7e-1111-4222-8333-944445555666"
    settings.NANGO_TIMEOUT_SECONDS = 0.5
    yield running_sandbox.nango
    running_sandbox.nango.reset()


class Line:
    """One connection, with what is needed to read it."""

    def __init__(self, nango: Nango, source: str, **options: Any) -> None:
        self.nango, self.key = nango, SOURCES[source]
        self.id = nango.connect(self.key, tags={"organization_id": "42"}, **options)
        self.provider: Provider = providers.get(source)
        self.config = client.get_connection(self.id, self.key).connection_config

    def ask(self, call: Call) -> Answer:
        """As a sync asks."""
        found = client.proxy(
            call.method,
            call.path,
            connection_id=self.id,
            provider_config_key=self.key,
            query=call.query,
            body=call.body,
            headers=call.headers,
        )
        return Answer(found.status, found.body)

    def read(self, since: datetime | None = None) -> dict[str, FetchedContact]:
        """Everybody, by id."""
        return {c.crm_id: c for page in self.provider.pages(self.ask, self.config, since) for c in page}

    def gone(self, since: datetime | None) -> list[FetchedContact]:
        """What went."""
        return [c for page in self.provider.deleted(self.ask, self.config, since) for c in page]


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    """Each CRM."""
    return str(request.param)


def test_everybody_arrives_as_the_crm_has_them(nango: Nango, source: str) -> None:
    line = Line(nango, source, contacts=120, dirty=True, page_size=50)
    found, there = line.read(), {told["id"]: told for told in nango.contacts(line.id)}
    assert found.keys() == there.keys()
    for crm_id, contact in found.items():
        told = there[crm_id]
        expected = {name: (told[name] or "").strip() for name in TEXTS}
        assert {name: getattr(contact, name) for name in TEXTS} == expected
        assert contact.phone == (told["phone"] or "").strip() or (told["mobile"] or "").strip()
        assert contact.mobile == (told["mobile"] or "").strip()
        assert contact.opted_out == told["opted_out"]
        assert contact.last_activity_at == moment(told["last_activity_at"])
        assert contact.changed_at == moment(told["updated_at"])
    assert sorted(crm_id for page in line.provider.ids(line.ask, line.config) for crm_id in page) == sorted(there)


def test_changes_arrive_and_nothing_else(nango: Nango, source: str) -> None:
    line = Line(nango, source, contacts=60, page_size=7)
    contacts = [told["id"] for told in nango.contacts(line.id) if told["module"] == "contact"]
    since = datetime.now(UTC).replace(microsecond=0)
    nango.upsert_contact(line.id, contacts[1], first_name="Changed")
    new = nango.add_contacts(line.id, 10)
    nango.delete_contact(line.id, contacts[2])
    survivor = nango.merge_contacts(line.id, contacts[3], contacts[4])
    found = line.read(since)
    assert found.keys() == {contacts[1], *new, survivor}
    assert found[contacts[1]].first_name == "Changed"
    if source == "hubspot":
        assert set(found[survivor].merged_ids) == {contacts[3], contacts[4]}
    assert line.read(datetime(2100, 1, 1, tzinfo=UTC)) == {}


@pytest.mark.parametrize(
    ("source", "tells_deleted", "tells_merged"),
    [
        ("hubspot", True, False),
        ("salesforce", True, True),
        ("zoho", True, False),
        ("pipedrive", False, False),
        ("gohighlevel", False, False),
    ],
)
def test_what_is_gone_is_told_where_the_crm_tells_it(
    nango: Nango, source: str, tells_deleted: bool, tells_merged: bool
) -> None:
    line = Line(nango, source, contacts=30)
    contacts = [told["id"] for told in nango.contacts(line.id) if told["module"] == "contact"]
    since = datetime.now(UTC).replace(microsecond=0)
    nango.delete_contact(line.id, contacts[2])
    survivor = nango.merge_contacts(line.id, contacts[3], contacts[4])
    for start in (since, None):
        gone = line.gone(start)
        assert (FetchedContact(crm_id=contacts[2], is_deleted=True) in gone) == tells_deleted
        assert (FetchedContact(crm_id=survivor, merged_ids=(contacts[4],)) in gone) == tells_merged
    assert line.gone(datetime(2100, 1, 1, tzinfo=UTC)) == []


def test_a_converted_lead_becomes_its_contact(nango: Nango) -> None:
    line = Line(nango, "salesforce", contacts=30)
    lead = next(told["id"] for told in nango.contacts(line.id) if told["module"] == "lead")
    contact = nango.convert_lead(line.id, lead)
    assert lead not in line.read()
    assert contact in line.read()
    assert FetchedContact(crm_id=contact, merged_ids=(lead,)) in line.gone(None)


def test_fields_that_are_hidden_cost_nobody_else_anything(nango: Nango) -> None:
    line = Line(nango, "salesforce", contacts=30)
    before = line.read()
    nango.hide_fields(line.id, ["DoNotCall", "MailingCountry"])
    after = line.read()
    assert after.keys() == before.keys()
    assert [contact.name for contact in after.values()] == [contact.name for contact in before.values()]


@pytest.mark.parametrize(("source", "path"), [("hubspot", "owners"), ("pipedrive", "users"), ("gohighlevel", "users")])
def test_hidden_owners_cost_nobody_else_anything(nango: Nango, source: str, path: str) -> None:
    line = Line(nango, source, contacts=30)
    before = line.read()
    nango.set_fault("crm_forbidden", match=path)
    after = line.read()
    assert after.keys() == before.keys()
    assert {contact.owner for contact in after.values()} == {""}
    assert [c.crm_id for c in after.values() if c.owner_unread] == [c.crm_id for c in before.values() if c.owner]


@pytest.mark.parametrize(
    ("fault", "options", "holds"),
    [
        ("rate_limited", {"retry_after": 7}, lambda e: e.code == "too_many_request" and e.retry_after == 7),
        ("server_error", {"status": 502, "html": True}, lambda e: e.api_code == "upstream_error" and not e.permanent),
        ("slow", {"seconds": 1}, lambda e: e.api_code == "upstream_timeout"),
        ("reset", {}, lambda e: e.code == "unreachable"),
        ("unauthorized", {}, lambda e: e.is_unauthorized),
        ("forbidden", {}, lambda e: e.is_unauthorized),
        ("plan_limit", {}, lambda e: e.code == "plan_limit" and e.permanent),
        ("connection_missing", {}, lambda e: e.is_gone),
        ("refresh_backoff", {}, lambda e: e.api_code == "upstream_busy" and not e.needs_reconnect),
        ("refresh_exhausted", {}, lambda e: e.needs_reconnect and e.permanent),
        ("refresh_refused", {}, lambda e: e.needs_reconnect and not e.permanent),
        ("crm_rate_limited", {}, lambda e: e.code == "crm_throttled"),
        ("crm_error", {}, lambda e: e.api_code == "upstream_error" and not e.permanent),
        ("crm_unauthorized", {}, lambda e: e.needs_reconnect),
        ("crm_garbled", {}, lambda e: e.api_code == "upstream_error"),
    ],
)
def test_a_second_page_that_fails_ends_the_reading(
    nango: Nango, source: str, fault: str, options: dict[str, Any], holds: Callable[[NangoError], bool]
) -> None:
    line = Line(nango, source, contacts=30, page_size=10)
    nango.set_fault(fault, page=2, **options)
    pages = line.provider.pages(line.ask, line.config, None)
    assert len(next(pages)) == 10
    with pytest.raises(NangoError) as caught:
        list(pages)
    assert holds(caught.value)


def test_a_connection_from_the_session_to_its_end(nango: Nango) -> None:
    session = client.create_session(tags={"organization_id": "42"}, allowed_integrations=["pipedrive"])
    connection_id = nango.complete_session(session["token"], "pipedrive", contacts=3, dirty=False)
    assert connection_id
    [info] = client.list_connections({"organization_id": "42"})
    assert (info.connection_id, info.tags) == (connection_id, {"organization_id": "42"})
    assert client.list_connections({"organization_id": "43"}) == []
    nango.set_auth_error(connection_id)
    assert client.get_connection(connection_id, "pipedrive").has_auth_error
    again = client.create_reconnect_session(
        connection_id=connection_id, provider_config_key="pipedrive", tags={"organization_id": "42"}
    )
    assert nango.complete_session(again["token"], "pipedrive", contacts=0, dirty=False) == connection_id
    assert not client.get_connection(connection_id, "pipedrive").has_auth_error
    client.delete_connection(connection_id, "pipedrive")
    client.delete_connection(connection_id, "pipedrive")
    with pytest.raises(NangoError) as caught:
        client.get_connection(connection_id, "pipedrive")
    assert caught.value.is_gone


def test_the_integrations_are_those_that_are_expected(nango: Nango, settings: Settings) -> None:
    keys = {integration["unique_key"] for integration in client.list_integrations()}
    assert keys == set(settings.NANGO_INTEGRATIONS.values())


def test_an_agency_is_told_what_to_do(nango: Nango) -> None:
    line = Line(nango, "gohighlevel", config={"companyId": "c1"})
    with pytest.raises(providers.ProviderError, match="sub-account"):
        line.provider.account_id(line.config)
