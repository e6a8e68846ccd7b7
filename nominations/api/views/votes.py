"""Votes: cast by anybody, added by hand by staff."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.views import IsStaffWith, address_of, answer_once
from crm.models import User
from nominations import selectors, services
from nominations.api import serializers as shapes
from nominations.api.views.public import KEY, PublicView
from nominations.models import Category, Nominee, Vote

ADD = "nominations.add_manualvote"


class VotesView(PublicView):
    """Vote."""

    throttle_scope = "public"

    @extend_schema(
        parameters=[KEY],
        request=shapes.VoteInSerializer,
        responses={201: shapes.VotedSerializer},
        operation_id="cast_vote",
    )
    def post(self, request: Request) -> Response:
        """403 `voting_closed`, 404 `not_live`, 409 `already_voted`.

        Where the season wants addresses verified, the answer's `state` is `held`: the vote counts once its voter has
        followed the link in a mail.
        """
        form = shapes.VoteInSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sent = form.validated_data
        wait = services.voter_wait(sent["voter"]["email"])
        if wait:
            raise Throttled(wait)

        def effect() -> tuple[int, Any]:
            vote = services.cast_vote(
                sent["category"],
                Nominee.objects.filter(slug=sent["nominee"]).first(),
                voter=sent["voter"],
                address=address_of(request._request),
                user_agent=request.headers.get("User-Agent", ""),
            )
            return 201, _voted(vote, sent["category"])

        return answer_once(request, "POST /api/votes", effect)

    def relieve(self, request: Request, address: str, wait: float) -> float:
        """How long a vote has to wait that comes from an address whose turns are used up."""
        voter = request.data.get("voter") if isinstance(request.data, dict) else None
        email = voter.get("email") if isinstance(voter, dict) else None
        return services.office_wait(address, email, wait) if isinstance(email, str) else wait


class ManualVotesView(APIView):
    """Add votes by hand."""

    def get_permissions(self) -> list[BasePermission]:
        """The model's permission."""
        return [IsStaffWith(ADD)]

    @extend_schema(
        parameters=[KEY],
        request=shapes.ManualVotesSerializer,
        responses={201: shapes.TotalsSerializer},
        operation_id="add_manual_votes",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Of a live nominee, in the current season. 404 `not_live`; the total is never below zero."""
        nominee = get_object_or_404(Nominee.objects.live(), slug=slug)
        form = shapes.ManualVotesSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sent = dict(form.validated_data)
        by = cast(User, request.user)

        def effect() -> tuple[int, Any]:
            return 201, shapes.TotalsSerializer(services.add_manual_votes(nominee, by=by, **sent)).data

        return answer_once(request, f"POST /api/nominees/{nominee.pk}/manual-votes", effect)


def _voted(vote: Vote, category: Category) -> Any:
    answer = {
        "id": vote.pk,
        "state": vote.state,
        "nominee": vote.nominee.slug,
        "category": category.slug,
        "total_votes": selectors.total_of(vote.nominee, category, vote.season) if vote.season.shows_totals else None,
    }
    return shapes.VotedSerializer(answer).data
