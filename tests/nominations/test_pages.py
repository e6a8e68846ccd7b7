"""What all public pages have in common."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from crm.models import User
from nominations.models import Category, Season
from tests.nominations.public import FORM, make_live, picture, sent_nomination

pytestmark = pytest.mark.django_db


def test_pages_and_api_share_an_address_s_turns(
    client: Client, staff: User, season: Season, category: Category, settings: Settings
) -> None:
    make_live(staff, category)
    settings.THROTTLE_RATES = {"public": "2/min"}
    first = client.post(FORM, {})
    second = client.post("/api/nominations", {}, content_type="application/json")
    refused = [client.post(path, {}) for path in (FORM, "/nominee/maya-okafor")]
    assert [first.status_code, second.status_code] == [400, 400]
    assert [(page.status_code, 1 <= int(page["Retry-After"]) <= 30) for page in refused] == [(429, True)] * 2
    assert client.get(FORM).status_code == 200


def test_pages_have_one_heading_no_inline_code_and_labelled_fields(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    make_live(staff, category, image=SimpleUploadedFile("x.webp", picture("WEBP").read()))
    make_live(staff, category, 1)
    asked = client.post(FORM, sent_nomination())
    client.post(FORM, sent_nomination(known="nobody"))
    answers = [
        asked,
        *map(client.get, ("/nominees", "/nominees?q=nobody", "/leaderboard", "/leaderboard?category=none")),
        *map(client.get, ("/", "/nominate", FORM, "/nominate?category=none", "/nominate/thanks")),
        *map(client.get, ("/nominee/maya-okafor", "/nominee/maya-okafor1", "/nominee/nobody")),
        client.post(FORM, {}),
        client.post("/nominee/maya-okafor", {}),
    ]
    for response in answers:
        page = response.content.decode()
        assert len(re.findall(r"<h1[ >]", page)) == 1
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)|javascript:", page) == []
        assert set(re.findall(r'(?:src|href)="(?:https?:)?//([^/"]*)', page)) <= {
            "www.linkedin.com", "x.com", "wa.me", "awards.example"
        }  # fmt: skip
        labels = set(re.findall(r'<label[^>]*for="([^"]*)"', page))
        controls = re.findall(r'<(?:input|textarea|select)(?![^>]*type="hidden")[^>]*id="([^"]*)"', page)
        assert set(controls) <= labels
        assert len(re.findall(r' id="([^"]*)"', page)) == len(set(re.findall(r' id="([^"]*)"', page)))
