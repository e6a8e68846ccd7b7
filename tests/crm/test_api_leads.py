"""Leads through the API: by hand, found, edited, deleted."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import Http404
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from crm import services
from crm.models import Lead, User
from tests import builders
from tests.config.test_hostile import encoded, is_told, mutated, texts
from tests.door import get, post, refusal, said, send

pytestmark = pytest.mark.django_db
LEADS = "/api/leads"
FIELDS = (
    "id business name first_name last_name phone email company lead_type status opted_out phone_raw edited_fields "
    "crm_id crm_source crm_owner crm_owner_email crm_status crm_stage crm_description crm_last_activity_at "
    "last_crm_sync_at crm_deleted_at last_message last_message_at contacted created_at updated_at"
).split()
ANN: dict[str, Any] = {
    "name": "Ann Other",
    "first_name": "Ann",
    "last_name": "Other",
    "phone": "+447306506797",
    "email": "ann@x.example",
    "company": "Acme",
    "lead_type": "old",
    "status": "called",
    "opted_out": True,
}


@pytest.fixture
def cashier() -> User:
    """The least of a business's members."""
    return builders.member("cashier", builders.business())


def names(by: User, query: str = "") -> list[str]:
    """The leads of a list, in its order."""
    status, body = said(get(f"{LEADS}?{query}", by=by))
    assert status == 200
    return [row["name"] for row in body["results"]]


def edit(lead: Lead, by: User, **fields: Any) -> tuple[int, Any]:
    """Status and body of a PATCH."""
    return said(send("PATCH", f"{LEADS}/{lead.pk}", fields, by=by))


# --- by hand -------------------------------------------------------------------------------------------------------
def test_lead_by_hand_is_answered_whole(cashier: User) -> None:
    response = post(LEADS, ANN, by=cashier)
    status, body = said(response)
    lead = Lead.objects.get()
    assert (status, response["Location"]) == (201, f"/api/leads/{lead.pk}")
    assert {name: body[name] for name in ANN} == ANN
    assert list(body) == FIELDS
    assert (body["business"], body["crm_id"], body["crm_source"]) == (str(lead.business_id), None, "")
    assert (body["edited_fields"], body["contacted"], body["crm_deleted_at"]) == (sorted(ANN), False, None)
    assert said(get(response["Location"], by=cashier)) == (200, body)


def test_least_of_a_lead_is_a_name_and_a_way_to_reach_it(cashier: User) -> None:
    status, body = said(post(LEADS, {"first_name": "Ann", "last_name": "Other", "phone": "07306 506797"}, by=cashier))
    assert (status, body["name"], body["phone"], body["phone_raw"]) == (201, "Ann Other", ANN["phone"], "07306 506797")
    assert (body["lead_type"], body["status"], body["opted_out"]) == ("new", "pending", False)
    assert said(post(LEADS, {"phone": "07306 506797"}, by=cashier)) == (400, {"name": ["Give a name."]})
    assert said(post(LEADS, {"name": "Ann"}, by=cashier)) == (400, {"phone": ["Give a phone or an email."]})


@pytest.mark.parametrize("phone", ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797"])
def test_phone_is_one_in_every_spelling(phone: str, cashier: User) -> None:
    assert said(post(LEADS, {"name": "Ann", "phone": phone}, by=cashier))[1]["phone"] == "+447306506797"


def test_phone_is_read_as_in_the_business_s_region() -> None:
    abroad = builders.business("elsewhere")
    abroad.default_region = "US"
    abroad.save()
    status, body = said(post(LEADS, {"name": "Ann", "phone": "(650) 253-0000"}, by=builders.member("cashier", abroad)))
    assert (status, body["phone"]) == (201, "+16502530000")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "123"),
        ("email", "ann"),
        ("email", "a" * 250 + "@x.example"),
        ("lead_type", "cold"),
        ("status", ""),
        ("status", "x" * 51),
        ("opted_out", "perhaps"),
        ("opted_out", None),
        ("name", "x" * 256),
        ("first_name", "x" * 101),
        ("last_name", "x" * 151),
        ("company", "x" * 256),
        ("business", ["corner-cafe"]),
        ("surprise", 1),
    ],
)
def test_wrong_field_is_named(field: str, value: Any, cashier: User) -> None:
    status, body = said(post(LEADS, {**ANN, field: value}, by=cashier))
    assert (status, list(body)) == (400, [field])
    assert Lead.objects.count() == 0


