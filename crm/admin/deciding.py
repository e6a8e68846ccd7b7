"""A page that says what will happen, and does it when its form is sent: for members too, who hold roles."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from crm.admin.tenancy import roles_of
from crm.models import Connection, Membership
from notifications.admin import StaffModelAdmin, add_errors, is_late, posted, refuse

SYNC = "crm.sync_connection"


def may(request: HttpRequest, business: UUID, role: str, permission: str = SYNC) -> bool:
    """Whether a member's role in the business suffices, or staff hold the permission."""
    user: Any = request.user
    return user.acts_for_all(permission) or roles_of(request).get(business) in Membership.reaching(role)


def require_role(request: HttpRequest, business: UUID, role: str, permission: str = SYNC) -> None:
    """Raises PermissionDenied."""
    if not may(request, business, role, permission):
        raise PermissionDenied


def require_active(connection: Connection) -> None:
    """What is switched off has no such page. Raises Http404."""
    if not connection.is_active:
        raise Http404("Not found.")


def deciding_page(
    admin: StaffModelAdmin,
    request: HttpRequest,
    about: Model,
    *,
    title: str,
    act: Callable[[], str],
    then: str,
    form: Form | None = None,
    template: str = "admin/staff_page.html",
    context: dict[str, Any] | None = None,
    is_open: bool = True,
    is_logged: bool = True,
) -> HttpResponse:
    """A GET shows what will happen; a POST does it by `act`, logs what it says of `about`, and goes on to `then`.

    Whether the user may is asked before. A refusal by the service stands at the form, or, where somebody was faster,
    at `then`. While the page is not open a POST only shows it.
    """
    form = form or Form(posted(request))
    if request.method == "POST" and is_open and form.is_valid():
        try:
            with transaction.atomic():
                said = act()
                if is_logged:
                    admin.log_change(request, about, said)
        except ValidationError as error:
            if is_late(error):
                return refuse(request, error, then)
            add_errors(form, error)
        else:
            messages.success(request, said)
            return HttpResponseRedirect(then)
    values = {**admin.page_context(request, title, about), "form": form, "cancel_url": then, **(context or {})}
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, template, values)
