"""What the endpoints of a business share: who calls, for which business, and what was sent."""

from typing import Any, cast

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.views import APIView

from crm.api.serializers.connections import BUSINESS
from crm.models import Business, User
from crm.models.tenancy import BusinessQuerySet
from crm.selectors import business_for, require_role

CHOSEN = OpenApiParameter("business", str, description=BUSINESS)


class BusinessView(APIView):
    """An endpoint for members of a business, and for staff who act for all."""

    @property
    def user(self) -> User:
        """Who calls; the permission has let nobody pass without a login."""
        return cast(User, self.request.user)

    def read(self, shape: type[serializers.Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The body in that shape; `partial`: without what was left out. Raises ValidationError."""
        return _read(shape, self.request.data, partial=partial)

    def asked(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The address's parameters in that shape; a blank one is none. Raises ValidationError."""
        return _read(shape, {name: text for name, text in self.request.query_params.items() if str(text).strip()})

    def business(self, permission: str, wanted: str | None = None, *, role: str = "") -> Business:
        """The one that is acted for: `wanted`, else named in the address, else the only one.

        Raises as `business_for`, and PermissionDenied for a member below the role.
        """
        found = business_for(self.user, wanted or self.request.query_params.get("business"), permission=permission)
        if role:
            require_role(self.user, found, role, permission=permission)
        return found

    def businesses(self, permission: str) -> BusinessQuerySet:
        """Those whose rows the caller may name; the address may choose one of them.

        Raises as `business_for`, and PermissionDenied for staff who are nowhere a member and lack the permission.
        """
        if self.request.query_params.get("business"):
            return Business.objects.filter(pk=self.business(permission).pk)
        if self.user.is_staff and not self.user.acts_for_all(permission) and not self.user.memberships.exists():
            raise PermissionDenied
        return Business.objects.visible_to(self.user, permission)


def _read(shape: type[serializers.Serializer[Any]], data: Any, *, partial: bool = False) -> dict[str, Any]:
    form = shape(data=data, partial=partial)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)
