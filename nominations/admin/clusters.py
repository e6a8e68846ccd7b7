"""Suspicious groups of votes: the list, and one with the podium before and after, before anything is removed."""

from itertools import zip_longest
from typing import Any, cast
from urllib.parse import urlencode

from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from crm.models import User
from nominations import selectors, services
from nominations.admin.forms import ClusterFilterForm, ClusterForm, RulingForm
from nominations.models import Category, Nominee, Season, Tally, Vote
from notifications.admin import StaffModelAdmin, posted, require, staff_page

JUDGE = "nominations.judge_vote"
FOLDER = "admin/nominations/vote"
# Of more votes than this, the groups of one category at a time are looked for.
MOST_AT_ONCE = 100_000


def listed(admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """The largest first, of the season, category and nominee asked for."""
    form = ClusterFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    season = asked.get("season") or Season.objects.first()
    nominee = Nominee.objects.filter(slug=asked["nominee"]).first() if asked.get("nominee") else None
    category = asked.get("category")
    votes = Tally.objects.filter(season=season).aggregate(n=Sum("votes"))["n"] or 0
    if category is None and nominee is None and votes > MOST_AT_ONCE:
        category = selectors.active_categories().first()
        form = ClusterFilterForm({"season": season.pk if season else None, "category": category and category.slug})
    found = selectors.clusters(season, category=category, nominee=nominee) if season else []
    nominees = Nominee.objects.in_bulk([row.nominee_id for row in found])
    categories = Category.objects.in_bulk([row.category_id for row in found])
    rows = [(row, nominees[row.nominee_id], categories[row.category_id], _address(row)) for row in found]
    context = {"form": form, "season": season, "rows": rows, "may_judge": request.user.has_perm(JUDGE)}
    title = "Suspicious groups of votes"
    return TemplateResponse(request, f"{FOLDER}/clusters.html", {**admin.page_context(request, title), **context})


def review(admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """How large, since when, and the podium with and without it; then out with it, with a reason."""
    require(request, JUDGE)
    asked, votes = _asked(request)
    taken = votes.filter(state=Vote.State.COUNTED).count()
    size = votes.count()
    about = f"{selectors.label_of(asked['kind'], asked['value'])}, for {asked['nominee']} in {asked['category']}"
    initial = {"reason": Vote.Reason.CLUSTER, "expected": size}
    form = RulingForm(posted(request), initial=initial)

    def act() -> str:
        sent = form.cleaned_data
        ruling = services.invalidate_votes(
            votes,
            reason=sent["reason"],
            note=sent["note"],
            by=cast(User, request.user),
            about=about,
            expected=sent["expected"],
        )
        return f"Invalidated {ruling.size} votes. The ruling can be undone under Rulings on votes."

    return staff_page(
        admin,
        request,
        permission=JUDGE,
        title=f"{size} votes for {asked['nominee']}",
        template=f"{FOLDER}/review.html",
        form=form,
        act=act,
        then=reverse("admin:nominations_vote_clusters"),
        context=lambda: {
            **podiums(asked["season"], asked["category"], asked["nominee"], taken),
            **_facts(votes, size, taken, about),
            "asked": asked,
            "button": f"Invalidate {size}",
            "is_danger": True,
        },
    )


def _asked(request: HttpRequest) -> tuple[dict[str, Any], QuerySet[Vote]]:
    """The group that an address names. Raises Http404."""
    which = ClusterForm(request.GET)
    if not which.is_valid():
        raise Http404
    try:
        return which.cleaned_data, selectors.cluster_votes(**which.cleaned_data)
    except ValueError as error:
        raise Http404 from error


def podiums(season: Season, category: Category, nominee: Nominee, taken: int) -> dict[str, Any]:
    """Both, with names."""
    what_if = selectors.what_if(season, category, {nominee.pk: taken})
    pairs = zip_longest(selectors.named(what_if.before), selectors.named(what_if.after), fillvalue=(None, None))
    return {
        "podium_rows": list(pairs),
        "podium_changes": what_if.changes,
        "about_nominee": nominee,
        "frozen_at": selectors.frozen_at(season),
    }


def _facts(votes: Any, size: int, taken: int, about: str) -> dict[str, Any]:
    """What the group looks like from nearby."""
    prefixes = votes.order_by().values_list("ip_prefix").annotate(n=Count("pk")).order_by("-n")[:5]
    newest = votes.select_related("voter").order_by("created_at")
    return {
        "about": about,
        "size": size,
        "counted": taken,
        "first": newest.first(),
        "last": newest.last(),
        "sample": newest[:50],
        "prefixes": list(prefixes),
    }


def _address(row: selectors.Cluster) -> str:
    asked = {
        "season": row.season_id,
        "category": row.category_id,
        "nominee": row.nominee_id,
        "kind": row.kind,
        "value": row.value,
    }
    return f"{reverse('admin:nominations_vote_review')}?{urlencode(asked)}"
