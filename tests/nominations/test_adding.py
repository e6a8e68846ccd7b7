"""Staff add nominees by hand, and correct their story and picture."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import DecisionLog, Nomination, Nominator, Nominee
from tests import builders
from tests.loops_sync.test_races import in_threads

pytestmark = pytest.mark.django_db
ADD = "/admin/nominations/nomination/add/"
EDITOR = ("nominations.view_nomination", "nominations.add_nomination")


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def picture(colour: str = "red") -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return SimpleUploadedFile("me.png", out.getvalue(), "image/png")


def sheet(**fields: Any) -> dict[str, Any]:
    return {"category": "best-recruiter", "nominee-first_name": "Nia", "nominee-last_name": "New", "why": "", **fields}


def add(client: Client, **fields: Any) -> Any:
    return client.post(f"{ADD}?category={builders.category().slug}", sheet(**fields))


def pictures(at: Path) -> list[str]:
    return sorted(path.name for path in at.glob("nominees/*"))


@pytest.fixture(autouse=True)
def closed() -> None:
    """Staff may add at any time."""
    builders.season(nominations_open_at=None)


def test_category_comes_first_and_decides_the_fields(staff_client: Client) -> None:
    builders.category(), builders.category("best-firm", "company")
    assert "?category=best-firm" in staff_client.get(ADD).content.decode()
    html = staff_client.get(f"{ADD}?category=best-firm").content.decode()
    assert ("nominee-company_name" in html, "nominee-first_name" in html) == (True, False)
    assert "There is no such category" in staff_client.get(f"{ADD}?category=x").content.decode()


def test_added_and_approved_is_live_at_once_with_picture_and_names_of_the_organisers(
    staff_client: Client, media: Path
) -> None:
    response = add(staff_client, **{"_approve": "1", "nominee-image": picture(), "nominee-bio": "Born."})
    nomination = Nomination.objects.get()
    assert response["Location"] == f"/admin/nominations/nomination/{nomination.pk}/delivery/"
    assert (nomination.state, nomination.source, nomination.nominator.is_organisers) == ("approved", "staff", True)
    assert (nomination.nominee.slug, nomination.nominee.bio) == ("nia-new", "Born.")
    assert pictures(media) == [Path(nomination.nominee.image.path).name]
    log = list(DecisionLog.objects.order_by("seq").values_list("action", "by__email"))
    assert log == [("submit", "boss@example.org"), ("approve", "boss@example.org")]
    assert Client().get("/nominee/nia-new").status_code == 200
    assert OutboxEntry.objects.count() == 0, "neither has an address"


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_two_clicks_at_once_add_one() -> None:
    builders.season()
    builders.category()
    staff = builders.superuser()

    def logged_in() -> Client:
        client = Client()
        client.force_login(staff)
        return client

    [key] = re.findall(r'name="key" value="(\w+)"', logged_in().get(f"{ADD}?category=best-recruiter").text)
    clients = [logged_in(), logged_in()]
    in_threads(2, lambda: add(clients.pop(), key=key, _approve="1"))
    assert list(Nominee.objects.values_list("slug", flat=True)) == ["nia-new"]


def test_added_with_a_nominator_waits_like_any_other(staff_client: Client) -> None:
    nominator = {"nominator-email": "Sam@Example.org", "nominator-first_name": "Sam", "nominator-last_name": "Lee"}
    add(staff_client, **nominator, why="Good.")
    nomination = Nomination.objects.get()
    assert (nomination.state, nomination.why, str(nomination.nominator)) == ("submitted", "Good.", "Sam Lee")
    assert OutboxEntry.objects.get().contact.email == "sam@example.org"
    half = add(staff_client, **{"nominee-last_name": "Other", "nominator-email": "sam@example.org"})
    assert half.content.decode().count("Please fill this in.") == 2
    assert Nomination.objects.count() == 1


def test_similar_name_is_asked_about_before_anything_is_saved(staff_client: Client) -> None:
    builders.season(nominations_open_at="2020-01-01T00:00Z")
    known = builders.approved(of=builders.nominee(first_name="Nia", last_name="Newe")).nominee
    response = add(staff_client)
    assert "Nothing is saved yet." in response.content.decode()
    assert Nomination.objects.count() == 1
    add(staff_client, seen=str(known.pk), joined=str(known.pk), **{"nominee-job_title": "Boss"})
    assert (known.nominations.count(), Nominee.objects.count()) == (2, 1)
    again = add(staff_client, seen=str(known.pk), joined=str(known.pk))
    assert "The organisers named Nia Newe in this category before." in again.content.decode()
    add(staff_client, seen=str(known.pk), joined="")
    assert Nominee.objects.count() == 2


def test_address_tells_who_it_is(staff_client: Client) -> None:
    builders.season(nominations_open_at="2020-01-01T00:00Z")
    known = builders.submitted(of=builders.nominee(email="nia@example.org", first_name="Xu")).nominee
    add(staff_client, **{"nominee-email": "NIA@example.org", "nominee-image": picture()})
    assert Nominee.objects.get() == known
    known.refresh_from_db()
    assert Path(known.image.path).exists()


def test_only_who_may_decide_adds_and_approves() -> None:
    client = Client()
    client.force_login(builders.staff(*EDITOR))
    html = client.get(f"{ADD}?category={builders.category().slug}").content.decode()
    assert "Add and approve" not in html
    assert add(client, _approve="1").status_code == 403
    assert Nomination.objects.count() == 0
    assert add(client).status_code == 302
    viewer = Client()
    viewer.force_login(builders.staff("nominations.view_nomination"))
    assert viewer.get(ADD).status_code == 403


def test_closed_category_takes_nobody() -> None:
    category = builders.category()
    category.is_active = False
    with pytest.raises(ValidationError):
        services.add_nomination(category, nominee=builders.nominee(), why="", by=builders.superuser())


def edited(nominee: Nominee, **fields: Any) -> dict[str, Any]:
    names = ("first_name", "last_name", "job_title", "company", "email", "phone", "linkedin_url", "country")
    return {name: getattr(nominee, name) for name in (*names, "bio", "achievements")} | fields


def test_story_and_picture_are_corrected_and_the_history_tells_how(staff_client: Client, media: Path) -> None:
    nominee = Nominee.objects.create(
        **builders.nominee(bio="Old words."), picture_url="https://pictures.example/1.jpg"
    )
    url = f"/admin/nominations/nominee/{nominee.pk}/change/"
    html = staff_client.get(url).content.decode()
    assert '<a href="https://pictures.example/1.jpg" rel="noopener noreferrer">' in html
    said = []
    for fields in ({"image": picture()}, {"image": picture("blue"), "bio": "New words."}, {"image-clear": "on"}):
        response = staff_client.post(url, edited(Nominee.objects.get(), **fields))
        assert response.status_code == 302
        said.append(LogEntry.objects.latest("pk").change_message)
    assert said == ["Picture: added", "Bio: “Old words.” → “New words.” · Picture: replaced", "Picture: removed"]
    nominee.refresh_from_db()
    assert (nominee.bio, nominee.image.name) == ("New words.", "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("really_committed")
def test_old_picture_goes_unless_another_row_shows_it(staff_client: Client, media: Path) -> None:
    nominee, other = Nominee.objects.create(**builders.nominee()), Nominee.objects.create(**builders.nominee())
    url = f"/admin/nominations/nominee/{nominee.pk}/change/"
    staff_client.post(url, edited(nominee, image=picture()))
    nominee.refresh_from_db()
    [first] = pictures(media)
    Nominee.objects.filter(pk=other.pk).update(image=nominee.image.name)
    staff_client.post(url, edited(nominee, image=picture()))
    nominee.refresh_from_db()
    assert len(pictures(media)) == 2
    staff_client.post(url, edited(nominee, **{"image-clear": "on"}))
    assert pictures(media) == [first]


def test_why_is_corrected_on_the_nomination_and_a_decision_meanwhile_stays(staff_client: Client) -> None:
    builders.season(nominations_open_at="2020-01-01T00:00Z")
    nomination = builders.submitted(why="Gud.")
    url = f"/admin/nominations/nomination/{nomination.pk}/change/"
    staff_client.post(url, {"why": "Good.", "admin_notes": ""})
    nomination.refresh_from_db()
    assert nomination.why == "Good."
    assert LogEntry.objects.latest("pk").change_message == "Why: “Gud.” → “Good.”"
    page = staff_client.get(f"/admin/nominations/nominee/{nomination.nominee_id}/change/").content.decode()
    assert url in page


def test_organisers_are_nobody_to_be_told_or_asked(staff_client: Client) -> None:
    nomination = services.add_nomination(
        builders.category(), nominee=builders.nominee(), why="", by=builders.superuser(), is_approved=True
    )
    organisers = Nominator.objects.get()
    emails = list(OutboxEntry.objects.values_list("contact__email", flat=True))
    assert emails == [nomination.nominee.email]
    pages = [f"/admin/nominations/nomination/{nomination.pk}/{name}/" for name in ("change", "delivery", "reject")]
    pages += ["/admin/nominations/nomination/", f"/admin/nominations/nominator/{organisers.pk}/change/"]
    pages += [f"/admin/nominations/nominee/{nomination.nominee_id}/change/", "/admin/nominations/nominator/"]
    for page in pages:
        response = staff_client.get(page)
        assert (response.status_code, ">None<" in response.content.decode()) == (200, False), page
    change = f"/admin/nominations/nominator/{organisers.pk}/change/"
    assert staff_client.post(change, {"first_name": "X", "email": "x@example.org"}).status_code == 403
    detail = staff_client.get(f"/api/nominations/{nomination.pk}").json()
    assert (detail["nominator"]["name"], detail["nominator"]["email"]) == ("The organisers", None)
    assert [step["email"] for step in detail["delivery"]] == [nomination.nominee.email]
    assert "The organisers" not in Client().get(f"/nominee/{nomination.nominee.slug}").content.decode()
    services.reopen_nomination(nomination, by=builders.superuser())
    assert "The organisers" in staff_client.get(pages[0].replace("change", "approve")).content.decode()
