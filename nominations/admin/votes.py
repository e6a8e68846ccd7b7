"""Votes: the list, what staff rule on those ticked in it, and the proof of the tallies."""

from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services
from nominations.admin import clusters, exports
from nominations.admin.forms import ChosenVotesForm
from nominations.models import Tally, Vote
from notifications.admin import ReadOnlyAdmin, Tab, badge, require, staff_page, when

VIEW, JUDGE = "nominations.view_vote", "nominations.judge_vote"
FOLDER = "admin/nominations/vote"
MOST_LISTED, MOST_TICKED = 10_000, 1000
TABS = {"counted": "Counted", "held": "Waiting for the voter", "invalid": "Invalid"}
COLOURS = {"counted": "ok", "held": "pending", "invalid": "rejected"}


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than staff would turn pages."""

    @cached_property
    def count(self) -> int:
        """At most ten thousand."""
        return cast("QuerySet[Vote]", self.object_list)[:MOST_LISTED].count()


class NomineeFilter(admin.SimpleListFilter):
    """Those with the most votes; any other by a link from elsewhere."""

    title = parameter_name = "nominee"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """A hundred names, from the tallies."""
        rows = Tally.objects.select_related("nominee").order_by("-votes")[:150]
        return list({str(row.nominee_id): row.nominee.name for row in rows}.items())[:100]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Vote]) -> QuerySet[Vote]:
        """Theirs."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(nominee__pk=UUID(value))
        except ValueError as error:
            raise IncorrectLookupParameters from error


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    """Who voted for whom. Invalidated, never deleted."""

    list_display = ("voter_name", "nominee", "category", "state_badge", "reason_text", "cast", "network")
    list_filter = ("state", "reason", "category", NomineeFilter, "created_at", "season")
    list_select_related = ("voter", "nominee", "category")
    search_fields = ("voter__email__startswith",)
    search_help_text = "The beginning of a voter's email address."
    show_facets = ShowFacets.NEVER
    paginator = CappedPaginator
    actions = ("invalidate_selected", "restore_selected")
    change_list_template = f"{FOLDER}/change_list.html"
    empty_text = "Votes appear here while voting is open."
    fieldsets = (
        ("Who and for whom", {"fields": ("voter", "nominee", "original_nominee", "category", "season")}),
        ("Whether it counts", {"fields": ("state_badge", "reason_text", "ruling")}),
        ("How it came", {"fields": ("cast", "mailed_at", "verified_at", "network", "user_agent")}),
    )
    readonly_fields = ("state_badge", "reason_text", "cast", "network")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of the suspicious groups and the proof."""
        pages = {"judge": self.judge, "verify": self.verify, "clusters": self.clusters}
        own = [
            path(f"{name}/", self.admin_site.admin_view(page), name=f"nominations_vote_{name}")
            for name, page in pages.items()
        ]
        review = self.admin_site.admin_view(self.review_cluster)
        export = self.admin_site.admin_view(lambda request: exports.votes(self, request))
        own += [
            path("clusters/review/", review, name="nominations_vote_review"),
            path("export/", export, name="nominations_vote_export"),
        ]
        return [*own, *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Addresses are stored in lower case, and so found by their index."""
        return super().get_search_results(request, queryset, search_term.lower())

    def has_judge_permission(self, request: HttpRequest) -> bool:
        """For the actions."""
        return request.user.has_perm(JUDGE)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By state: those that count from the tallies, the few others from indexes of their own."""
        chosen = request.GET.get("state__exact")
        counted = Tally.objects.aggregate(votes=Sum("votes"))["votes"] or 0
        counts = {"counted": counted}
        for state in ("held", "invalid"):
            counts[state] = Vote.objects.filter(state=state).order_by().count()
        tabs = [Tab(label, f"?state__exact={state}", counts[state], chosen == state) for state, label in TABS.items()]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def clusters(self, request: HttpRequest) -> HttpResponse:
        """Groups of votes that look like one hand. Raises PermissionDenied."""
        require(request, VIEW)
        return clusters.listed(self, request)

    def review_cluster(self, request: HttpRequest) -> HttpResponse:
        """One of them: what taking it out would change, and the button that does it."""
        return clusters.review(self, request)

    def verify(self, request: HttpRequest) -> HttpResponse:
        """Count every vote again."""

        def act() -> str:
            problem = services.verify_votes()
            if problem:
                raise ValidationError(problem)
            return "Every tally agrees with its votes."

        lines = ["Every vote is counted again and compared with the tallies. Voting goes on meanwhile."]
        return staff_page(
            self,
            request,
            permission=VIEW,
            title="Prove the tallies",
            act=act,
            then=reverse("admin:nominations_vote_changelist"),
            context=lambda: {"button": "Count all votes again", "consequences": lines},
        )

    def judge(self, request: HttpRequest) -> HttpResponse:
        """What the preview's button does."""
        require(request, JUDGE)
        form = ChosenVotesForm(request.POST)
        ids = form.cleaned_data["ids"] if form.is_valid() else []
        return self._ruling_page(request, form, form.data.get("decision", ""), Vote.objects.filter(pk__in=ids))

    def _ruling_page(
        self, request: HttpRequest, form: ChosenVotesForm, decision: str, chosen: QuerySet[Vote]
    ) -> HttpResponse:
        restores = decision == "restore"
        rows = list(chosen.select_related("voter", "nominee", "category", "season"))
        can = [row for row in rows if (row.state == Vote.State.INVALID) == restores]

        def act() -> str:
            sent, by = form.cleaned_data, cast(User, request.user)
            if restores:
                return f"Restored: {services.restore_votes(chosen, note=sent['note'], by=by).size}"
            ruling = services.invalidate_votes(chosen, reason=sent["reason"], note=sent["note"], by=by)
            return f"Invalidated: {ruling.size}"

        word = "Restore" if restores else "Invalidate"
        plural = "" if len(can) == 1 else "s"
        return staff_page(
            self,
            request,
            permission=JUDGE,
            title=f"{word} {len(can)} vote{plural}",
            template=f"{FOLDER}/judge.html",
            form=form,
            act=act,
            then=reverse("admin:nominations_vote_changelist"),
            context=lambda: {
                "can": can[:100],
                "can_count": len(can),
                "restores": restores,
                "frozen_at": next(filter(None, map(selectors.frozen_at, {row.season for row in rows})), None),
                "button": f"{word} {len(can)}",
                "is_danger": not restores,
                "action_url": reverse("admin:nominations_vote_judge"),
            },
        )

    def _preview(self, request: HttpRequest, decision: str, chosen: QuerySet[Vote]) -> HttpResponse:
        ids = ",".join(str(pk) for pk in chosen.values_list("pk", flat=True)[:MOST_TICKED])
        form = ChosenVotesForm(initial={"decision": decision, "ids": ids, "reason": "staff"})
        return self._ruling_page(request, form, decision, Vote.objects.filter(pk__in=ids.split(",")))

    @admin.action(description="Invalidate selected", permissions=["judge"])
    def invalidate_selected(self, request: HttpRequest, chosen: QuerySet[Vote]) -> HttpResponse:
        """Shows what would happen."""
        return self._preview(request, "invalidate", chosen)

    @admin.action(description="Restore selected", permissions=["judge"])
    def restore_selected(self, request: HttpRequest, chosen: QuerySet[Vote]) -> HttpResponse:
        """Shows what would happen."""
        return self._preview(request, "restore", chosen)

    @admin.display(description="Voter", ordering="voter__email")
    def voter_name(self, vote: Vote) -> SafeString:
        """Name and address."""
        return format_html('{}<span class="sub">{}</span>', str(vote.voter), vote.voter.email)

    @admin.display(description="State", ordering="state")
    def state_badge(self, vote: Vote) -> SafeString:
        """In its colour."""
        return badge(COLOURS[vote.state], vote.get_state_display())

    @admin.display(description="Why not", empty_value="")
    def reason_text(self, vote: Vote) -> str:
        """In words."""
        return vote.get_reason_display()

    @admin.display(description="Network", ordering="ip_prefix", empty_value="–")
    def network(self, vote: Vote) -> str:
        """Never the whole address."""
        return vote.ip_prefix

    @admin.display(description="Cast", ordering="created_at")
    def cast(self, vote: Vote) -> SafeString | str:
        """When."""
        return when(vote.created_at)
