"""Who may do what, at every address of the API. A route without a row here fails."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from crm.models import User
from loyalty.models import LoyaltyCard
from loyalty.services import hold_points
from tests import builders
from tests.door import get, said, send
from tests.notifications.people import told

pytestmark = pytest.mark.django_db
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PERMISSIONS = (
    "nominations.view_nomination",
    "nominations.decide_nomination",
    "nominations.add_manualvote",
    "loops_sync.view_outboxentry",
    "loyalty.redeem_points",
    "loyalty.adjust_points",
    "loyalty.view_loyaltycard",
    "loyalty.change_program",
    "crm.view_connection",
    "crm.sync_connection",
    "crm.view_client",
    "crm.add_client",
    "crm.change_client",
    "crm.delete_client",
    "crm.view_lead",
    "crm.add_lead",
    "crm.change_lead",
    "crm.delete_lead",
)
PHONE = "07306 506797"

# Anonymous, plain user, staff without a permission, staff with it, superuser; then, of the business that the address
# is about, a cashier, a manager and the customer.
OPEN, NOT_HERE, MISSING = " ".join(["200"] * 8), " ".join(["405"] * 8), " ".join(["404"] * 8)
STAFF, STAFF_NOT_HERE = "401 403 403 200 200 403 403 403", "401 403 403 405 405 403 403 403"
STAFF_INCOMPLETE, STAFF_CONFLICT = STAFF.replace("200", "400"), STAFF.replace("200", "409")
INCOMPLETE, CLOCK_ONLY = NOT_HERE.replace("405", "400"), NOT_HERE.replace("405", "401")
LOGIN, LOGIN_INCOMPLETE, LOGIN_NOT_HERE = (" ".join(["401"] + [code] * 7) for code in ("200", "400", "405"))
AT_THE_TILL, IN_THE_OFFICE = "401 404 403 200 200 200 200 403", "401 404 403 400 400 403 400 403"
OWN_CARD = "401 404 403 200 200 200 200 200"
FOR_CUSTOMERS = "401 403 403 403 403 403 403 200"

# Of a business: whoever belongs to none sees none, and staff must name one. None of these ids is one of a lead or run.
UNNAMED, FOREIGN = "401 403 403 400 400 200 200 403", "401 404 403 404 404 404 404 404"
UNNAMED_INCOMPLETE, NOT_CONNECTED = UNNAMED.replace("200", "400"), UNNAMED.replace("200", "409")

METRICS = "401 403 200 200 200 403 403 403"
PUBLIC_READ = {"GET": OPEN, "HEAD": OPEN, "OPTIONS": OPEN, "*": NOT_HERE}
STAFF_READ = {"GET": STAFF, "HEAD": STAFF, "OPTIONS": STAFF, "*": STAFF_NOT_HERE}
DECISION = {"POST": STAFF, "OPTIONS": STAFF, "*": STAFF_NOT_HERE}
FOR_LOGINS = {"OPTIONS": LOGIN, "*": LOGIN_NOT_HERE}
CARD_READ = FOR_LOGINS | {"GET": OWN_CARD, "HEAD": OWN_CARD}
MEMBERS_LIST = FOR_LOGINS | {"GET": UNNAMED, "HEAD": UNNAMED}
MEMBERS_ROW = FOR_LOGINS | {"GET": FOREIGN, "HEAD": FOREIGN}
TABLE: dict[str, dict[str, str]] = {
    "^api(?:/.*)?$": {"*": MISSING},
    "metrics": {"GET": METRICS, "HEAD": METRICS, "*": NOT_HERE},
    "api/schema": PUBLIC_READ,
    "api/docs": PUBLIC_READ,
    "api/auth/login": {"POST": INCOMPLETE, "OPTIONS": OPEN, "*": NOT_HERE},
    "api/auth/link": {"POST": INCOMPLETE, "OPTIONS": OPEN, "*": NOT_HERE},
    "api/auth/logout": FOR_LOGINS | {"POST": LOGIN.replace("200", "204")},
    "api/season": PUBLIC_READ,
    "api/categories": PUBLIC_READ,
    "api/nominations": STAFF_READ | {"POST": INCOMPLETE},
    "api/nominations/<uuid:id>": STAFF_READ,
    "api/nominations/<uuid:id>/approve": DECISION,
    "api/nominations/<uuid:id>/reject": DECISION | {"POST": STAFF_INCOMPLETE},
    "api/nominations/<uuid:id>/withdraw": DECISION,
    "api/nominations/<uuid:id>/duplicate": DECISION | {"POST": STAFF_INCOMPLETE},
    "api/nominations/<uuid:id>/reopen": DECISION | {"POST": STAFF_CONFLICT},
    "api/nominees": PUBLIC_READ,
    "api/nominees/<slug:slug>": PUBLIC_READ,
    "api/nominees/<slug:slug>/manual-votes": DECISION | {"POST": STAFF_INCOMPLETE},
    "api/podium": PUBLIC_READ,
    "api/stats": PUBLIC_READ,
    "api/votes": {"POST": INCOMPLETE, "OPTIONS": OPEN, "*": NOT_HERE},
    "api/loyalty/phone-lookup": FOR_LOGINS
    | {"GET": "401 404 403 200 200 200 200 404", "HEAD": "401 404 403 200 200 200 200 404"},
    "api/customer/loyalty/redeem": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE, "PUT": LOGIN_INCOMPLETE},
    "api/loyalty/earn": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/loyalty/adjust": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/loyalty/transactions/<uuid:id>/reverse": FOR_LOGINS | {"POST": IN_THE_OFFICE},
    "api/loyalty/holds": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/loyalty/holds/<uuid:id>/capture": FOR_LOGINS | {"POST": AT_THE_TILL},
    "api/loyalty/holds/<uuid:id>/release": FOR_LOGINS | {"POST": AT_THE_TILL},
    "api/loyalty/cards": FOR_LOGINS | dict.fromkeys(("GET", "HEAD"), "401 403 403 200 200 200 200 200"),
    "api/loyalty/cards/<str:id>": CARD_READ,
    "api/loyalty/cards/<str:id>/statement": CARD_READ,
    "api/loyalty/cards/<str:id>/statement.csv": CARD_READ,
    "api/loyalty/programs": PUBLIC_READ | {"POST": LOGIN_INCOMPLETE, "*": LOGIN_NOT_HERE},
    "api/loyalty/programs/<uuid:id>": PUBLIC_READ | {"PATCH": "401 404 403 200 200 403 200 404", "*": LOGIN_NOT_HERE},
    "api/admin/customers": MEMBERS_LIST,
    "api/enrollments": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/notifications": FOR_LOGINS | {"GET": LOGIN, "HEAD": LOGIN},
    "api/notifications/read-all": FOR_LOGINS | {"POST": LOGIN},
    "api/notifications/<uuid:id>/read": FOR_LOGINS | {"POST": "401 404 404 404 404 404 404 200"},
    "api/notifications/<uuid:id>/respond": FOR_LOGINS | {"POST": "401 404 404 404 404 404 404 400"},
    "api/notifications/preferences": FOR_LOGINS
    | dict.fromkeys(("GET", "HEAD", "PUT"), "401 403 403 403 403 403 403 200"),
    "api/changes": FOR_LOGINS | {"GET": LOGIN, "HEAD": LOGIN},
    "api/qr/me": FOR_LOGINS | dict.fromkeys(("GET", "HEAD"), FOR_CUSTOMERS),
    "api/qr/revoke": FOR_LOGINS | {"POST": FOR_CUSTOMERS.replace("200", "400")},
    "api/qr/scan": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/sync/loops/run": STAFF_READ | {"POST": CLOCK_ONLY},
    "api/crm/session-token": FOR_LOGINS | {"POST": UNNAMED.replace("200", "502")},
    "api/crm/connect": FOR_LOGINS | {"POST": LOGIN_INCOMPLETE},
    "api/crm/sync": FOR_LOGINS | {"POST": NOT_CONNECTED},
    "api/crm/runs": MEMBERS_LIST,
    "api/crm/runs/<uuid:id>": MEMBERS_ROW,
    "api/crm/runs/<uuid:id>/outcomes": MEMBERS_ROW,
    "api/crm/status": MEMBERS_LIST,
    "api/crm/disconnect": FOR_LOGINS | {"POST": "401 403 403 400 400 403 409 403"},
    "api/cron/sync-crm": {"*": CLOCK_ONLY},
    "api/webhooks/nango": {"*": CLOCK_ONLY},
    "api/webhooks/loops": {"*": CLOCK_ONLY},
    "api/clients": MEMBERS_LIST | {"POST": LOGIN_INCOMPLETE},
    "api/clients/<uuid:id>": MEMBERS_ROW | dict.fromkeys(("PUT", "PATCH", "DELETE"), FOREIGN),
    "api/leads": MEMBERS_LIST | {"POST": UNNAMED_INCOMPLETE},
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


API_ROUTES = sorted(
    route for route in routes(get_resolver().url_patterns) if route.lstrip("^").startswith(("api", "metrics"))
)


def path_of(route: str) -> str:
    """An address that the route answers: of a nomination that waits, a nominee who is live, the customer's card."""
    if route.startswith("^"):
        return "/api/nowhere"
    if "/loyalty/" in route:
        return points_path(f"/{route}")
    if route == "api/podium":
        return f"/{route}?category={builders.category().slug}"
    if "/notifications/<" in route:
        return f"/{route}".replace("<uuid:id>", str(told("Hello", customer=builders.customer(PHONE).pk).pk))
    if "<uuid:id>" in route:
        return f"/{route}".replace("<uuid:id>", str(builders.submitted().pk))
    return f"/{route}".replace("<slug:slug>", str(builders.approved().nominee.slug) if "<" in route else "")


