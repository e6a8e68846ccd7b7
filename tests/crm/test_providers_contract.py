"""What all adapters share: reading other people's JSON, pages, windows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm import providers
from crm.models import Connection
from crm.providers import Call, FetchedContact, ProviderError
from crm.providers.contract import Provider, host, moment, rows, stamp, text, visible_owners, walk, windows
from tests.crm.calls import CrmSaysNo, Script

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_every_provider_of_a_connection_has_its_adapter() -> None:
    assert set(providers.PROVIDERS) == set(Connection.Provider.values)
    assert all(providers.get(source).source == source for source in providers.PROVIDERS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" Ann ", "Ann"),
        (None, ""),
        ("  ", ""),
        (7, "7"),
        (0, "0"),
        (True, ""),
        (1.5, ""),
        ({}, ""),
        ([], ""),
        ("a\0b", "ab"),
        ("é\ud800", "é"),
    ],
)
def test_a_text_is_trimmed_and_can_be_stored(given: Any, expected: str) -> None:
    assert text(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-05-01T12:00:00Z", NOON),
        ("2026-05-01T12:00:00.000Z", NOON),
        ("2026-05-01T12:00:00.000+0000", NOON),
        ("2026-05-01T15:00:00+03:00", NOON),
        ("2026-05-01 12:00:00", NOON),
        (1777636800000, NOON),
        ("1777636800000", NOON),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("soon", None),
        ("9" * 40, None),
        ("0001-01-01T00:00:00+05:00", None),
    ],
)
def test_a_moment_is_utc_or_none(given: Any, expected: datetime | None) -> None:
    assert moment(given) == expected


def test_a_stamp_is_never_later() -> None:
    assert stamp(datetime(2026, 5, 1, 14, 0, 0, 999, tzinfo=UTC)) == "2026-05-01T14:00:00Z"


@pytest.mark.parametrize(
    ("given", "expected"), [("https://A.Example.com/x", "a.example.com"), ("a.example.com", ""), (None, ""), (7, "")]
)
def test_the_host_of_an_address(given: Any, expected: str) -> None:
    assert host(given) == expected


@pytest.mark.parametrize("body", [None, {}, [], "<html>", {"data": None}, {"data": {}}, {"data": ["x"]}])
def test_an_answer_without_its_list_is_no_empty_page(body: Any) -> None:
    with pytest.raises(ProviderError, match="no list of data"):
        rows(body, "data")


def test_a_contact_has_an_id() -> None:
    with pytest.raises(ProviderError, match="without an id"):
        FetchedContact(crm_id="")


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ({"name": "Ann Lee", "email": "a@b.org"}, "Ann Lee"),
        ({"email": "a@b.org", "phone": "07306 506797"}, "a@b.org"),
        ({"phone": "07306 506797"}, "07306 506797"),
        ({}, "7"),
    ],
)
def test_a_contact_can_be_called_something(facts: dict[str, str], label: str) -> None:
    assert FetchedContact(crm_id="7", **facts).label == label  # type: ignore[arg-type]


def test_pages_that_lead_in_a_circle_end() -> None:
    call = Call("GET", "/x")
    with pytest.raises(ProviderError, match="circle"):
        list(walk(Script({}, {}), call, lambda body: call))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"category": "MISSING_SCOPES"}),
        (401, {"message": "The token is not authorized for this scope."}),
    ],
)
def test_owners_may_be_hidden_and_that_is_said(caplog: pytest.LogCaptureFixture, status: int, body: Any) -> None:
    def read() -> dict[str, tuple[str, str]]:
        raise CrmSaysNo(status, body)

    assert visible_owners("hubspot", read) is None
    assert "hubspot does not show us its users" in caplog.text


@pytest.mark.parametrize(
    ("status", "body"), [(500, {}), (429, {}), (401, {"message": "expired"}), (403, None), (401, None)]
)
def test_any_other_failure_of_the_owners_rises(status: int, body: Any) -> None:
    def read() -> dict[str, tuple[str, str]]:
        raise CrmSaysNo(status, body)

    with pytest.raises(CrmSaysNo):
        visible_owners("hubspot", read)


class Cut:
    """A list of contacts, one changed each second, that ends after 4 of them, 2 a page."""

    def __init__(self, count: int, step: timedelta = timedelta(seconds=1)) -> None:
        self.contacts = [FetchedContact(crm_id=str(n), changed_at=NOON + n * step) for n in range(count)]
        self.starts: list[datetime | None] = []

    def __call__(self, since: datetime | None) -> Iterator[list[FetchedContact]]:
        self.starts.append(since)
        found = [contact for contact in self.contacts if since is None or (contact.changed_at or NOON) >= since]
        yield found[:2]
        if len(found) > 2:
            yield found[2:4]
        assert len(found) <= 4, "a page was asked for past the end"


def test_a_list_that_is_cut_off_is_read_on_from_its_last_change() -> None:
    cut = Cut(9)
    found = [contact.crm_id for page in windows(cut, None, 4) for contact in page]
    assert found == ["0", "1", "2", "3", "3", "4", "5", "6", "6", "7", "8"]
    assert cut.starts == [None, NOON + timedelta(seconds=3), NOON + timedelta(seconds=6)]


def test_a_list_that_is_not_cut_off_is_read_once() -> None:
    cut = Cut(3)
    assert [len(page) for page in windows(cut, NOON, 4)] == [2, 1]
    assert cut.starts == [NOON]


def test_too_many_at_one_moment_is_an_error_and_no_loop() -> None:
    with pytest.raises(ProviderError, match="More than 4"):
        list(windows(Cut(9, timedelta(0)), NOON, 4))


@pytest.mark.parametrize(
    ("source", "config", "account"),
    [
        ("hubspot", {"portalId": 147893286}, "147893286"),
        ("salesforce", {"instance_url": "https://Acme.my.salesforce.com"}, "acme.my.salesforce.com"),
        ("pipedrive", {"api_domain": "https://acme.pipedrive.com"}, "acme.pipedrive.com"),
        ("zoho", {"api_domain": "https://www.zohoapis.eu", "extension": "eu"}, "www.zohoapis.eu"),
        ("zoho", {"extension": "eu"}, "www.zohoapis.eu"),
        ("gohighlevel", {"companyId": "c1", "locationId": "l1"}, "l1"),
    ],
)
def test_each_account_has_a_name(source: str, config: dict[str, Any], account: str) -> None:
    assert providers.get(source).account_id(config) == account


@pytest.mark.parametrize(
    ("source", "config", "what_to_do"),
    [
        ("hubspot", {}, "Connect HubSpot again"),
        ("salesforce", {"instance_url": None}, "Connect Salesforce again"),
        ("pipedrive", {"api_domain": ""}, "Connect Pipedrive again"),
        ("zoho", {}, "Connect Zoho again"),
        ("gohighlevel", {"companyId": "c1"}, "Install it on the sub-account"),
    ],
)
def test_an_account_without_a_name_says_what_to_do(source: str, config: dict[str, Any], what_to_do: str) -> None:
    with pytest.raises(ProviderError, match=what_to_do):
        providers.get(source).account_id(config)


@pytest.mark.parametrize(
    ("source", "owners"),
    [
        ("hubspot", [{"results": []}, {"results": []}]),
        ("salesforce", []),
        ("pipedrive", [{"data": []}]),
        ("zoho", []),
        ("gohighlevel", [{"users": []}]),
    ],
)
def test_a_page_without_its_list_ends_the_reading(source: str, owners: list[Any]) -> None:
    provider, config = providers.get(source), {"locationId": "l1", "companyId": "c1"}
    with pytest.raises(ProviderError, match="no list of"):
        list(provider.pages(Script(*owners, None), config, None))
    with pytest.raises(ProviderError, match="no list of"):
        list(provider.ids(Script(None), config))


@pytest.mark.parametrize("provider", providers.PROVIDERS.values())
@pytest.mark.parametrize("since", [None, NOON])
def test_a_page_that_fails_rises(provider: Provider, since: datetime | None) -> None:
    with pytest.raises(CrmSaysNo):
        list(provider.pages(Script(CrmSaysNo(500, {})), {"locationId": "l1"}, since))
    with pytest.raises(CrmSaysNo):
        list(provider.ids(Script(CrmSaysNo(500, {})), {"locationId": "l1"}))