def test_what_only_a_crm_says_is_ignored(cashier: User) -> None:
    sent = {**ANN, "id": str(uuid4()), "crm_id": "7", "crm_source": "zoho", "contacted": True, "edited_fields": []}
    assert post(LEADS, sent, by=cashier).status_code == 201
    lead = Lead.objects.get()
    assert (lead.crm_id, lead.crm_source, lead.contacted, lead.edited_fields) == (None, "", False, sorted(ANN))
    assert str(lead.pk) != sent["id"]


# --- editing -------------------------------------------------------------------------------------------------------
def test_each_edited_field_is_remembered_and_no_other(cashier: User) -> None:
    lead = builders.lead(crm_id="7", phone="+447306506797", company="Acme", edited_fields=["email"])
    sent = {"phone": "+447306506797", "company": "Else", "opted_out": True, "status": "pending"}
    status, body = edit(lead, cashier, **sent)
    assert (status, body["edited_fields"]) == (200, ["company", "email", "opted_out"])
    assert (body["company"], body["opted_out"], body["phone"]) == ("Else", True, "+447306506797")
    assert said(get(f"{LEADS}/{lead.pk}", by=cashier)) == (200, body)


def test_whole_lead_sent_back_changes_nothing_but_what_was_edited(cashier: User) -> None:
    lead = builders.lead(crm_id="7", crm_status="Open", phone="+447306506797", phone_raw="07306 506797")
    known = said(get(f"{LEADS}/{lead.pk}", by=cashier))[1]
    sent = {**known, "name": "Ann", "crm_status": "Lost", "business": str(uuid4()), "created_at": "yesterday"}
    status, body = edit(lead, cashier, **sent)
    same = known.keys() - {"name", "edited_fields", "updated_at"}
    assert (status, body["name"], body["edited_fields"]) == (200, "Ann", ["name"])
    assert {name: body[name] for name in same} == {name: known[name] for name in same}


def test_phone_sent_back_as_it_is_keeps_the_text_that_the_crm_has(cashier: User) -> None:
    lead = builders.lead(crm_id="7", phone="+447306506797", phone_raw="07306 506797")
    assert edit(lead, cashier, phone="+447306506797")[1]["phone_raw"] == "07306 506797"


def test_same_phone_in_another_spelling_is_no_edit(cashier: User) -> None:
    lead = builders.lead(crm_id="7", phone="+447306506797", phone_raw="+447306506797")
    assert edit(lead, cashier, phone="07306 506797")[1]["edited_fields"] == []


def test_phone_may_be_cleared_while_there_is_an_email(cashier: User) -> None:
    lead = builders.lead(crm_id="7", phone="+447306506797", phone_raw="07306 506797")
    body = edit(lead, cashier, phone="")[1]
    assert (body["phone"], body["phone_raw"], body["edited_fields"]) == ("", "", ["phone"])
    assert edit(lead, cashier, email="") == (400, {"phone": ["Give a phone or an email."]})


def test_edit_reaches_a_lead_that_the_crm_no_longer_has(cashier: User) -> None:
    lead = builders.lead(crm_id="7", crm_deleted_at=timezone.now())
    assert edit(lead, cashier, status="lost")[1]["status"] == "lost"


@pytest.mark.parametrize(("field", "value"), [("phone", "123"), ("name", None), ("email", "ann"), ("surprise", 1)])
def test_wrong_edit_is_named_and_changes_nothing(field: str, value: Any, cashier: User) -> None:
    lead = builders.lead()
    status, body = edit(lead, cashier, status="called", **{field: value})
    assert (status, list(body)) == (400, [field])
    assert Lead.objects.values_list("status", "edited_fields").get() == ("pending", [])


def test_deleted_lead_is_gone_with_its_messages(cashier: User) -> None:
    lead, other = builders.lead(), builders.lead()
    post(f"{LEADS}/{lead.pk}/messages", {"direction": "inbound", "channel": "sms", "body": "Hi"}, by=cashier)
    assert said(send("DELETE", f"{LEADS}/{lead.pk}", by=cashier)) == (204, None)
    assert refusal(get(f"{LEADS}/{lead.pk}", by=cashier)) == (404, "not_found")
    assert refusal(send("DELETE", f"{LEADS}/{lead.pk}", by=cashier)) == (404, "not_found")
    assert list(Lead.objects.all()) == [other]


