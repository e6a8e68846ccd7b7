"""The description of the API, for machines and for people."""

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.urls import get_resolver

from tests.config.test_routes import TABLE, routes
from tests.door import get

pytestmark = pytest.mark.django_db
ERRORS = {"400", "401", "403", "404", "405", "406", "409", "410", "413", "415", "422", "429"}


def schema() -> Any:
    """As a client generator reads it."""
    response = get("/api/schema", Accept="application/json")
    assert response.status_code == 200
    return json.loads(response.content)


def operations() -> dict[str, Any]:
    """By method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
    }


def test_schema_is_openapi_3_1() -> None:
    assert schema()["openapi"] == "3.1.0"


def test_schema_describes_every_route() -> None:
    described = {re.sub(r"\{\w+\}", "{}", path) for path in schema()["paths"]}
    ours = [f"/{route}" for route in routes(get_resolver().url_patterns) if route.startswith("api/")]
    there = {re.sub(r"<[^>]+>", "{}", path) for path in ours}
    assert described == there - {"/api/schema", "/api/docs"}


def test_every_operation_has_a_name_of_its_own_and_says_what_can_go_wrong() -> None:
    found = operations()
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    assert {name: ERRORS - set(operation["responses"]) for name, operation in found.items()} == dict.fromkeys(
        found, set()
    )


def test_idempotency_key_is_described_where_it_is_read() -> None:
    takers = [
        name
        for name, operation in operations().items()
        if "Idempotency-Key" in [parameter["name"] for parameter in operation.get("parameters", [])]
    ]
    points = ["adjust", "earn", "holds", "holds/{id}/capture", "holds/{id}/release", "transactions/{id}/reverse"]
    points = ["post /api/customer/loyalty/redeem", *(f"post /api/loyalty/{name}" for name in points)]
    awards = ["post /api/nominations", "post /api/nominees/{slug}/manual-votes", "post /api/votes"]
    assert sorted(takers) == sorted([*points, *awards, "post /api/qr/scan"])


def test_public_operations_ask_for_no_login() -> None:
    public = [name for name, operation in operations().items() if {} in operation.get("security", [{}])]
    rows = {re.sub(r"<[^>]+>", "{}", f"/{route}"): row for route, row in TABLE.items()}
    answered = [name for name in operations() if not needs_login(rows, name)]
    assert public == answered


def needs_login(rows: dict[str, dict[str, str]], name: str) -> bool:
    """Whether the table of roles turns an anonymous caller away."""
    method, path = name.split()
    row = rows[re.sub(r"\{\w+\}", "{}", path)]
    return row.get(method.upper(), row["*"]).startswith("401")


def test_docs_are_free_of_inline_code_and_of_foreign_hosts() -> None:
    html = get("/api/docs").content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", html) == []
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(sources) == 6
    assert [source for source in sources if not source.startswith("/")] == []


def test_everything_the_docs_load_is_there() -> None:
    html = get("/api/docs").content.decode()
    for source in re.findall(r'(?:src|href)="(/[^"]+)"', html):
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")) is not None, source
        else:
            assert get(source).status_code == 200, source


def test_script_of_the_docs_is_a_script() -> None:
    html = get("/api/docs").content.decode()
    (script,) = [source for source in re.findall(r'src="([^"]+)"', html) if not source.startswith("/static/")]
    response = get(script.replace("&amp;", "&"))
    assert response["Content-Type"].split(";")[0] in ("application/javascript", "text/javascript")
