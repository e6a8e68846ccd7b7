"""The staff site's home: what waits, and whether the line to Loops works."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from config.dashboard import delivery_charts
from crm.models import Business, Connection, Lead, Membership, User
from crm.services import one_login_at_a_time
from loops_sync import selectors as loops
from loyalty import selectors as points
from loyalty.models import LedgerProof
from nominations import selectors as awards
from nominations.models import Season
from notifications.admin import Banner, StaffAdminSite, StaffLoginForm, age_of

VIEW_NOMINATION, VIEW_OUTBOX = "nominations.view_nomination", "loops_sync.view_outboxentry"
VIEW_SEASON, DECIDE = "nominations.view_season", "nominations.decide_nomination"
VIEW_CARD, VIEW_PROOF, PROVE = "loyalty.view_loyaltycard", "loyalty.view_ledgerproof", "loyalty.prove_ledger"
VIEW_CONNECTION, VIEW_LEAD = "crm.view_connection", "crm.view_lead"
# Machinery that only superusers look at, under one heading at the end.
SYSTEM_APPS = ("auth", "axes", "django_q", "knox")
LINES = {
    "ok": ("Working", "good"),
    "unauthorized": ("Key refused", "bad"),
    "unreachable": ("Out of reach", "bad"),
    "disabled": ("Switched off", "quiet"),
}


def may_enter(user: User | AnonymousUser) -> bool:
    """Whether somebody works here: staff, or a member of a business."""
    if not (user.is_authenticated and user.is_active):
        return False
    return user.is_staff or Membership.objects.filter(user=user).exists()


class WorkerLoginForm(StaffLoginForm):
    """Also for members of a business, who are not staff."""

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError, after the failure has been counted."""
        with one_login_at_a_time(str(self.cleaned_data.get("username", ""))):
            try:
                return super().clean()
            except ValidationError as error:
                refusal = error
        raise refusal

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises ValidationError."""
        if not may_enter(user):
            raise self.get_invalid_login_error()


@dataclass(frozen=True)
class Tile:
    """One figure on the home page. `tone` is `good`, `bad`, `todo` or `quiet`."""

    label: str
    value: str
    note: str = ""
    url: str = ""
    link: str = ""
    tone: str = "quiet"


class StaffHomeSite(StaffAdminSite):
    """Tells staff what waits for them. Members of a business work here too, and see what is their business's."""

    login_form = WorkerLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, and members of a business. What each may see is for each list to say."""
        return may_enter(request.user)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's page; whoever has given their password already goes on to their code."""
        from crm.admin.two_factor import half_way, second_factor_address

        if request.method == "GET" and half_way(request) is not None:
            return HttpResponseRedirect(second_factor_address(request))
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's list of lists, below what waits for this user."""
        charts = delivery_charts() if request.user.has_perm(VIEW_OUTBOX) else []
        return super().index(request, {"tiles": tiles(request), "charts": charts, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        """Django's, those of the points' own pages, the second factor's and that of a person's data."""
        # Screens register on this site, so that it has to exist before they do.
        from config import erasing_pages
        from crm.admin import two_factor
        from loyalty.admin import live, reports, till
        from nominations.admin import analytics

        own = [*two_factor.urls(self), *erasing_pages.urls(self), *analytics.urls(self)]
        return [*own, *till.urls(self), *live.urls(self), *reports.urls(self), *super().get_urls()]

    def banners(self, request: HttpRequest) -> list[Banner]:
        """What is wrong with the line to Loops, for those who may see the outbox."""
        if not request.user.has_perm(VIEW_OUTBOX):
            return []
        incidents = reverse("admin:loops_sync_incident_changelist")
        return [
            Banner(text, _list_of(table) + query, "Open the list", incidents) for text, table, query in loops.alerts()
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Our apps in their order; the machinery last, for superusers only."""
        apps: list[Any] = _with_pages(request, super().get_app_list(request, app_label), app_label)
        if app_label is not None:
            return apps
        own = [app for app in apps if app["app_label"] not in SYSTEM_APPS]
        order = settings.INSTALLED_APPS
        own.sort(key=lambda app: (app["app_label"] == "loops_sync", order.index(app["app_label"])))
        system = [model for app in apps if app["app_label"] in SYSTEM_APPS for model in app["models"]]
        if not system or not request.user.is_superuser:
            return own
        return [*own, {"name": "System", "app_label": "system", "app_url": "", "models": system}]


def _list_of(table: type[Model]) -> str:
    return reverse(f"admin:{table._meta.app_label}_{table._meta.model_name}_changelist")


def _with_pages(request: HttpRequest, apps: list[Any], app_label: str | None) -> list[Any]:
    """What is no list stands first among those of its app."""
    from loyalty.admin import live, reports, till
    from nominations.admin import analytics

    if not request.user.is_authenticated:
        return apps
    pages = {"nominations": (analytics,), "loyalty": (till, live, reports)}
    for label, name in (("nominations", "Awards"), ("loyalty", "Points")):
        entries = [entry for page in pages[label] if (entry := page.menu_entry(request))]
        if not entries or app_label not in (None, label):
            continue
        app = next((app for app in apps if app["app_label"] == label), None)
        if app is None:
            app = {"name": name, "app_label": label, "app_url": "", "models": []}
            apps = [*apps, app]
        app["models"] = [*entries, *app["models"]]
    return apps


def tiles(request: HttpRequest) -> list[Tile]:
    """The tiles this user may see."""
    found = []
    if request.user.has_perm(VIEW_NOMINATION):
        found += [_waiting(), _approved_today()]
    if request.user.has_perm(DECIDE):
        found += _to_settle()
    if request.user.has_perm(VIEW_OUTBOX):
        found += [_outbox(), _line()]
    if request.user.has_perm(VIEW_SEASON):
        found.append(_season())
    businesses = list(Business.objects.visible_to(cast(User, request.user), VIEW_CARD))
    if businesses:
        found.append(_points_today(businesses))
    if request.user.is_staff and (request.user.has_perm(PROVE) or request.user.has_perm(VIEW_PROOF)):
        found.append(_proof())
    return found + _crm_tiles(cast(User, request.user))


def _waiting() -> Tile:
    count, oldest = awards.waiting()
    url = reverse("admin:nominations_nomination_changelist") + "?state__exact=submitted"
    if oldest is None:
        return Tile("Nominations waiting", "0", "All are decided.", url, "See the list", "good")
    age = age_of((timezone.now() - oldest).total_seconds())
    return Tile("Nominations waiting", str(count), f"The oldest has waited {age}.", url, "Review them", "todo")


def _approved_today() -> Tile:
    url = reverse("admin:nominations_nomination_changelist") + "?state__exact=approved"
    return Tile("Approved today", str(awards.approved_today()), "Since midnight, UTC.", url, "See approved")


def _to_settle() -> list[Tile]:
    """What is prepared and what nominees ask for, where there is something."""
    stage, words, found = awards.stage(), awards.reply_counts()["open"], []
    on_stage = stage.waiting + stage.no_effect + stage.refused
    if on_stage:
        note = f"{stage.refused} could not be decided." if stage.refused else "Nothing happens until they are applied."
        url = reverse("admin:nominations_stageddecision_changelist")
        found.append(Tile("On the stage", f"{on_stage:,}", note, url, "Look and apply", "todo"))
    if words:
        url = reverse("admin:nominations_nomineereply_changelist") + "?state__exact=open"
        found.append(Tile("Nominees’ words", f"{words:,}", "They wait for an answer.", url, "Settle them", "todo"))
    return found


def _outbox() -> Tile:
    counts = loops.outbox_depth()
    url, dead = reverse("admin:loops_sync_outboxentry_changelist"), counts["dead"]
    waiting = counts["pending"] + counts["processing"]
    if dead:
        note = f"{waiting} more waiting." if waiting else "Nothing else is waiting."
        return Tile("Not delivered", str(dead), note, f"{url}?status__exact=dead", "Retry or discard", "bad")
    oldest = loops.oldest_pending_seconds()
    note = "Everything is told." if oldest is None else f"The oldest has waited {age_of(oldest)}."
    return Tile("Waiting for Loops", str(waiting), note, url, "Open the outbox", "good" if not waiting else "quiet")


def _line() -> Tile:
    value, tone = LINES[loops.connection_state()]
    rate = loops.success_rate()
    note = "No requests in the last hour." if rate is None else f"{rate:.0%} of the last hour's requests went well."
    return Tile("Line to Loops", value, note, reverse("admin:loops_sync_contact_changelist"), "See contacts", tone)


def _season() -> Tile:
    season = Season.objects.filter(is_current=True).first()
    url = reverse("admin:nominations_season_changelist")
    if season is None:
        return Tile("Season", "None", "Nobody can nominate or vote.", url, "Start a season", "bad")
    nominating = "open" if season.nominations_open else "closed"
    voting = "open" if season.voting_open else "closed"
    note = f"Nominating is {nominating}, voting is {voting}."
    return Tile(
        "Season", season.name, note, reverse("admin:nominations_season_change", args=[season.pk]), "Edit dates"
    )


def _points_today(businesses: list[Business]) -> Tile:
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    earned, redeemed = points.moved_since(businesses, midnight)
    url = f"{reverse('admin:loyalty_pointstransaction_changelist')}?{urlencode({'created_at__gte': str(midnight)})}"
    note = "Earned since midnight, UTC. " + (f"{redeemed:,} redeemed." if redeemed else "None redeemed.")
    return Tile("Points today", f"{earned:,}", note, url, "See the ledger")


def _proof() -> Tile:
    url = reverse("admin:loyalty_ledgerproof_changelist")
    proof = LedgerProof.objects.filter(finished_at__isnull=False).first()
    if proof is None or proof.finished_at is None:
        return Tile("Last proof", "None", "The ledger has not been proven yet.", url, "Prove it", "todo")
    age = f"{age_of((timezone.now() - proof.finished_at).total_seconds())} ago"
    if proof.state == LedgerProof.State.BROKEN:
        return Tile("Last proof", "Broken", f"A card differs from the ledger, {age}.", url, "See which", "bad")
    return Tile("Last proof", "Proven", f"{proof.cards_checked:,} cards, {age}.", url, "See the proofs", "good")


def _crm_tiles(user: User) -> list[Tile]:
    """How the CRMs of the user's businesses stand, and whom they brought."""
    is_member, found = user.memberships.exists(), []
    if is_member or user.acts_for_all(VIEW_CONNECTION):
        own = Business.objects.visible_to(user, VIEW_CONNECTION)
        active = Connection.objects.active().filter(business__in=own)
        found.append(_crm(list(active.order_by("-reconnect_required", "last_synced_at")[:100])))
    if is_member or user.acts_for_all(VIEW_LEAD):
        own = Business.objects.visible_to(user, VIEW_LEAD)
        found.append(_leads_today(Lead.objects.live().filter(business__in=own)))
    return found


def _crm(active: list[Connection]) -> Tile:
    """The one that needs somebody, else the one longest unread."""
    # Screens register on this site, so that it has to exist before they do.
    from crm.admin.words import ago

    url = reverse("admin:crm_connection_changelist")
    if not active:
        return Tile("CRM", "None", "No leads come in by themselves.", url, "Connect CRM", "todo")
    first, count = active[0], len(active)
    crm = first.get_provider_display()
    if count == 1:
        url = reverse("admin:crm_connection_change", args=[first.pk])
    if first.reconnect_required:
        return Tile("CRM", crm, "Somebody has to sign in again: no leads come in.", url, "Reconnect", "bad")
    note = f"Last synced: {ago(first.last_synced_at)}." if count == 1 else "All of them work."
    return Tile("CRM", crm if count == 1 else f"{count:,} connected", note, url, "Refresh it", "good")


def _leads_today(leads: QuerySet[Lead]) -> Tile:
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    count = leads.filter(created_at__gte=midnight).count()
    url = reverse("admin:crm_lead_threads")
    return Tile("New leads today", f"{count:,}", "Since midnight, UTC.", url, "Recent threads")
