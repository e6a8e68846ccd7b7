"""Nominations and votes as files, as the list above which the button stands shows them."""

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils import timezone

from nominations import selectors
from nominations.models import Nomination, Vote
from nominations.models.imports import COLUMNS, EXPORTED
from notifications.admin import StaffModelAdmin, require
from notifications.api.sheets import csv_response

CHUNK = 500
logger = logging.getLogger(__name__)
VOTE_HEADER = (
    "cast_at",
    "season",
    "category",
    "nominee",
    "voter_name",
    "voter_email",
    "voter_country",
    "state",
    "reason",
    "ip_prefix",
)


def nominations(model_admin: StaffModelAdmin, request: HttpRequest) -> StreamingHttpResponse:
    """Everything an import reads, in its order, and what became of it. Raises PermissionDenied."""
    rows = _chosen(model_admin, request, "nominations.view_nomination")
    return csv_response(_name("nominations"), [*COLUMNS, *EXPORTED], _nomination_rows(rows))


def votes(model_admin: StaffModelAdmin, request: HttpRequest) -> StreamingHttpResponse:
    """Who voted for whom, and whether it counts. Raises PermissionDenied."""
    rows = _chosen(model_admin, request, "nominations.view_vote")
    return csv_response(_name("votes"), VOTE_HEADER, _vote_rows(rows))


def _chosen(model_admin: StaffModelAdmin, request: HttpRequest, permission: str) -> QuerySet[Any]:
    """What the list's search and filters leave, as its address says; noted in the logs. Raises Http404 for others."""
    require(request, permission)
    try:
        rows = model_admin.get_changelist_instance(request).get_queryset(request)
    except IncorrectLookupParameters as error:
        raise Http404 from error
    # Not in the admin's log: who reads changes nothing.
    logger.info("User %s exports %s.", request.user.pk, model_admin.model._meta.label_lower)
    return rows


def _name(what: str) -> str:
    return f"{what}-{timezone.now():%Y-%m-%d}.csv"


def _nomination_rows(rows: QuerySet[Nomination]) -> Iterator[list[object]]:
    found = selectors.with_votes(rows.select_related("category", "nominator", "nominee"))
    for row in found.iterator(chunk_size=CHUNK):
        votes, manual = getattr(row, "votes", None) or 0, getattr(row, "manual_votes", None) or 0
        nominee = row.nominee
        after = [row.state, nominee.slug, nominee.live_url, votes, manual, votes + manual]
        yield [*selectors.line_of(row).values(), *after, row.created_at, row.approved_at, str(row.pk)]


def _vote_rows(rows: QuerySet[Vote]) -> Iterator[list[object]]:
    found = rows.select_related("season", "category", "nominee", "voter")
    for vote in found.iterator(chunk_size=CHUNK):
        voter = vote.voter
        yield [
            vote.created_at,
            vote.season.name,
            vote.category.slug,
            vote.nominee.name,
            f"{voter.first_name} {voter.last_name}".strip(),
            voter.email,
            voter.country,
            vote.state,
            vote.get_reason_display(),
            vote.ip_prefix,
        ]
