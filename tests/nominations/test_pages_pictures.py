"""Pictures that people send, and those that are shown of nominees."""

import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from crm.models import User
from nominations import services
from nominations.models import Category, Nominee, Season
from nominations.pages import share_card
from tests.nominations.public import FORM, make_live, picture, sent_nomination, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_small_and_without_metadata(
    client: Client, season: Season, category: Category, form: str
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    exif[0x0112] = 6
    upload = picture(form, (2400, 1000), exif=exif, icc_profile=b"profile")
    client.post(FORM, sent_nomination(**{"nominee-image": upload}))
    name = str(Nominee.objects.get().image.name)
    assert re.fullmatch(r"nominees/[0-9a-f-]{36}\.webp", name)
    with Nominee.objects.get().image.open() as file, Image.open(file) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("WEBP", (500, 1200), {})
        assert {"exif", "icc_profile", "xmp"} & set(kept.info) == set()
    assert reverse("media", args=[name]) == f"/media/{name}"


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (SimpleUploadedFile("me.png", b"<svg onload='alert(1)'/>"), "JPEG, PNG or WebP file"),
        (picture("GIF"), "JPEG, PNG or WebP file"),
        (SimpleUploadedFile("me.png", picture().read()[:50]), "JPEG, PNG or WebP file"),
        (picture("PNG", (8000, 7000)), "JPEG, PNG or WebP file"),
        (SimpleUploadedFile("me.png", bytes(5 * 1024 * 1024 + 1)), "larger than 5 MB"),
    ],
)
def test_what_is_not_a_picture_is_refused(
    client: Client, season: Season, category: Category, upload: SimpleUploadedFile, message: str
) -> None:
    upload.seek(0)
    response = client.post(FORM, sent_nomination(**{"nominee-image": upload}))
    assert (response.status_code, Nominee.objects.count()) == (400, 0)
    assert message in response.content.decode().split('id="id_nominee-image_error"')[1].split("</p>")[0]
    assert "choose the picture again" in text_of(response)


def test_a_picture_for_somebody_named_before_is_kept(client: Client, season: Season, category: Category) -> None:
    known = {"nominee-email": "maya@example.org"}
    client.post(FORM, sent_nomination(**known))
    again = sent_nomination(**known, **{"nominator-email": "bob@example.org", "nominee-image": picture(), "key": "1"})
    client.post(FORM, again)
    nominee = Nominee.objects.get()
    assert (nominee.nominations.count(), nominee.image.storage.exists(str(nominee.image))) == (2, True)


def test_a_small_portrait_is_made_of_a_live_nominee_s_picture(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    nominee = make_live(staff, category)
    nominee.image.save("0123456789.webp", picture("WEBP", (900, 1100)))
    address = re.findall(r'src="(/nominee/maya-okafor/portrait[^"]*)"', client.get("/nominees").content.decode())
    assert address == ["/nominee/maya-okafor/portrait-144.webp?v=01234567"]
    response = client.get(address[0])
    assert "immutable" in response["Cache-Control"]
    with Image.open(io.BytesIO(response.content)) as shown:
        assert (shown.format, shown.size) == ("WEBP", (144, 144))
    assert client.get("/nominee/maya-okafor/portrait-9000.webp").status_code == 404
    nominee.image.save("9876543210.webp", SimpleUploadedFile("x", b"not a picture"))
    assert [client.get(f"/nominee/maya-okafor/{name}").status_code for name in ("portrait-144.webp", "card.png")] == [
        404, 200
    ]  # fmt: skip


def test_share_card_is_drawn_again_only_when_it_changes(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    nominee = make_live(staff, category)
    first = client.get("/nominee/maya-okafor/card.png")
    assert (first["Content-Type"], first["Cache-Control"]) == ("image/png", "public, max-age=3600")
    with Image.open(io.BytesIO(first.content)) as shown:
        assert (shown.format, shown.size) == ("PNG", (1200, 630))
    page = client.get("/nominee/maya-okafor").content.decode()
    address = re.findall(r'"og:image"\s+content="https://awards.example([^"]*)"', page)
    assert "immutable" in client.get(address[0])["Cache-Control"]
    again = client.get("/nominee/maya-okafor/card.png", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    nominee.image.save("x.webp", picture("WEBP", (900, 1100)))
    drawn = client.get("/nominee/maya-okafor/card.png", headers={"if-none-match": first["ETag"]})
    assert (drawn.status_code, drawn["ETag"] == first["ETag"]) == (200, False)
    services.withdraw_nomination(nominee.nominations.get(), by=staff)
    assert client.get("/nominee/maya-okafor/card.png").status_code == 410
    assert client.get("/nominee/nobody/card.png").status_code == 404


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Zoë Müller", ("Zoë Müller", "DejaVuSerif-Bold.ttf")),
        ("Мария Ω", ("Мария Ω", "DejaVuSerif-Bold.ttf")),
        ("王 伟", ("Wang Wei", "DejaVuSans.ttf")),
        ("Ada \u202egpj 🦄", ("Ada gpj", "DejaVuSans.ttf")),
        ("🦄", ("?", "DejaVuSans.ttf")),
        ("A\nB\u2029C", ("A B C", "DejaVuSerif-Bold.ttf")),
    ],
)
def test_a_name_is_drawn_with_letters_that_the_font_has(name: str, drawn: tuple[str, str]) -> None:
    assert share_card.face_of(name, (share_card.SERIF, share_card.SANS)) == drawn


@pytest.mark.parametrize(
    "name", ["Maya Okafor", "W" * 255, "von Wolfeschlegelsteinhausenbergerdorff " * 6, "ab-" * 80]
)
def test_no_name_is_too_long_for_its_card(name: str) -> None:
    block = share_card.Block(name, 580, 250, tuple(range(76, 14, -4)), (share_card.SERIF,))
    assert max(map(block.font.getlength, block.lines)) <= 580
    assert block.height <= 250
    assert "".join(block.lines).replace(" ", "") == name.replace(" ", "")
