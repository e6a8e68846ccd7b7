"""What becomes of each contact of a CRM: who it is, what it changes, and what it never changes."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.utils import timezone

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, Lead, LeadAlias, Message, SyncRun
from tests import builders

pytestmark = pytest.mark.django_db
NUMBER = "+447306506797"
SPELLINGS = ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797", "(07306) 506 797"]
BUCKETS = ("created", "updated", "unchanged", "skipped", "failed")


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


@pytest.fixture
def line(nango: Nango, here: Business) -> Connection:
    """Its line to an empty HubSpot."""
    return builders.connected(nango, here)


def put(nango: Nango, line: Connection, **facts: Any) -> str:
    """A person in the CRM: the id."""
    known = {"first_name": "Ada", "last_name": "Lovelace"}
    return str(nango.upsert_contact(line.nango_connection_id, **{**known, **facts})["id"])


def change(nango: Nango, line: Connection, crm_id: str, **facts: Any) -> None:
    """The person changes in the CRM."""
    nango.upsert_contact(line.nango_connection_id, crm_id, **facts)


def synced(line: Connection, **wanted: Any) -> SyncRun:
    """A run that ended well, and whose buckets add up."""
    line.refresh_from_db()
    line.runs.filter(status="queued").delete()
    run = services.execute_run(services.start_run(line, **wanted))
    assert (run.status, run.error) == ("done", "")
    assert (
        sum(getattr(run, bucket) for bucket in BUCKETS)
        == run.fetched
        == run.outcomes.exclude(bucket="removed").count()
    )
    return run


def counts(run: SyncRun) -> dict[str, int]:
    """The buckets that are not empty."""
    return {bucket: getattr(run, bucket) for bucket in BUCKETS if getattr(run, bucket)}


def test_ten_contacts_end_in_their_buckets(nango: Nango, line: Connection) -> None:
    for number in range(3):
        put(nango, line, phone=f"07306 50679{number}", email=f"ada{number}@example.org")
    put(nango, line, mobile="07306 506795", email="mobile@example.org")
    put(nango, line, first_name="", last_name="", phone="07306 506796", email="nobody@example.org")
    put(nango, line, phone="", email="")
    put(nango, line, email="mail1@example.org")
    put(nango, line, email="mail2@example.org")
    put(nango, line, phone="12345", email="bad@example.org")
    put(nango, line, phone="+44 7306 506790", email="")
    run = synced(line)
    assert counts(run) == {"created": 4, "skipped": 6}
    assert run.skipped_reasons == {
        "no_name": 1,
        "no_contact": 1,
        "no_phone": 2,
        "bad_phone": 1,
        "duplicate_in_run": 1,
    }


def test_five_spellings_of_a_number_are_one_lead_also_next_time(nango: Nango, line: Connection) -> None:
    for spelling in SPELLINGS:
        put(nango, line, phone=spelling)
    assert counts(synced(line)) == {"created": 1, "skipped": 4}
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 1, "skipped": 4}
    assert Lead.objects.get().phone == NUMBER


def test_one_phone_with_different_emails_is_two_leads(nango: Nango, line: Connection) -> None:
    put(nango, line, phone=NUMBER, email="ada@example.org")
    put(nango, line, phone=NUMBER, email="grace@example.org")
    assert counts(synced(line)) == {"created": 2}
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 2}


def test_without_require_phone_whoever_has_an_email_comes_in(nango: Nango, line: Connection) -> None:
    Connection.objects.update(require_phone=False)
    put(nango, line, email="mail@example.org")
    put(nango, line, phone="12345", email="bad@example.org")
    put(nango, line, phone="12345")
    run = synced(line)
    assert (counts(run), run.skipped_reasons) == ({"created": 2, "skipped": 1}, {"bad_phone": 1})
    assert set(Lead.objects.values_list("phone", "email")) == {("", "mail@example.org"), ("", "bad@example.org")}


def test_what_the_crm_owns_follows_it_also_into_blanks(nango: Nango, line: Connection) -> None:
    known = put(nango, line, phone=NUMBER, status="OPEN", stage="lead", description="Met in spring.")
    synced(line)
    change(nango, line, known, status="", stage="", description="")
    run = synced(line, strategy="overwrite")
    assert counts(run) == {"updated": 1}
    assert Lead.objects.values_list("crm_status", "crm_stage", "crm_description").get() == ("", "", "")


def test_blanks_and_bad_phones_erase_nobody(nango: Nango, line: Connection) -> None:
    known = put(nango, line, phone=NUMBER, email="ada@example.org", company="Engines Ltd")
    synced(line)
    change(nango, line, known, phone="12345", email="", company="", first_name="", last_name="")
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 1}
    lead = Lead.objects.get()
    assert (lead.name, lead.phone, lead.email, lead.company) == (
        "Ada Lovelace",
        NUMBER,
        "ada@example.org",
        "Engines Ltd",
    )


def test_hand_edits_stay_and_the_rest_follows(nango: Nango, line: Connection) -> None:
    known = put(nango, line, phone=NUMBER, email="ada@example.org", company="Engines Ltd")
    synced(line)
    services.edit_lead(Lead.objects.get(), company="Our own word")
    change(nango, line, known, company="Looms Ltd", email="countess@example.org")
    run = synced(line)
    assert counts(run) == {"updated": 1}
    assert run.outcomes.get().changes == {"email": ["ada@example.org", "countess@example.org"]}
    assert Lead.objects.values_list("company", "email").get() == ("Our own word", "countess@example.org")


def test_opt_out_is_never_taken_back(nango: Nango, line: Connection) -> None:
    known = put(nango, line, phone=NUMBER, email_opt_out=True)
    synced(line)
    change(nango, line, known, email_opt_out=False, company="Changed")
    synced(line)
    assert Lead.objects.values_list("opted_out", "company").get() == (True, "Changed")


def test_lead_by_hand_is_found_by_phone_and_is_old_from_then_on(
    nango: Nango, line: Connection, here: Business
) -> None:
    lead = services.add_lead(here, name="Ada by hand", phone="07306 506797", email="ada@example.org")
    put(nango, line, phone=NUMBER, email="ada@example.org")
    assert counts(synced(line)) == {"updated": 1}
    lead.refresh_from_db()
    assert (lead.name, lead.lead_type, lead.crm_source) == ("Ada by hand", "old", "hubspot")
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 1}


def test_lead_of_another_business_is_never_touched(nango: Nango, line: Connection) -> None:
    other = services.add_lead(builders.business("elsewhere"), name="Ada", phone=NUMBER)
    put(nango, line, phone=NUMBER)
    assert counts(synced(line)) == {"created": 1}
    other.refresh_from_db()
    assert (other.name, other.crm_id) == ("Ada", None)


def test_id_of_another_account_is_another_person(nango: Nango, line: Connection, here: Business) -> None:
    known = put(nango, line, phone=NUMBER)
    builders.lead(here, name="Of an old account", crm_id=known, crm_account_id="another")
    assert counts(synced(line)) == {"created": 1}


def test_merge_keeps_the_survivor_and_what_was_said_to_the_other(nango: Nango, line: Connection) -> None:
    winner, loser = put(nango, line, phone=NUMBER), put(nango, line, phone="07306 506798", last_name="Byron")
    synced(line)
    services.log_message(Lead.objects.get(crm_id=loser), direction="outbound", channel="sms", body="Hello", by=None)
    survivor = nango.merge_contacts(line.nango_connection_id, winner, loser)
    synced(line)
    lead = Lead.objects.get()
    assert (lead.crm_id, Message.objects.get().lead) == (survivor, lead)
    assert set(LeadAlias.objects.values_list("crm_id", flat=True)) == {winner, loser} - {survivor}
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 1}


def test_night_marks_what_the_crm_lost_and_day_does_not(nango: Nango, line: Connection) -> None:
    gone = put(nango, line, phone=NUMBER)
    for number in range(3):
        put(nango, line, phone=f"07306 50679{number}")
    synced(line)
    nango.delete_contact(line.nango_connection_id, gone)
    assert synced(line).removed == 0
    night = synced(line, trigger="nightly")
    assert (night.removed, Lead.objects.live().count()) == (1, 3)
    nango.restore_contact(line.nango_connection_id, gone)
    assert synced(line, strategy="overwrite").updated == 1
    assert Lead.objects.live().count() == 4


def test_two_at_once_one_runs_and_one_is_told(line: Connection) -> None:
    line.runs.all().delete()
    services.start_run(line)
    with pytest.raises(ValidationError) as raised:
        services.start_run(line)
    assert raised.value.code == "sync_running"


def test_run_whose_worker_died_is_replaced_and_its_work_finished(nango: Nango, line: Connection) -> None:
    put(nango, line, phone=NUMBER)
    line.runs.all().delete()
    dead = services.start_run(line)
    SyncRun.objects.filter(pk=dead.pk).update(status="running", heard_at=timezone.now() - timedelta(minutes=3))
    run = synced(line)
    dead.refresh_from_db()
    assert (dead.status, dead.error_code, counts(run)) == ("failed", "died", {"created": 1})


def test_run_that_was_declared_dead_writes_no_more(nango: Nango, line: Connection) -> None:
    put(nango, line, phone=NUMBER)
    line.runs.all().delete()
    run = services.start_run(line)
    SyncRun.objects.filter(pk=run.pk).update(status="failed", finished_at=timezone.now())
    assert (services.execute_run(run).status, Lead.objects.count()) == ("failed", 0)


def test_deleted_lead_that_the_crm_still_has_comes_again(nango: Nango, line: Connection) -> None:
    put(nango, line, phone=NUMBER)
    synced(line)
    services.delete_lead(Lead.objects.get())
    assert counts(synced(line, strategy="overwrite")) == {"created": 1}


def test_late_word_of_a_connection_that_was_disconnected_does_not_bring_it_back(
    nango: Nango, line: Connection, here: Business
) -> None:
    services.disconnect(here)
    assert services.take_over(line.nango_connection_id, "hubspot") is None
    line.refresh_from_db()
    assert not line.is_active


def test_connection_that_must_be_made_anew_stays_so_while_nango_says_so(nango: Nango, line: Connection) -> None:
    Connection.objects.update(reconnect_required=True)
    nango.set_auth_error(line.nango_connection_id)
    services.take_over(line.nango_connection_id, "hubspot")
    line.refresh_from_db()
    assert line.reconnect_required
    nango.set_auth_error(line.nango_connection_id, broken=False)
    services.take_over(line.nango_connection_id, "hubspot")
    line.refresh_from_db()
    assert not line.reconnect_required


@pytest.mark.parametrize("key", ["hubspot", "salesforce", "pipedrive", "zoho-crm", "highlevel"])
def test_each_crm_is_read_over_its_pages_as_it_is(nango: Nango, here: Business, key: str) -> None:
    line = builders.connected(nango, here, key, contacts=230, seed=11, page_size=50)
    assert counts(synced(line)) == {"created": 230}
    assert counts(synced(line, strategy="overwrite")) == {"unchanged": 230}
    leads = {lead.crm_id: lead for lead in Lead.objects.all()}
    for person in nango.contacts(line.nango_connection_id):
        lead = leads[person["id"]]
        assert (lead.phone, lead.email) == (
            person["phone_e164"] or person["mobile_e164"],
            (person["email"] or "").lower(),
        )
        assert (lead.last_name, lead.company) == (person["last_name"] or "", person["company"] or "")
        assert (lead.crm_owner, lead.crm_owner_email) == (person["owner"] or "", person["owner_email"] or "")


def test_no_table_holds_what_opens_a_crm(nango: Nango, here: Business) -> None:
    opened = {"portalId": 7, "access_token": "open-sesame", "nested": {"refresh_token": "open-sesame"}}
    line = builders.connected(nango, here, config=opened, contacts=3, seed=3)
    synced(line)
    held = [str(row) for model in apps.get_models() for row in model._default_manager.values()]
    assert not [row for row in held if "open-sesame" in row]
