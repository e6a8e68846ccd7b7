"""Who may do what, at every address of the API. A route without a row here fails."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from crm.models import User
from tests import builders
from tests.door import get, said, send

pytestmark = pytest.mark.django_db
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PERMISSIONS = (
    *("nominations.view_nomination", "nominations.decide_nomination", "loops_sync.view_outboxentry"),
    *("crm.view_connection", "crm.sync_connection"),
    *("crm.view_lead", "crm.add_lead", "crm.change_lead", "crm.delete_lead"),
)

# Anonymous, plain user, staff without a permission, staff with it, superuser.
OPEN, NOT_HERE, MISSING = "200 200 200 200 200", "405 405 405 405 405", "404 404 404 404 404"
STAFF, STAFF_NOT_HERE, STAFF_INCOMPLETE = "401 403 403 200 200", "401 403 403 405 405", "401 403 403 400 400"
INCOMPLETE, CLOCK_ONLY = "400 400 400 400 400", "401 401 401 401 401"
LOGGED_IN, LOGGED_IN_NOT_HERE = "401 204 204 204 204", "401 405 405 405 405"

# Of a business: whoever belongs to none sees none, and staff must name one. None of these ids is one of a lead or run.
UNNAMED, UNNAMED_INCOMPLETE, FOREIGN = "401 403 403 400 400", "401 400 400 400 400", "401 404 403 404 404"
MEMBERS_NOT_HERE, MEMBERS_OPTIONS = "401 405 405 405 405", "401 200 200 200 200"

PUBLIC_READ = {"GET": OPEN, "HEAD": OPEN, "OPTIONS": OPEN, "*": NOT_HERE}
STAFF_READ = {"GET": STAFF, "HEAD": STAFF, "OPTIONS": STAFF, "*": STAFF_NOT_HERE}
DECISION = {"POST": STAFF, "OPTIONS": STAFF, "*": STAFF_NOT_HERE}
MEMBERS_LIST = {"GET": UNNAMED, "HEAD": UNNAMED, "OPTIONS": MEMBERS_OPTIONS, "*": MEMBERS_NOT_HERE}
MEMBERS_ROW = {"GET": FOREIGN, "HEAD": FOREIGN, "OPTIONS": MEMBERS_OPTIONS, "*": MEMBERS_NOT_HERE}
MEMBERS_ACT = {"POST": UNNAMED, "OPTIONS": MEMBERS_OPTIONS, "*": MEMBERS_NOT_HERE}
TABLE: dict[str, dict[str, str]] = {
    "^api(?:/.*)?$": {"*": MISSING},
    "api/schema": PUBLIC_READ,
    "api/docs": PUBLIC_READ,
    "api/auth/login": {"POST": INCOMPLETE, "OPTIONS": OPEN, "*": NOT_HERE},
    "api/auth/logout": {"POST": LOGGED_IN, "OPTIONS": "401 200 200 200 200", "*": LOGGED_IN_NOT_HERE},
    "api/season": PUBLIC_READ,
    "api/categories": PUBLIC_READ,
    "api/nominations": STAFF_READ | {"POST": INCOMPLETE},
    "api/nominations/<uuid:id>": STAFF_READ,
    "api/nominations/<uuid:id>/approve": DECISION,
    "api/nominations/<uuid:id>/reject": DECISION | {"POST": STAFF_INCOMPLETE},
    "api/nominations/<uuid:id>/withdraw": DECISION,
    "api/nominations/<uuid:id>/duplicate": DECISION | {"POST": STAFF_INCOMPLETE},
    "api/nominations/<uuid:id>/reopen": DECISION | {"POST": "401 403 403 409 409"},
    "api/nominees/<slug:slug>": PUBLIC_READ,
    "api/stats": PUBLIC_READ,
    "api/votes": {"POST": INCOMPLETE, "OPTIONS": OPEN, "*": NOT_HERE},
    "api/sync/loops/run": STAFF_READ | {"POST": CLOCK_ONLY},
    "api/crm/session-token": MEMBERS_ACT,
    "api/crm/connect": MEMBERS_ACT | {"POST": UNNAMED_INCOMPLETE},
    "api/crm/sync": MEMBERS_ACT,
    "api/crm/runs": MEMBERS_LIST,
    "api/crm/runs/<uuid:id>": MEMBERS_ROW,
    "api/crm/runs/<uuid:id>/outcomes": MEMBERS_ROW,
    "api/crm/status": MEMBERS_LIST,
    "api/crm/disconnect": MEMBERS_ACT,
    "api/cron/sync-crm": {"*": CLOCK_ONLY},
    "api/webhooks/nango": {"*": CLOCK_ONLY},
    "api/leads": MEMBERS_LIST | {"POST": UNNAMED},
    "api/leads/<uuid:id>": MEMBERS_ROW | {"PATCH": FOREIGN, "DELETE": FOREIGN},
    "api/leads/<uuid:id>/messages": MEMBERS_ROW | {"POST": FOREIGN},
    "api/threads": MEMBERS_LIST,
}


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every route below, as it is written."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


API_ROUTES = sorted(route for route in routes(get_resolver().url_patterns) if route.lstrip("^").startswith("api"))


def path_of(route: str) -> str:
    """An address that the route answers: of a nomination that waits, of a nominee who is live."""
    if route.startswith("^"):
        return "/api/nowhere"
    if "<uuid:id>" in route:
        return f"/{route}".replace("<uuid:id>", str(builders.submitted().pk))
    return f"/{route}".replace("<slug:slug>", str(builders.approved().nominee.slug) if "<" in route else "")


def callers() -> list[User | None]:
    """In the order of the table."""
    return [None, builders.plain_user(), builders.staff(), builders.staff(*PERMISSIONS), builders.superuser()]


def test_every_route_of_the_api_has_a_row() -> None:
    assert API_ROUTES == sorted(TABLE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", API_ROUTES)
def test_route_answers_each_role_as_the_table_says(route: str, method: str) -> None:
    builders.season()
    row = TABLE[route]
    seen = []
    for user in callers():
        body: dict[str, str] | None = {} if method in ("POST", "PUT", "PATCH") else None
        seen.append(str(send(method, path_of(route), body, by=user).status_code))
    assert " ".join(seen) == row.get(method, row["*"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_clock_passes_with_its_secret(method: str) -> None:
    assert send(method, "/api/sync/loops/run", {}, Authorization="Bearer clock").status_code == 200


def test_decisions_need_more_than_a_view() -> None:
    viewer = builders.staff("nominations.view_nomination")
    nomination = builders.submitted()
    for action in ("approve", "reject", "withdraw", "duplicate", "reopen"):
        assert send("POST", f"/api/nominations/{nomination.pk}/{action}", {}, by=viewer).status_code == 403


def test_permission_without_being_staff_is_not_enough() -> None:
    user = builders.staff(*PERMISSIONS)
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert send("GET", "/api/nominations", by=user).status_code == 403


def test_disabled_user_is_nobody() -> None:
    user = builders.superuser()
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert said(send("GET", "/api/nominations", by=user))[0] == 401


def contents() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for the logins that the test itself makes."""
    ours = [model for model in apps.get_models() if model._meta.label not in ("knox.AuthToken",)]
    return {model._meta.label: list(model._default_manager.order_by("pk").values_list()) for model in ours}


def test_reading_changes_nothing_anywhere() -> None:
    nomination = builders.approved()
    builders.vote(nomination)
    people = callers()
    paths = [path_of(route) for route in API_ROUTES]
    paths += ["/", "/nominate", "/nominate?category=best-recruiter", f"/nominee/{nomination.nominee.slug}"]
    paths += ["/healthz", "/readyz", f"/api/nominations/{nomination.pk}", "/api/nominations?q=nia&page_size=1"]
    before = contents()
    for path in paths:
        for user in people:
            get(path, by=user)
    get("/api/sync/loops/run", Authorization="Bearer clock")
    assert contents() == before