def test_lead_deleted_in_the_middle_is_missing() -> None:
    lead = builders.lead()
    Lead.objects.all().delete()
    with pytest.raises(Http404):
        services.edit_lead(lead, status="called")
    with pytest.raises(Http404):
        services.log_message(lead, direction="inbound", channel="sms", body="Hi", by=None)


# --- lists ---------------------------------------------------------------------------------------------------------
def test_list_has_the_shape_of_all_lists(cashier: User) -> None:
    for _ in range(3):
        builders.lead()
    status, body = said(get(f"{LEADS}?page_size=2", by=cashier))
    assert (status, sorted(body)) == (200, ["count", "next", "previous", "results"])
    assert (body["count"], len(body["results"]), list(body["results"][0])) == (3, 2, FIELDS)
    assert refusal(get(f"{LEADS}?page=9", by=cashier)) == (404, "not_found")


def test_newest_stand_first_unless_asked_for_a_known_order(cashier: User) -> None:
    now = timezone.now()
    for number, name in enumerate("BCA"):
        at = {"last_message_at": now - timedelta(days=number)} if number else {}
        builders.lead(name=name, created_at=now + timedelta(minutes=number), **at)
    assert names(cashier) == ["A", "C", "B"]
    assert names(cashier, "ordering=email%3Bdrop") == ["A", "C", "B"]
    assert names(cashier, "ordering=name") == ["A", "B", "C"]
    assert names(cashier, "ordering=-name") == ["C", "B", "A"]
    assert names(cashier, "ordering=created_at") == ["B", "C", "A"]
    assert names(cashier, "ordering=-last_message_at") == ["C", "A", "B"]
    assert names(cashier, "ordering=last_message_at") == ["A", "C", "B"]


def test_leads_that_the_crm_lost_are_listed_only_on_request(cashier: User) -> None:
    builders.lead(name="Here")
    builders.lead(name="Gone", crm_id="7", crm_deleted_at=timezone.now())
    assert names(cashier) == ["Here"]
    assert names(cashier, "deleted=false") == ["Here"]
    assert names(cashier, "deleted=") == ["Here"]
    assert names(cashier, "deleted=true") == ["Gone"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("crm_status=Open", ["Ann"]),
        ("crm_status=open", []),
        ("crm_stage=Won", ["Bob"]),
        ("lead_type=old", ["Bob"]),
        ("source=hubspot", ["Ann"]),
        ("source=zoho", ["Bob"]),
        ("source=manual", ["Cat"]),
        ("source=pipedrive", []),
        ("owner=Olive%20Owner", ["Ann"]),
        ("owner=OLIVE@x.example", ["Ann"]),
        ("owner=Olive", []),
        ("source=hubspot&lead_type=old", []),
        ("q=ann&source=hubspot", ["Ann"]),
    ],
)
def test_filters_narrow(query: str, expected: list[str], cashier: User) -> None:
    owner = {"crm_owner": "Olive Owner", "crm_owner_email": "olive@x.example"}
    builders.lead(name="Ann", crm_id="1", crm_status="Open", **owner)
    builders.lead(name="Bob", crm_id="1", crm_source="zoho", crm_stage="Won", lead_type="old")
    builders.lead(name="Cat")
    assert names(cashier, query) == expected


@pytest.mark.parametrize("query", ["source=facebook", "lead_type=cold", "deleted=perhaps"])
def test_impossible_filter_is_named(query: str, cashier: User) -> None:
    status, body = said(get(f"{LEADS}?{query}", by=cashier))
    assert (status, list(body)) == (400, [query.partition("=")[0]])


@pytest.mark.parametrize(
    "text",
    [
        "smith",
        "JO SMI",
        "smith+john",
        "Acme",
        "john%40x",
        "07306506797",
        "07306%20506797",
        "07306+506",
        "%2B44%20(0)7306%20506797",
        "0044+7306+506797",
        "+447306506797",
        "%2B447306",
        "506797",
        "johnny",
    ],
)
def test_search_finds_by_names_company_address_and_phone(text: str, cashier: User) -> None:
    builders.lead(
        name="John Smith", first_name="Johnny", company="Acme Ltd", email="john@x.example", phone="+447306506797"
    )
    builders.lead(name="Somebody Else", email="else@y.example", phone="+447811000000")
    assert names(cashier, f"q={text}") == ["John Smith"]


@pytest.mark.parametrize("text", ["smith+jane", "%25", "_", "07306506798", "Acme+Jane"])
def test_search_finds_nothing_else(text: str, cashier: User) -> None:
    builders.lead(name="John Smith", company="Acme Ltd", email="john@x.example", phone="+447306506797")
    assert names(cashier, f"q={text}") == []


