"""Nominations as lines of a file, and files on their way in."""

from django.db.models import Count, OuterRef, QuerySet, Subquery

from nominations.models import ImportBatch, Nomination, Nominee, Tally
from nominations.models.imports import COLUMNS


def line_of(nomination: Nomination) -> dict[str, str]:
    """What an import reads of a nomination, by column, in order; no nominator for one by the organisers."""
    nominee, nominator = nomination.nominee, nomination.nominator
    is_person = nominee.kind == Nominee.Kind.PERSON
    values = {
        "type": nominee.kind,
        "category": nomination.category.slug,
        "company_name": nominee.company if is_person else nominee.company_name,
        "linkedin": nominee.linkedin_url,
        "why_vote_for_me": nomination.why,
        "headshot_url" if is_person else "logo_url": nominee.picture_url,
    }
    own = ("job_title", "email", "phone", "country", "website", "bio", "achievements", "company_size", "industry")
    values |= {name: getattr(nominee, name) for name in own}
    if is_person:
        values |= {"first_name": nominee.first_name, "last_name": nominee.last_name}
    if nominator.email:
        values["nominator_name"] = f"{nominator.first_name} {nominator.last_name}".strip()
        values |= {
            f"nominator_{name}": getattr(nominator, name)
            for name in ("email", "company", "job_title", "phone", "country")
        }
    return {name: values.get(name, "") for name in COLUMNS}


def with_votes(rows: QuerySet[Nomination]) -> QuerySet[Nomination]:
    """Each with `votes` and `manual_votes` of its nominee in its category and season, or None."""
    place = {"season": OuterRef("season"), "category": OuterRef("category"), "nominee": OuterRef("nominee")}
    tally = Tally.objects.filter(**place)
    return rows.annotate(votes=Subquery(tally.values("votes")), manual_votes=Subquery(tally.values("manual_votes")))


def unfinished_imports() -> QuerySet[ImportBatch]:
    """Those that a worker has to take up: nobody is at them."""
    return ImportBatch.objects.due().order_by("created_at", "pk")


def latest_imports(limit: int) -> QuerySet[ImportBatch]:
    """The last ones, without the files themselves."""
    return ImportBatch.objects.select_related("season", "by").defer("content")[:limit]


def import_counts() -> dict[str, int]:
    """How many files are in each state."""
    counts = dict.fromkeys(ImportBatch.State.values, 0)
    counts.update(ImportBatch.objects.order_by().values_list("state").annotate(Count("pk")))
    return counts
