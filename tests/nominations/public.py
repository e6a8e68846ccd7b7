"""What the tests of the public pages share: rows, what is sent, and reading a page."""

import io
import re
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from crm.models import User
from nominations import services
from nominations.models import Category, CategoryGroup, Nomination, Nominee, Season

WHY = "She found work for nine of us."
FORM = "/nominate?category=best-recruiter"


def make_season(**fields: Any) -> Season:
    now = timezone.now()
    window = {"nominations_open_at": now - timedelta(days=1), "voting_open_at": now - timedelta(days=1)}
    return Season.objects.create(**{"name": "Laurel 2026", "is_current": True, **window, **fields})


def make_category(slug: str = "best-recruiter", label: str = "Best Recruiter", kind: str = "person") -> Category:
    group = CategoryGroup.objects.get_or_create(name="Staffing")[0]
    return Category.objects.create(slug=slug, label=label, kind=kind, group=group)


def make_live(staff: User, category: Category, number: int = 0, why: str = WHY, **fields: Any) -> Nominee:
    """A nominee whom somebody has nominated and staff have approved."""
    name = {"first_name": "Maya", "last_name": f"Okafor{number or ''}"}
    if category.kind == "company":
        name = {"company_name": "ABC Company Ltd."}
    nomination = services.submit_nomination(
        category,
        nominator={"first_name": "Ada", "last_name": "Nwosu", "email": f"ada{number}@example.org"},
        nominee={"kind": category.kind, "email": f"maya{number}@example.org", **name, **fields},
        why=why,
        source=Nomination.Source.API,
    )
    return services.approve_nomination(nomination, by=staff).nominee


def sent_nomination(**fields: Any) -> dict[str, Any]:
    return {
        "category": "best-recruiter",
        "key": "0" * 32,
        "why": WHY,
        "nominee-first_name": "Maya",
        "nominee-last_name": "O'Kafor",
        "nominator-first_name": "Ada",
        "nominator-last_name": "Nwosu",
        "nominator-email": "Ada@Example.org",
        **fields,
    }


def sent_vote(**fields: Any) -> dict[str, Any]:
    return {
        "category": "best-recruiter",
        "key": "0" * 32,
        "voter-first_name": "Tom",
        "voter-last_name": "O'Brien",
        "voter-email": "tom@example.org",
        **fields,
    }


def picture(form: str = "PNG", size: tuple[int, int] = (40, 20), **options: Any) -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", size, "green").save(out, form, **options)
    return SimpleUploadedFile("me.png", out.getvalue())


def text_of(response: Any) -> str:
    """The page without tags, white space folded."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def closed(**fields: Any) -> dict[str, Any]:
    return {"nominations_open_at": None, "voting_open_at": None, **fields}