def test_blank_search_is_none(cashier: User) -> None:
    builders.lead(name="Ann")
    assert names(cashier, "q=%20&owner=&source=&ordering=") == ["Ann"]


def test_list_asks_the_same_number_of_questions_for_one_row_and_for_many(
    cashier: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = builders.logged_in(cashier)
    for count in (1, 30):
        while Lead.objects.count() < count:
            builders.lead()
        with django_assert_num_queries(5):
            assert get(f"{LEADS}?q=lead&page_size=100", client=client).status_code == 200


# --- whose ---------------------------------------------------------------------------------------------------------
def test_each_sees_the_leads_of_the_business_it_acts_for() -> None:
    here, there = builders.business(), builders.business("elsewhere")
    builders.lead(here, name="Here")
    builders.lead(there, name="There")
    both = builders.member("cashier", here, there)
    staff = builders.staff("crm.view_lead")
    assert names(builders.member("cashier", here)) == ["Here"]
    for user in (both, staff, builders.superuser()):
        assert names(user, f"business={there.slug}") == ["There"]
        assert names(user, f"business={here.pk}") == ["Here"]
        status, body = said(get(LEADS, by=user))
        assert (status, list(body)) == (400, ["business"])


def test_lead_is_made_in_the_business_that_is_named() -> None:
    here, there = builders.business(), builders.business("elsewhere")
    user = builders.member("cashier", here, there)
    assert post(LEADS, {**ANN, "business": there.slug}, by=user).status_code == 201
    assert post(f"{LEADS}?business={here.slug}", ANN, by=user).status_code == 201
    assert list(Lead.objects.order_by("created_at").values_list("business__slug", flat=True)) == [
        "elsewhere",
        "corner-cafe",
    ]
    status, body = said(post(LEADS, ANN, by=user))
    assert (status, list(body)) == (400, ["business"])


def test_foreign_lead_is_missing_exactly_as_one_that_does_not_exist() -> None:
    lead = builders.lead(builders.business("elsewhere"), name="Secret")
    before = Lead.objects.values().get()
    outsiders = [builders.member("owner", builders.business()), builders.plain_user()]
    message = {"direction": "outbound", "channel": "sms", "body": "Hi"}
    for user in outsiders:
        answers = set()
        for pk in (lead.pk, uuid4()):
            path = f"{LEADS}/{pk}"
            for method, body in (("GET", None), ("PATCH", {"name": "Mine"}), ("PATCH", {"x": 1}), ("DELETE", None)):
                answers.add(refusal(send(method, path, body, by=user)))
            answers.add(refusal(get(f"{path}/messages", by=user)))
            answers.add(refusal(post(f"{path}/messages", message, by=user)))
            answers.add(refusal(post(f"{path}/messages", {"x": 1}, by=user)))
        assert answers == {(404, "not_found")}
    assert Lead.objects.values().get() == before


def test_foreign_business_is_missing() -> None:
    builders.lead(builders.business("elsewhere"))
    user = builders.member("owner", builders.business())
    for wanted in ("elsewhere", "nowhere", str(builders.business("elsewhere").pk), str(uuid4())):
        assert refusal(get(f"{LEADS}?business={wanted}", by=user)) == (404, "not_found")
        assert refusal(post(LEADS, {**ANN, "business": wanted}, by=user)) == (404, "not_found")
        assert refusal(get(f"/api/threads?business={wanted}", by=user)) == (404, "not_found")
    assert Lead.objects.count() == 1


def test_address_s_business_chooses_also_where_the_lead_is_named() -> None:
    here, there = builders.business(), builders.business("elsewhere")
    lead, user = builders.lead(here), builders.member("cashier", here, there)
    assert get(f"{LEADS}/{lead.pk}?business={here.slug}", by=user).status_code == 200
    for wanted in (there.slug, "nowhere"):
        assert refusal(get(f"{LEADS}/{lead.pk}?business={wanted}", by=user)) == (404, "not_found")


def test_staff_do_what_their_permission_says_in_any_business() -> None:
    lead = builders.lead()
    can = {name: builders.staff(f"crm.{name}_lead") for name in ("view", "add", "change", "delete")} | {
        "nothing": builders.staff()
    }
    allowed = {
        name: [
            method
            for method, path, body in (
                ("GET", f"{LEADS}?business=corner-cafe", None),
                ("GET", f"{LEADS}/{lead.pk}", None),
                ("GET", "/api/threads?business=corner-cafe", None),
                ("GET", f"{LEADS}/{lead.pk}/messages", None),
                ("POST", LEADS, {**ANN, "business": "corner-cafe"}),
                ("PATCH", f"{LEADS}/{lead.pk}", {"status": "called"}),
                ("POST", f"{LEADS}/{lead.pk}/messages", {"direction": "inbound", "channel": "sms", "body": "Hi"}),
                ("DELETE", f"{LEADS}/{lead.pk}", None),
            )
            if send(method, path, body, by=user).status_code != 403
        ]
        for name, user in can.items()
    }
    assert allowed == {
        "view": ["GET"] * 4,
        "add": ["POST"],
        "change": ["PATCH", "POST"],
        "delete": ["DELETE"],
        "nothing": [],
    }


def test_nobody_and_whoever_belongs_nowhere_see_no_list() -> None:
    for path in (LEADS, "/api/threads"):
        assert refusal(get(path)) == (401, "not_authenticated")
        assert refusal(get(path, by=builders.plain_user())) == (403, "permission_denied")


def test_staff_without_the_permission_act_as_the_member_that_they_are() -> None:
    own, user = builders.business(), builders.staff()
    user.memberships.create(business=own, role="cashier")
    lead, foreign = builders.lead(own, name="Mine"), builders.lead(builders.business("elsewhere"))
    assert names(user) == ["Mine"]
    assert get(f"{LEADS}/{lead.pk}", by=user).status_code == 200
    assert refusal(get(f"{LEADS}/{foreign.pk}", by=user)) == (404, "not_found")


def test_leads_are_kept_nowhere(cashier: User) -> None:
    lead = builders.lead()
    for path in (LEADS, f"{LEADS}/{lead.pk}", f"{LEADS}/{lead.pk}/messages", "/api/threads", f"{LEADS}/{uuid4()}"):
        response = get(path, by=cashier)
        assert response["Cache-Control"] == "no-store, no-cache, must-revalidate, private"


# --- hostile -------------------------------------------------------------------------------------------------------
QUIET = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MESSAGE = {"direction": "inbound", "channel": "sms", "body": "Hi", "sent_at": "2026-01-01T00:00:00Z"}


@QUIET
@given(data=st.data())
def test_hostile_lead_is_never_500(data: st.DataObject) -> None:
    user = builders.member("cashier", builders.business())
    lead = builders.lead()
    body = encoded(data.draw(mutated(ANN | {"business": "corner-cafe"})))
    assert is_told(post(LEADS, body, by=user))
    assert is_told(send("PATCH", f"{LEADS}/{lead.pk}", body, by=user))


@QUIET
@given(data=st.data())
def test_hostile_message_is_never_500(data: st.DataObject) -> None:
    user = builders.member("cashier", builders.business())
    assert is_told(post(f"{LEADS}/{builders.lead().pk}/messages", encoded(data.draw(mutated(MESSAGE))), by=user))


@QUIET
@given(
    path=st.sampled_from([LEADS, "/api/threads", f"{LEADS}/{uuid4()}"]),
    name=st.sampled_from(
        ["q", "page", "page_size", "ordering", "business", "deleted", "source", "owner", "lead_type", "crm_status"]
    ),
    text=texts,
)
def test_hostile_query_is_never_500(path: str, name: str, text: str) -> None:
    builders.lead()
    user = builders.member("cashier", builders.business())
    spelt = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    assert is_told(get(f"{path}?{name}={spelt}", by=user))


@pytest.mark.parametrize("query", ["q=" + "a+" * 5000, "q=" + "1+" * 5000, "q=" + "a" * 20_000, "page=" + "9" * 5000])
def test_huge_query_is_never_500(query: str, cashier: User) -> None:
    builders.lead()
    assert is_told(get(f"{LEADS}?{query}", by=cashier))
    assert is_told(get(f"/api/threads?{query}", by=cashier))


@pytest.mark.parametrize("phone", ["+49" + "1" * 15, "+39" + "0" * 15, "+1 (650) 253-0000 x123", "٠٧٣٠٦٥٠٦٧٩٧"])
def test_odd_phone_is_never_500(phone: str, cashier: User) -> None:
    assert is_told(post(LEADS, {"name": "Ann", "phone": phone}, by=cashier))
    assert is_told(get(f"{LEADS}?q={phone}", by=cashier))
