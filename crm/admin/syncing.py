"""Reading the CRM from its page: refresh, preview, and overwrite, which is looked at first."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from crm import services
from crm.admin.deciding import deciding_page, require_active, require_role
from crm.admin.standing import leads_of, line_of, page_of
from crm.admin.tenancy import TenantAdmin
from crm.models import Connection, Membership, SyncRun, User
from crm.services.sync import LARGEST_LOSS

FOLDER = "admin/crm/connection"
# So long what a preview found may be acted upon.
PREVIEW_GOOD_FOR = timedelta(hours=1)
Role, Status, Strategy = Membership.Role, SyncRun.Status, SyncRun.Strategy


class OverwriteForm(forms.Form):
    """Which preview was looked at, and that one means it."""

    preview = forms.UUIDField(widget=forms.HiddenInput)
    confirm = forms.BooleanField(label="Yes, the CRM really lost them")

    def __init__(self, *args: Any, is_large: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_large:
            del self.fields["confirm"]


def refresh(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """Read what changed, in the background. Raises PermissionDenied."""
    return _begun(request, connection, strategy=Strategy.APPEND)


def preview(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """See what a refresh or an overwrite would do, in the background. Raises PermissionDenied."""
    of = Strategy.OVERWRITE if request.POST.get("of") == Strategy.OVERWRITE else Strategy.APPEND
    # It writes nothing, so there is nothing to confirm: how many would go is what it is asked.
    return _begun(request, connection, strategy=Strategy.PREVIEW, of=of, is_confirmed=True)


def _begun(request: HttpRequest, connection: Connection, **wanted: Any) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require_role(request, connection.business_id, Role.CASHIER)
    try:
        with transaction.atomic():
            run = services.start_run(connection, by=cast(User, request.user), **wanted)
            services.queue_run(run)
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
    else:
        if run.strategy == Strategy.PREVIEW:
            return HttpResponseRedirect(reverse("admin:crm_syncrun_change", args=[run.pk]))
    return HttpResponseRedirect(_url(connection))


def overwrite(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """What the latest preview found, to be confirmed; without one, the way to it. Raises PermissionDenied, Http404."""
    require_role(request, connection.business_id, Role.MANAGER)
    require_active(connection)
    seen, leads = latest_preview(connection), leads_of(connection)
    is_large = seen is not None and seen.removed > LARGEST_LOSS * leads
    # Whoever looked at another preview looks again.
    is_current = seen is not None and request.POST.get("preview") == str(seen.pk)
    form = OverwriteForm(
        request.POST if is_current else None, is_large=is_large, initial={"preview": seen.pk if seen else None}
    )

    context = {
        "connection": connection,
        "crm": connection.get_provider_display(),
        "line": line_of(seen) if seen else None,
        "leads": leads,
        "is_large": is_large,
        "is_outdated": request.method == "POST" and not is_current,
        "button": f"Overwrite and mark {seen.removed:,} as gone" if seen and seen.removed else "Overwrite",
        "is_danger": bool(seen and seen.removed),
        "media": admin.media,
    }
    return deciding_page(
        admin,
        request,
        connection,
        title=f"Overwrite with what {context['crm']} has",
        act=lambda: _overwritten(request, connection, is_confirmed=bool(form.cleaned_data.get("confirm"))),
        then=_url(connection),
        form=form,
        template=f"{FOLDER}/overwrite.html",
        context=context,
        is_open=is_current,
    )


def _overwritten(request: HttpRequest, connection: Connection, *, is_confirmed: bool) -> str:
    run = services.start_run(
        connection, strategy=Strategy.OVERWRITE, by=cast(User, request.user), is_confirmed=is_confirmed
    )
    services.queue_run(run)
    return f"{connection.get_provider_display()} is being read in full."


def latest_preview(connection: Connection) -> SyncRun | None:
    """The preview of an overwrite that one may still act upon: it is fresh, and nothing was overwritten since."""
    ended = connection.runs.select_related("by").filter(finished_at__gte=timezone.now() - PREVIEW_GOOD_FOR)
    newest = ended.filter(status=Status.DONE).exclude(strategy=Strategy.APPEND).exclude(of=Strategy.APPEND).first()
    return newest if newest and newest.strategy == Strategy.PREVIEW else None


def progress(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """The fragment that asks again by itself while a run is under way, and at its end brings the rest up to date."""
    context = {**page_of(admin.admin_site, request, connection), "is_fragment": True}
    return TemplateResponse(request, f"{FOLDER}/_run.html", context)


def _url(connection: Connection) -> str:
    return reverse("admin:crm_connection_change", args=[connection.pk])
