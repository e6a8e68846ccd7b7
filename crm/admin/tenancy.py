"""What belongs to a business: who may see it, and who may do what to it."""

from functools import reduce
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from crm.models import Business, Membership, User
from notifications.admin import StaffModelAdmin


class TenantAdmin(StaffModelAdmin):
    """What belongs to a business: staff with the model's permission see all, members what is their own business's.

    `business_path` leads from a row to its business. A member needs `role_to_change` to change or add.
    """

    business_path = "business"
    role_to_view = Membership.Role.CASHIER
    role_to_change = Membership.Role.MANAGER

    def sees_all(self, request: HttpRequest, action: str = "view") -> bool:
        """Whether this is staff who may do it everywhere. Whoever may change a row may see it."""
        user, actions = cast(User, request.user), (action, "change") if action == "view" else (action,)
        names = [f"{self.opts.app_label}.{get_permission_codename(name, self.opts)}" for name in actions]
        return any(user.acts_for_all(name) for name in names)

    def businesses(self, request: HttpRequest, action: str = "view") -> QuerySet[Business]:
        """The businesses in whose rows this user may do it."""
        rows = Business.objects.all()
        return rows if self.sees_all(request, action) else rows.filter(pk__in=self._own(request, action))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows of these businesses only."""
        rows = super().get_queryset(request)
        return rows if self.sees_all(request) else self.narrowed(rows, self._own(request, "view"))

    def narrowed(self, rows: QuerySet[Any], businesses: list[UUID]) -> QuerySet[Any]:
        """What members of these businesses see of the rows."""
        return rows.filter(**{f"{self.business_path}__in": businesses})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Another business's id is a missing one. Raises Http404."""
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404("Not found.")
        return found

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A business is chosen among those in which this user may add, and edited elsewhere."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.related_model is Business:
            field.widget = field.widget.widget
            field.queryset = self.businesses(request, "add")
        return field

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the app stands in the navigation, which the login page asks too."""
        return request.user.is_authenticated and self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows are narrowed by the queryset."""
        return self._may(request, "view")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """In the row's business."""
        return self._may(request, "change", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """In any of them."""
        return self._may(request, "add")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: what hangs on it stays."""
        return False

    def _may(self, request: HttpRequest, action: str, obj: Model | None = None) -> bool:
        if self.sees_all(request, action):
            return True
        own = self._own(request, action)
        return bool(own) if obj is None else self.business_of(obj).pk in own

    def _own(self, request: HttpRequest, action: str) -> list[UUID]:
        """The businesses where the user's role suffices."""
        needed = self.role_to_view if action == "view" else self.role_to_change
        return [business for business, role in roles_of(request).items() if role in Membership.reaching(needed)]

    def business_of(self, obj: Any) -> Business:
        """Along `business_path`."""
        return cast(Business, reduce(getattr, self.business_path.split("__"), obj))


def roles_of(request: HttpRequest) -> dict[UUID, str]:
    """The user's role in each of their businesses, asked once in a request: a page asks for each list it names."""
    known: dict[UUID, str] | None = request.__dict__.get("member_roles")
    if known is None:
        user = request.user
        known = dict(user.memberships.order_by().values_list("business", "role")) if user.is_authenticated else {}
        request.__dict__["member_roles"] = known
    return known