def points_path(path: str) -> str:
    """About the customer's card, its row, a hold on it, or its program."""
    customer = builders.customer(PHONE)
    card = LoyaltyCard.objects.filter(enrollment__customer=customer).first() or builders.card(500, by=customer)
    path = path.replace("<str:id>", card.card_number)
    if "/holds/" in path:
        path = path.replace("<uuid:id>", str(hold_points(card, points=1, by=None).pk))
    named = {"phone-lookup": f"?phone={PHONE}&business=corner-cafe", "programs": "?business=corner-cafe"}
    one = card.enrollment.program if "/programs/" in path else card.transactions.get(seq=1)
    return path.replace("<uuid:id>", str(one.pk)) + named.get(path.rpartition("/")[2], "")


def callers() -> list[User | None]:
    """In the order of the table."""
    members = [builders.member(role, builders.business()) for role in ("cashier", "manager")]
    customer = builders.customer(PHONE, user=builders.plain_user()).user
    staff = [builders.staff(), builders.staff(*PERMISSIONS), builders.superuser()]
    return [None, builders.plain_user(), *staff, *members, customer]


def test_every_route_of_the_api_has_a_row() -> None:
    assert API_ROUTES == sorted(TABLE)


@pytest.mark.parametrize("route", API_ROUTES)
def test_route_answers_each_role_as_the_table_says(route: str) -> None:
    builders.season()
    row, users = TABLE[route], callers()
    for method in METHODS:
        body: dict[str, str] | None = {} if method in ("POST", "PUT", "PATCH") else None
        seen = [str(send(method, path_of(route), body, by=user).status_code) for user in users]
        assert (method, " ".join(seen)) == (method, row.get(method, row["*"]))


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
    card = f"/api/loyalty/cards/{LoyaltyCard.objects.get().pk}"
    paths += [
        f"{card}/statement?from=2026-01-01",
        f"{card}/statement.csv",
        "/api/loyalty/cards?business=corner-cafe&q=a",
    ]
    paths += ["/healthz", "/readyz", f"/api/nominations/{nomination.pk}", "/api/nominations?q=nia&page_size=1"]
    before = contents()
    for path in paths:
        for user in people:
            get(path, by=user)
    get("/api/sync/loops/run", Authorization="Bearer clock")
    assert contents() == before
