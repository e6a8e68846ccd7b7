"""Logins and businesses."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm import services
from crm.models import Business, Membership, User
from notifications.admin import StaffModelAdmin, badge, staff_page, when

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class UserAddForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """A login is an address."""

    class Meta:
        model = User
        fields = ("email",)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    """Who works here, as what."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(User)
class UserAdmin(StaffModelAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """Logins. Rights are given by superusers only, and nobody else edits a superuser."""

    add_form = UserAddForm
    ordering = ("email",)
    list_display = ("email", "full_name", "role", "active_badge", "seen")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "first_name", "last_name")
    search_help_text = "Names and addresses."
    readonly_fields = ("last_login", "date_joined", "second_factor")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", "second_factor", *RIGHTS)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def get_urls(self) -> list[Any]:
        """Django's, and the reset of a second factor."""
        reset = path("<id>/second-factor/", self.admin_site.admin_view(self.reset), name="crm_user_second_factor")
        return [reset, *super().get_urls()]

    def reset(self, request: HttpRequest, id: str) -> HttpResponse:
        """Somebody's phone is lost: a GET says what follows, a POST does it."""
        user = self.get_object(request, id)
        if user is None or not services.has_second_factor(user):
            raise Http404("Not found.")
        if not _is_superuser(request) or user == request.user:
            raise PermissionDenied

        def act() -> str:
            services.reset_second_factor(user)
            return f"{user} sets up a new second factor at the next login."

        said = [
            f"{user} sets up a new authenticator app at the next login, with the password alone.",
            "Whoever is logged in as them, here or by a token, is logged out.",
            "Be sure that it is they who ask.",
        ]
        return staff_page(
            self,
            request,
            permission="crm.change_user",
            title="Reset the second factor",
            act=act,
            then=reverse("admin:crm_user_change", args=[user.pk]),
            about=user,
            context=lambda: {"consequences": said, "button": "Reset it", "is_danger": True},
        )

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> SafeString | str:
        """Whether it is set up, and the way to reset it."""
        if not services.has_second_factor(user):
            return "Not set up."
        url = reverse("admin:crm_user_second_factor", args=[user.pk])
        return format_html('Set up. <a href="{}">Reset it</a>', url)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody gives himself rights."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if _is_superuser(request) else (*fixed, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A superuser's login is changed by superusers."""
        guarded = isinstance(obj, User) and obj.is_superuser and not _is_superuser(request)
        return not guarded and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A superuser's login is deleted by superusers."""
        guarded = isinstance(obj, User) and obj.is_superuser and not _is_superuser(request)
        return not guarded and super().has_delete_permission(request, obj)

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, user: User) -> str:
        """First and last."""
        return user.get_full_name() or "–"

    @admin.display(description="Role")
    def role(self, user: User) -> str:
        """What the login may enter."""
        return "Superuser" if user.is_superuser else "Staff" if user.is_staff else "Customer or member"

    @admin.display(description="Login", ordering="is_active")
    def active_badge(self, user: User) -> SafeString:
        """In its colour."""
        return badge("live", "Active") if user.is_active else badge("closed", "Closed")

    @admin.display(description="Last seen", ordering="last_login")
    def seen(self, user: User) -> SafeString | str:
        """The last login."""
        return when(user.last_login)


@admin.register(Business)
class BusinessAdmin(StaffModelAdmin):
    """Tenants, with their people."""

    list_display = ("name", "slug", "default_region", "currency")
    search_fields = ("name", "slug")
    search_help_text = "Names and slugs."
    inlines = (MembershipInline,)
    empty_text = "Add the first business, then its people."

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        """A slug from the name, for a new one."""
        return {} if obj is not None else {"slug": ("name",)}


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and bool(getattr(request.user, "is_superuser", False))
