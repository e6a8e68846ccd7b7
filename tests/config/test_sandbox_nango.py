"""The sandbox's Nango must refuse what Nango refuses, in the same words: the product branches on them."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from config.sandbox import RunningSandbox, start_sandbox
from config.sandbox.nango_webhooks import sign

TAGS = {"organization_id": "7", "end_user_id": "42", "end_user_email": "ann@example.com"}
KEY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(rate=None) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    running.reset()
    running.nango.set_webhook("", "")
    return running


def call(
    sandbox: RunningSandbox, method: str, path: str, body: object = None, timeout: float = 5, **headers: str
) -> requests.Response:
    """One request of the REST API, or of any path of the sandbox that begins with `//`."""
    sent = {"Authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    url = sandbox.url + path[1:] if path.startswith("//") else sandbox.nango_url + path
    return requests.request(method, url, json=body, headers=sent, timeout=timeout)


def through(
    sandbox: RunningSandbox, connection: str, path: str, method: str = "GET", body: object = None, **headers: str
) -> requests.Response:
    """One request through the proxy."""
    key = sandbox.nango.connection(connection)["provider_config_key"]
    named = {"Connection_Id": connection, "Provider_Config_Key": key, **headers}
    return call(sandbox, method, f"/proxy{path}", body, **named)


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def start_session(sandbox: RunningSandbox, **body: object) -> Any:
    answer = call(sandbox, "POST", "/connect/sessions", {"tags": TAGS, **body})
    assert answer.status_code == 201
    return answer.json()["data"]


def press_connect(sandbox: RunningSandbox, token: str, integration: str, **fields: object) -> requests.Response:
    form = {"session_token": token, "integration": integration, "contacts": 3, **fields}
    return requests.post(sandbox.connect_url, data=form, timeout=5)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["end_user"]),
        ({"allowed_integrations": ["hubspot"]}, ["end_user"]),
        ({"end_user": {}}, ["end_user", "id"]),
        ({"tags": {"organization_id": 7}}, ["tags", "organization_id"]),
        ({"tags": {"organization_id": ""}}, ["tags", "organization_id"]),
        ({"tags": {"organization_id": "x" * 256}}, ["tags", "organization_id"]),
        ({"tags": {"7th": "x"}}, ["tags", "7th"]),
        ({"tags": {"a" * 65: "x"}}, ["tags", "a" * 65]),
        ({"tags": {"end_user_email": "ann"}}, ["tags", "end_user_email"]),
        ({"tags": {f"t{number}": "x" for number in range(11)}}, ["tags"]),
        ({"tags": ["x"]}, ["tags"]),
        ({"end_user": "x"}, ["end_user"]),
        ({"end_user": {"id": "1", "name": "x"}}, []),
        ({"tags": {}, "allowed_integrations": ["hubspot", "zoho"]}, ["allowed_integrations", "1"]),
        ({"tags": {}, "allowed_integrations": "hubspot"}, ["allowed_integrations"]),
        ({"tags": {}, "colour": "red"}, []),
        ({"tags": {}, "webhook_url_override": "http://127.0.0.1/hook"}, ["webhook_url_override"]),
        ({"tags": {}, "webhook_url_override": "https://192.168.1.5/hook"}, ["webhook_url_override"]),
        ([], []),
    ],
)
def test_a_session_is_refused_for_what_nango_refuses(sandbox: RunningSandbox, body: object, path: list[str]) -> None:
    answer = call(sandbox, "POST", "/connect/sessions", body)
    assert code(answer) == (400, "invalid_body")
    assert answer.json()["error"]["errors"][0]["path"] == path


def test_the_refusal_of_an_unknown_integration_is_the_documented_one(sandbox: RunningSandbox) -> None:
    answer = call(sandbox, "POST", "/connect/sessions", {"tags": TAGS, "allowed_integrations": ["random"]})
    wrong = {"code": "custom", "message": "Integration does not exist", "path": ["allowed_integrations", "0"]}
    assert answer.json() == {"error": {"code": "invalid_body", "errors": [wrong]}}


def test_a_session_takes_json_and_no_query(sandbox: RunningSandbox) -> None:
    assert code(call(sandbox, "POST", "/connect/sessions?a=b", {"tags": {}})) == (400, "invalid_query_params")
    assert code(call(sandbox, "POST", "/connect/sessions", {}, Content_Type="text/plain")) == (
        415,
        "invalid_content_type",
    )
    assert code(call(sandbox, "PUT", "/connect/sessions", {})) == (404, "not_found")


def test_who_opens_the_link_connects_a_crm_with_the_tags_of_the_session(sandbox: RunningSandbox) -> None:
    session = start_session(sandbox, tags={**TAGS, "Team": "A b"}, allowed_integrations=["pipedrive", "hubspot"])
    assert session["token"].startswith("nango_connect_session_")
    assert session["connect_link"] == f"{sandbox.connect_url}?session_token={session['token']}"
    page = requests.get(session["connect_link"], timeout=5).text
    assert [name in page for name in ("HubSpot", "Pipedrive", "Salesforce")] == [True, True, False]
    assert press_connect(sandbox, session["token"], "salesforce").status_code == 404
    done = press_connect(sandbox, session["token"], "hubspot")
    (connection,) = sandbox.nango.connections
    assert (done.status_code, connection["connection_id"] in done.text) == (200, True)
    assert (connection["tags"], connection["contacts"]) == ({**TAGS, "team": "A b"}, 3)
    assert press_connect(sandbox, session["token"], "hubspot").status_code == 404
    assert requests.get(session["connect_link"], timeout=5).status_code == 404


def test_end_user_becomes_tags(sandbox: RunningSandbox) -> None:
    body = {"end_user": {"id": "42", "email": "a@b.co"}, "organization": {"id": "7"}}
    token = call(sandbox, "POST", "/connect/sessions", body).json()["data"]["token"]
    press_connect(sandbox, token, "hubspot")
    tags = {"end_user_id": "42", "end_user_email": "a@b.co", "organization_id": "7"}
    assert sandbox.nango.connections[0]["tags"] == tags


def test_reconnecting_keeps_the_id_and_mends_the_connection(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", tags={"organization_id": "7"})
    sandbox.nango.set_auth_error(id_)
    body = {"connection_id": id_, "integration_id": "hubspot", "tags": {"organization_id": "8"}}
    assert (
        code(call(sandbox, "POST", "/connect/sessions/reconnect", {**body, "integration_id": "salesforce"}))[0] == 400
    )
    assert code(call(sandbox, "POST", "/connect/sessions/reconnect", {**body, "x": 1})) == (400, "invalid_body")
    token = call(sandbox, "POST", "/connect/sessions/reconnect", body).json()["data"]["token"]
    press_connect(sandbox, token, "hubspot")
    (connection,) = sandbox.nango.connections
    assert (connection["connection_id"], connection["errors"]) == (id_, [])
    assert connection["tags"] == {"organization_id": "8"}


def test_connections_are_listed_without_credentials_and_narrowed_by_tags(sandbox: RunningSandbox) -> None:
    ids = [
        sandbox.nango.connect("hubspot", tags={"organization_id": str(n % 2), "end_user_id": str(n)}) for n in range(4)
    ]

    def listed(query: str) -> list[str]:
        return [row["connection_id"] for row in call(sandbox, "GET", f"/connections?{query}").json()["connections"]]

    (first, *_) = call(sandbox, "GET", "/connections").json()["connections"]
    assert set(first) == {
        *("id", "connection_id", "provider", "provider_config_key", "created", "metadata", "tags", "errors"),
        "end_user",
    }
    assert listed("tags[organization_id]=1") == [ids[1], ids[3]]
    assert listed("tags[organization_id]=1&tags[end_user_id]=3") == [ids[3]]
    assert (listed("limit=3&page=1"), listed(f"connectionId={ids[2]}")) == ([ids[3]], [ids[2]])
    assert (listed("integrationId=salesforce,hubspot&limit=1"), listed("integrationId=salesforce")) == ([ids[0]], [])
    for wrong in ("colour=red", "limit=0", "limit=2001", "page=-1"):
        assert code(call(sandbox, "GET", f"/connections?{wrong}")) == (400, "invalid_query_params")


def test_one_connection_is_flat_and_has_no_credentials(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", tags=TAGS, seed=5)
    sandbox.nango.set_auth_error(id_)
    body = call(sandbox, "GET", f"/connections/{id_}?provider_config_key=hubspot").json()
    assert {key: body[key] for key in body.keys() - {"id", "created_at", "updated_at", "errors"}} == {
        "connection_id": id_,
        "provider": "hubspot",
        "provider_config_key": "hubspot",
        "tags": TAGS,
        "metadata": None,
        "end_user": None,
        "connection_config": {"portalId": 147_000_005},
        "webhook_url_override": None,
        "last_fetched_at": None,
        "credentials": {},
    }
    assert [error["type"] for error in body["errors"]] == ["auth"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/connections/none?provider_config_key=hubspot", (404, "not_found")),
        ("GET", "/connections/{id}?provider_config_key=salesforce", (404, "not_found")),
        ("GET", "/connections/{id}?provider_config_key=other", (400, "unknown_provider_config")),
        ("GET", "/connections/{id}", (400, "invalid_query_params")),
        ("GET", "/connections/{id}?provider_config_key=hubspot&x=1", (400, "invalid_query_params")),
        ("GET", "/connections/%00?provider_config_key=hubspot", (400, "invalid_uri_params")),
        ("PATCH", "/connections/none?provider_config_key=hubspot", (404, "not_found")),
        ("DELETE", "/connections/none?provider_config_key=hubspot", (400, "unknown_connection")),
        ("POST", "/connections/{id}?provider_config_key=hubspot", (404, "not_found")),
        ("GET", "/nothing", (404, "not_found")),
    ],
)
def test_what_does_not_exist(sandbox: RunningSandbox, method: str, path: str, expected: tuple[int, str]) -> None:
    id_ = sandbox.nango.connect("hubspot")
    assert code(call(sandbox, method, path.format(id=id_), {"tags": {}})) == expected


def test_tags_are_replaced_and_a_deleted_connection_is_gone(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", tags=TAGS)
    path = f"/connections/{id_}?provider_config_key=hubspot"
    assert call(sandbox, "PATCH", path, {"tags": {"a": "b"}}).json() == {"success": True}
    assert sandbox.nango.connection(id_)["tags"] == {"a": "b"}
    assert code(call(sandbox, "PATCH", path, {"tags": {"a": 1}})) == (400, "invalid_body")
    for url, status in (("https://app.example.com/hook", 200), ("https://localhost/", 400), (None, 200)):
        assert call(sandbox, "PATCH", path, {"webhook_url_override": url}).status_code == status
    assert code(call(sandbox, "PATCH", path, {"label": "x"})) == (400, "invalid_body")
    assert call(sandbox, "DELETE", path).json() == {"success": True}
    assert code(call(sandbox, "DELETE", path)) == (400, "unknown_connection")
    assert sandbox.nango.connections == []


def test_the_five_integrations_are_set_up(sandbox: RunningSandbox) -> None:
    rows = call(sandbox, "GET", "/integrations").json()["data"]
    assert [row["unique_key"] for row in rows] == ["hubspot", "salesforce", "pipedrive", "zoho-crm", "highlevel"]
    named = {row["unique_key"]: row["display_name"] for row in rows}
    assert (named["zoho-crm"], named["highlevel"]) == ("Zoho CRM", "HighLevel")


def test_an_integration_may_have_another_id_than_its_provider(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("zoho-crm", integration="zoho-eu", contacts=1)
    assert sandbox.nango.connection(id_)["provider"] == "zoho-crm"
    assert through(sandbox, id_, "/crm/v8/Contacts?fields=Email").status_code == 200


def test_keys_are_refused_as_nango_refuses_them() -> None:
    with start_sandbox(nango_key=KEY) as sandbox:
        url = f"{sandbox.nango_url}/integrations"

        def refused(header: str | None) -> tuple[int, str]:
            return code(requests.get(url, headers={"Authorization": header} if header else {}, timeout=5))

        assert refused(None) == (401, "missing_auth_header")
        assert [refused(header) for header in ("Bearer ", f"Basic {KEY}")] == [(401, "malformed_auth_header")] * 2
        assert refused("Bearer other") == (401, "unknown_account")
        sandbox.nango.requires_uuid_keys = True
        assert refused("Bearer other") == (401, "invalid_secret_key_format")
        assert call(sandbox, "GET", "/integrations").status_code == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Connection-Id": "x"}, (400, "invalid_headers")),
        ({"Provider-Config-Key": "hubspot"}, (400, "invalid_headers")),
        ({"Provider-Config-Key": "hubspot", "Connection-Id": "x", "Retries": "many"}, (400, "invalid_headers")),
        ({"Provider-Config-Key": "zoho", "Connection-Id": "x"}, (404, "unknown_provider_config")),
        ({"Provider-Config-Key": "hubspot", "Connection-Id": "x"}, (400, "server_error")),
        ({"Provider-Config-Key": "salesforce", "Connection-Id": "{id}"}, (400, "server_error")),
    ],
)
def test_the_proxy_says_what_is_missing(
    sandbox: RunningSandbox, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    id_ = sandbox.nango.connect("hubspot")
    sent = {name: value.format(id=id_) for name, value in headers.items()}
    url = f"{sandbox.nango_url}/proxy/crm/v3/owners"
    answer = requests.get(url, headers={"Authorization": f"Bearer {KEY}", **sent}, timeout=5)
    assert code(answer) == expected
    assert expected[1] != "server_error" or answer.json()["error"]["message"] == "Failed to get connection"


def test_only_prefixed_headers_reach_the_crm(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("highlevel")
    path = f"/users/search?companyId={sandbox.nango.connection(id_)['connection_config']['companyId']}"
    assert through(sandbox, id_, path, Version="2021-07-28").json()["message"] == "version header was not found."
    assert through(sandbox, id_, path, Nango_Proxy_Version="2021-07-28").json()["count"] == 5


@pytest.mark.parametrize(
    ("kind", "options", "expected", "words"),
    [
        ("rate_limited", {}, (429, "too_many_request"), ""),
        ("unauthorized", {}, (401, "unknown_account"), "does not match any account"),
        ("forbidden", {}, (403, "forbidden"), "Insufficient scope. Required: "),
        ("plan_limit", {}, (402, "plan_limit"), "plan limits"),
        ("server_error", {"status": 503}, (503, "server_error"), "Internal"),
        ("connection_missing", {}, (400, "server_error"), "Failed to get connection"),
        ("refresh_backoff", {}, (424, "connection_refresh_backoff"), "backoff"),
        (
            *("refresh_exhausted", {}, (424, "server_error")),
            "Failed to get connection credentials: 'The refresh limit has been reached",
        ),
        (
            *("refresh_refused", {}, (400, "server_error")),
            "Failed to get connection credentials: 'The external API returned an error when trying to refresh",
        ),
    ],
)
def test_a_fault_of_nango_answers_in_its_words(
    sandbox: RunningSandbox, kind: str, options: dict[str, Any], expected: tuple[int, str], words: str
) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=1)
    sandbox.nango.set_fault(kind, times=1, **options)
    answer = through(sandbox, id_, "/crm/v3/objects/contacts")
    assert code(answer) == expected
    assert words in answer.json()["error"].get("message", "")
    assert through(sandbox, id_, "/crm/v3/objects/contacts").status_code == 200
    assert [entry.status for entry in sandbox.nango.requests] == [expected[0], 200]


def test_nango_says_when_to_come_back(sandbox: RunningSandbox) -> None:
    sandbox.nango.set_fault("rate_limited", retry_after=7)
    answer = call(sandbox, "GET", "/integrations")
    assert answer.json() == {"error": {"code": "too_many_request", "method": "GET", "path": "/integrations"}}
    assert (answer.headers["Retry-After"], answer.headers["X-RateLimit-Remaining"]) == ("7", "0")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("refresh_backoff", 424), ("refresh_exhausted", 424), ("refresh_refused", 400)],
)
def test_a_token_that_cannot_be_refreshed_shows_at_the_connection(
    sandbox: RunningSandbox, kind: str, expected: int
) -> None:
    id_ = sandbox.nango.connect("hubspot")
    sandbox.nango.set_fault(kind)
    answer = call(sandbox, "GET", f"/connections/{id_}?provider_config_key=hubspot")
    assert code(answer) == (expected, "invalid_credentials")
    assert answer.json()["error"]["payload"]["connection"]["connection_id"] == id_
    (row,) = call(sandbox, "GET", "/connections").json()["connections"]
    assert bool(row["errors"]) is (kind != "refresh_backoff")


@pytest.mark.parametrize(
    ("provider", "path", "limited", "unauthorized"),
    [
        ("hubspot", "/crm/v3/owners", (429, "RATE_LIMIT"), (401, "EXPIRED_AUTHENTICATION")),
        ("salesforce", "/services/data/v59.0/query", (403, "REQUEST_LIMIT_EXCEEDED"), (401, "INVALID_SESSION_ID")),
        ("pipedrive", "/v1/users", (429, "Rate limit exceeded"), (401, "unauthorized access")),
        ("zoho-crm", "/crm/v8/users", (429, "TOO_MANY_REQUESTS"), (401, "INVALID_TOKEN")),
        ("highlevel", "/users/search", (429, "Too Many Requests"), (401, "Invalid JWT")),
    ],
)
def test_a_crm_fails_in_words_of_its_own(
    sandbox: RunningSandbox, provider: str, path: str, limited: tuple[int, str], unauthorized: tuple[int, str]
) -> None:
    id_ = sandbox.nango.connect(provider)
    for kind, (status, word) in (("crm_rate_limited", limited), ("crm_unauthorized", unauthorized)):
        sandbox.nango.set_fault(kind, times=1)
        answer = through(sandbox, id_, path)
        assert (answer.status_code, word in answer.text) == (status, True)
        # None of them could be taken for an error of Nango.
        assert "error" not in answer.json() or not isinstance(answer.json()["error"], dict)
    sandbox.nango.set_fault("crm_rate_limited", times=1, retry_after=3)
    assert through(sandbox, id_, path).headers["Retry-After"] == "3"
    sandbox.nango.set_fault("crm_error", times=1, status=502, html=True)
    assert through(sandbox, id_, path).headers["Content-Type"] == "text/html"
    sandbox.nango.set_fault("crm_forbidden", times=1)
    assert through(sandbox, id_, path).status_code in (401, 403)
    assert through(sandbox, id_, "/no/such/path", Nango_Proxy_Version="v3").status_code == 404


def test_half_an_answer_is_no_json(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=3)
    sandbox.nango.set_fault("crm_garbled", times=1)
    answer = through(sandbox, id_, "/crm/v3/objects/contacts")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="delimiter|value|string|char"):
        answer.json()


def test_one_page_of_a_list_can_fail(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=25)
    sandbox.nango.set_fault("crm_error", page=2)

    def page(after: str) -> requests.Response:
        return through(sandbox, id_, f"/crm/v3/objects/contacts?limit=10{after and f'&after={after}'}")

    second = page("").json()["paging"]["next"]["after"]
    assert [page(second).status_code, page(second).status_code, page("").status_code] == [500, 500, 200]
    sandbox.nango.clear_faults()
    third = page(second).json()["paging"]["next"]["after"]
    sandbox.nango.set_fault("crm_error", page=2)
    assert page(third).status_code == 200


def test_a_fault_can_strike_one_path_or_one_connection_only(sandbox: RunningSandbox) -> None:
    first, second = sandbox.nango.connect("hubspot"), sandbox.nango.connect("hubspot")
    sandbox.nango.set_fault("crm_forbidden", match="/owners")
    assert through(sandbox, first, "/crm/v3/owners").status_code == 403
    assert through(sandbox, first, "/crm/v3/objects/contacts").status_code == 200
    sandbox.nango.clear_faults()
    sandbox.nango.set_fault("refresh_backoff", connection=first)
    assert through(sandbox, first, "/crm/v3/owners").status_code == 424
    assert through(sandbox, second, "/crm/v3/owners").status_code == 200
    assert call(sandbox, "GET", "/integrations").status_code == 200


def test_a_crm_fault_leaves_nangos_own_calls_in_peace(sandbox: RunningSandbox) -> None:
    sandbox.nango.set_fault("crm_error")
    sandbox.nango.set_fault("connection_missing")
    assert call(sandbox, "GET", "/integrations").status_code == 200


def test_slow_reset_and_hang(sandbox: RunningSandbox) -> None:
    sandbox.nango.set_fault("slow", seconds=0.2, times=1)
    started = time.monotonic()
    assert call(sandbox, "GET", "/integrations").status_code == 200
    assert time.monotonic() - started >= 0.2
    sandbox.nango.set_fault("reset", times=1)
    with pytest.raises(requests.ConnectionError):
        call(sandbox, "GET", "/integrations")
    sandbox.nango.set_fault("hang")
    with pytest.raises(requests.Timeout):
        call(sandbox, "GET", "/integrations", timeout=0.1)
    sandbox.nango.clear_faults("hang")
    assert call(sandbox, "GET", "/integrations").status_code == 200
    assert [entry.status for entry in sandbox.nango.requests][1:] == [None, None, 200]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "earthquake"},
        {"kind": "slow", "seconds": 121},
        {"kind": "slow", "retry_after": 1},
        {"kind": "crm_error", "status": 200},
        {"kind": "crm_error", "page": 0},
        {"kind": "crm_error", "connection": 7},
        {"kind": "crm_error", "color": "red"},
        {"kind": "reject"},
    ],
)
def test_impossible_faults_are_refused(sandbox: RunningSandbox, options: dict[str, Any]) -> None:
    assert call(sandbox, "POST", "//_control/nango/faults", options).status_code == 400
    assert sandbox.nango.faults == []


def test_the_two_halves_keep_their_faults_apart(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("unauthorized")
    assert call(sandbox, "GET", "/integrations").status_code == 200
    assert (len(sandbox.requests), len(sandbox.nango.requests)) == (0, 1)


def test_calls_are_recorded_with_whose_they_were(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=1)
    through(sandbox, id_, "/crm/v3/objects/contacts/search?x=1", "POST", {"limit": 1})
    (entry,) = sandbox.nango.requests
    assert (entry.method, entry.path, entry.status) == ("POST", "/proxy/crm/v3/objects/contacts/search", 200)
    assert (entry.connection, entry.provider, entry.query, entry.body) == (id_, "hubspot", {"x": "1"}, {"limit": 1})


def test_the_published_signature_is_met() -> None:
    body = (
        b'{"type":"sync","connectionId":"test-connection","providerConfigKey":"test-provider","syncName":"test-sync",'
        b'"model":"TestModel","responseResults":{"added":5,"updated":0,"deleted":0}}'
    )
    assert sign(body, "test-secret-key") == "ce6f82d8555253066e19ba3525ebab872d906b9f4607481a889b991b29b17b3a"


class Receiver(HTTPServer):
    """Takes webhooks and remembers them."""

    def __init__(self, status: int = 200) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), ReceiverHandler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> "Receiver":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((body, self.headers["X-Nango-Hmac-Sha256"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"type": "auth", "operation": "creation", "success": True}),
        ({"operation": "override"}, {"type": "auth", "operation": "override", "success": True}),
        ({"operation": "refresh"}, {"type": "auth", "operation": "refresh", "success": False}),
        ({"type": "sync"}, {"type": "sync", "syncName": "contacts", "success": True}),
        ({"type": "forward", "payload": {"a": 1}}, {"type": "forward", "from": "hubspot", "payload": {"a": 1}}),
    ],
)
def test_webhooks_are_signed_over_their_bytes(
    sandbox: RunningSandbox, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    id_ = sandbox.nango.connect("hubspot", tags=TAGS)
    with Receiver() as receiver:
        assert sandbox.nango.send_webhook(id_, url=receiver.url, secret="s3", **options) == 200
    ((body, signature),) = receiver.got
    payload = json.loads(body)
    assert signature == sign(body, "s3")
    assert {key: payload[key] for key in expected} == expected
    assert (payload["connectionId"], payload["providerConfigKey"]) == (id_, "hubspot")
    assert list(payload) == sorted(payload)
    made = sandbox.nango.webhook(id_, secret="s3", **options)
    assert (made.body, made.headers["X-Nango-Hmac-Sha256"]) == (body, signature)


def test_connecting_tells_the_product_and_tries_a_broken_one_again(sandbox: RunningSandbox) -> None:
    with Receiver(status=500) as receiver:
        sandbox.nango.set_webhook(receiver.url, "s3")
        press_connect(sandbox, start_session(sandbox)["token"], "hubspot")
        deadline = time.monotonic() + 5
        while len(receiver.got) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    payloads = [json.loads(body) for body, _ in receiver.got]
    assert [payload["operation"] for payload in payloads] == ["creation"] * 3
    assert payloads[0]["tags"] == TAGS
    assert sandbox.nango.send_webhook(payloads[0]["connectionId"], url="http://127.0.0.1:9/", secret="") is None


def test_everything_can_be_done_over_http(sandbox: RunningSandbox) -> None:
    def control(path: str, **body: object) -> Any:
        answer = call(sandbox, "POST", f"//_control/nango{path}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    wanted = {"provider": "salesforce", "contacts": 12, "seed": 3, "dirty": ["no_phone"], "page_size": 5, "tags": TAGS}
    id_ = control("/connections", **wanted)["connection_id"]
    added = control("/contacts", connection=id_, first_name="Zed", email="z@x.example")
    changed = control("/contacts", connection=id_, id=added["id"], company="Acme")
    assert (changed["first_name"], changed["company"]) == ("Zed", "Acme")
    (new,) = control("/contacts/add", connection=id_, count=1)["ids"]
    left = control("/contacts/merge", connection=id_, winner=added["id"], loser=new)["id"]
    lead = next(row["id"] for row in sandbox.nango.contacts(id_) if row["module"] == "lead")
    assert control("/contacts/convert", connection=id_, id=lead)["id"].startswith("003")
    control("/contacts/delete", connection=id_, id=left)
    gone = call(sandbox, "GET", f"//_control/nango/contacts?connection={id_}&deleted=1").json()["contacts"]
    assert {row["id"] for row in gone} == {new, left}
    control("/contacts/restore", connection=id_, id=left)
    control("/settings", connection=id_, page_size=2, hidden_fields=["Title"], auth_error=True)
    control("/faults", kind="crm_error", times=2)
    state = call(sandbox, "GET", "//_control/nango/state").json()
    assert [row["contacts"] for row in state["connections"]] == [14]
    assert state["faults"] == [{"kind": "crm_error", "times": 2, "probability": 1.0}]
    control("/webhook/target", url="", secret="")
    assert control("/webhook", connection=id_, url="http://127.0.0.1:9/", secret="x") == {"status": None}
    assert call(sandbox, "GET", "//_control/nango/requests?since=0").json() == {"requests": []}
    assert call(sandbox, "DELETE", "//_control/nango/faults?kind=crm_error").json() == {"faults": []}
    assert call(sandbox, "DELETE", f"//_control/nango/connections?connection={id_}").status_code == 200
    control("/reset")
    assert sandbox.nango.connections == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/connections", {"provider": "outlook"}, 400),
        ("/connections", {"provider": "hubspot", "contacts": -1}, 400),
        ("/connections", {"provider": "hubspot", "dirty": ["mud"]}, 400),
        ("/connections", {"provider": "hubspot", "region": "XX"}, 400),
        ("/connections", {"provider": "hubspot", "colour": "red"}, 400),
        ("/connections", {"provider": "hubspot", "tags": {"a": 1}}, 400),
        ("/contacts", {"connection": "none"}, 404),
        ("/contacts", {"connection": "{id}", "id": "none"}, 404),
        ("/contacts", {"connection": "{id}", "colour": "red"}, 400),
        ("/contacts", {"connection": "{id}", "email": 7}, 400),
        ("/contacts", {"connection": "{id}", "owner_email": "nobody@x.example"}, 400),
        ("/contacts", {"connection": "{id}", "module": "lead"}, 400),
        ("/contacts/convert", {"connection": "{id}", "id": "{contact}"}, 400),
        ("/contacts/merge", {"connection": "{id}", "winner": "{contact}", "loser": "{contact}"}, 400),
        ("/settings", {"connection": "{id}", "page_size": 0}, 400),
        ("/settings", {"connection": "{id}", "colour": 0}, 400),
        ("/webhook", {"connection": "{id}", "url": "http://127.0.0.1:9/", "secret": "", "type": "x"}, 400),
        ("/nothing", {}, 404),
    ],
)
def test_control_refuses_what_makes_no_sense(
    sandbox: RunningSandbox, path: str, body: dict[str, Any], status: int
) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=1)
    contact = sandbox.nango.contacts(id_)[0]["id"]
    filled = {k: v.format(id=id_, contact=contact) if isinstance(v, str) else v for k, v in body.items()}
    assert call(sandbox, "POST", f"//_control/nango{path}", filled).status_code == status


def test_the_pages_show_connections_and_people_and_escape_them(sandbox: RunningSandbox) -> None:
    assert "Nobody connected a CRM yet" in call(sandbox, "GET", "//crms").text
    id_ = sandbox.nango.connect("zoho-crm", tags={"organization_id": "<b>7</b>"}, contacts=150)
    sandbox.nango.upsert_contact(id_, first_name="<script>alert(1)</script>", description="A\ud800")
    page = call(sandbox, "GET", "//crms").text
    assert ("151 contacts" in page, "&lt;b&gt;7&lt;/b&gt;" in page, 'http-equiv="refresh"' in page) == (True,) * 3
    people = call(sandbox, "GET", f"//crms?connection={id_}").text
    assert ("&lt;script&gt;" in people, "<script>" in people, "51 more are not shown" in people) == (True, False, True)
    assert call(sandbox, "GET", "//crms?connection=none").status_code == 404
    assert 'href="/crms"' in call(sandbox, "GET", "//").text


def test_the_buttons_of_the_page_connect_and_switch_faults(sandbox: RunningSandbox) -> None:
    def press(path: str, **form: str) -> requests.Response:
        return requests.post(sandbox.url + path, data=form, timeout=5, allow_redirects=False)

    link = press("/_page/nango/connect").headers["Location"]
    assert "Which CRM do you use?" in requests.get(link, timeout=5).text
    assert (
        press("/_page/nango/faults", kind="forbidden", switch="on", paused="1").headers["Location"] == "/crms?paused=1"
    )
    assert [fault["kind"] for fault in sandbox.nango.faults] == ["forbidden"]
    assert press("/_page/nango/faults", kind="forbidden", switch="off").headers["Location"] == "/crms"
    assert (sandbox.nango.faults, press("/_page/nango/faults", kind="x").status_code) == ([], 400)


def test_parallel_readers_and_writers_get_along(sandbox: RunningSandbox) -> None:
    id_ = sandbox.nango.connect("hubspot", contacts=50)

    def work(number: int) -> None:
        for turn in range(10):
            sandbox.nango.upsert_contact(id_, first_name=f"{number} {turn}")
            assert through(sandbox, id_, "/crm/v3/objects/contacts?limit=100").status_code == 200

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sandbox.nango.connection(id_)["contacts"], len(sandbox.nango.requests)) == (90, 40)


def test_reset_forgets_nango_too(sandbox: RunningSandbox) -> None:
    sandbox.nango.connect("hubspot")
    sandbox.nango.set_fault("slow")
    sandbox.reset()
    assert (sandbox.nango.connections, sandbox.nango.faults, sandbox.nango.requests) == ([], [], [])
