"""The staff site's seam: every admin screen is built from these parts, so that another look is one change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin, ShowFacets
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import DateTimeField, Model, QuerySet, URLField
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

MOST_SEARCHED = 200


@dataclass(frozen=True)
class Tab:
    """A quick filter above a list: `query` is the address it leads to, beginning with `?`."""

    label: str
    query: str
    count: int
    is_on: bool


@dataclass(frozen=True)
class Banner:
    """Something wrong that staff see on every page until it is mended; `history` leads to when it began."""

    text: str
    url: str
    link: str
    history: str = ""


class StaffLoginForm(AdminAuthenticationForm):
    """Log in by address."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "The address or the password is wrong, or this login is not for staff.",
    }


class StaffAdminSite(AdminSite):
    """The staff site: every page carries the banners."""

    site_header = "Laurel"
    site_title = "Laurel"
    index_title = "Home"
    empty_value_display = "–"
    login_form = StaffLoginForm

    def banners(self, request: HttpRequest) -> list[Banner]:
        """What this user must know at once. In a constant number of queries."""
        return []

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's, and the banners."""
        return {**super().each_context(request), "banners": self.banners(request)}


class StaffModelAdmin(ModelAdmin):  # type: ignore[type-arg]
    """The base of every admin list. `empty_text` says what to do when there is nothing in it."""

    list_per_page = 50
    show_facets = ShowFacets.ALLOW
    show_full_result_count = False
    formfield_overrides = {
        URLField: {"assume_scheme": "https", "validators": [URLValidator(schemes=["http", "https"])]},
        # One field with a label of its own, which phones know how to fill, instead of Django's two without.
        DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        },
    }
    empty_text = "Nothing here yet."

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """The quick filters above the list."""
        return []

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list, with tabs above it and a word when it is empty."""
        extra = {"tabs": self.tabs(request), "empty_text": self.empty_text, **(extra_context or {})}
        return super().changelist_view(request, extra)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Each word is a condition, of which a database takes only so many."""
        return super().get_search_results(request, queryset, search_term[:MOST_SEARCHED])

    def page_context(self, request: HttpRequest, title: str, about: Model | None = None) -> dict[str, Any]:
        """What any page of ours under this list needs."""
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "original": about,
            "has_view_permission": self.has_view_permission(request),
        }


class ReadOnlyAdmin(StaffModelAdmin):
    """For what only services write: ledgers, logs, outboxes."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


def require(request: HttpRequest, permission: str) -> None:
    """Raises PermissionDenied for a user without it."""
    if not request.user.has_perm(permission):
        raise PermissionDenied


def staff_page(
    model_admin: StaffModelAdmin,
    request: HttpRequest,
    *,
    permission: str,
    title: str,
    act: Callable[[], str],
    then: str,
    form: Form | None = None,
    about: Model | None = None,
    template: str = "admin/staff_page.html",
    context: Callable[[], dict[str, Any]] = dict,
    confirmed: bool = True,
) -> HttpResponse:
    """A form page inside the admin: a GET shows what will happen, a POST does it.

    `act` calls one service and returns what to tell the user; it runs with its log entry about `about` in one
    transaction, and the user goes on to `then`. A refusal by the service stands at the form, unless somebody was
    faster (a code `already_…`): then it is a warning at `then`, and nothing is written. With `confirmed` false a POST
    only shows the page. Raises PermissionDenied.
    """
    require(request, permission)
    form = Form(posted(request)) if form is None else form
    if request.method == "POST" and confirmed and form.is_valid():
        try:
            with transaction.atomic():
                message = act()
                if about is not None:
                    model_admin.log_change(request, about, message)
        except ValidationError as error:
            if is_late(error):
                return refuse(request, error, then)
            add_errors(form, error)
        else:
            messages.success(request, message)
            return HttpResponseRedirect(then)
    values = {**model_admin.page_context(request, title, about), "form": form, "cancel_url": then, **context()}
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, template, values)


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: a POST, also an empty one."""
    return request.POST if request.method == "POST" else None


def is_late(error: ValidationError) -> bool:
    """Whether somebody was faster: a second click, a colleague, an old tab."""
    return str(getattr(error, "code", "")).startswith("already_")


def refuse(request: HttpRequest, error: ValidationError, then: str) -> HttpResponseRedirect:
    """Back, with the rule in words."""
    messages.warning(request, " ".join(error.messages))
    return HttpResponseRedirect(then)


def add_errors(form: Form, error: ValidationError) -> None:
    """Put what a service refused at the fields it names, or above the form."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for field, errors in error.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)


def badge(state: str, label: str = "") -> SafeString:
    """A state in its colour, in words too."""
    return format_html('<span class="badge badge-{}">{}</span>', state, label or capfirst(state))


def when(at: datetime | None) -> SafeString | str:
    """A moment, short: the time of day for today, the day before that, the year if it is another."""
    if at is None:
        return "–"
    local, now = timezone.localtime(at), timezone.localtime()
    if local.date() == now.date():
        text = f"Today, {local:%H:%M}"
    else:
        text = f"{local.day} {local:%b}" if local.year == now.year else f"{local.day} {local:%b %Y}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{local:%d %b %Y, %H:%M}", text)


def age_of(seconds: float | None) -> str:
    """A span in its largest unit: `3 min`, `5 h`, `12 days`."""
    if seconds is None:
        return "–"
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{int(seconds)} s"
