"""Which business a login acts for, and as what."""

from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404

from crm.models import Business, Membership, User


def business_for(user: User, wanted: str | None, *, permission: str = "") -> Business:
    """The business the user acts for: `wanted` (id or slug) only chooses among the user's own.

    A member of just one may leave it out. Staff act for all, if they have the `permission` that is asked of them.
    Raises Http404 for another tenant's business exactly as for a missing one, ValidationError naming `business` when
    it has to be chosen, PermissionDenied for whoever has none.
    """
    own = Business.objects.visible_to(user, permission)
    if wanted:
        found = own.filter(**_id_or_slug(wanted)).first()
        if found is None and user.is_staff and not own.exists():
            raise PermissionDenied
        if found is None:
            raise Http404("Not found.")
        return found
    if user.acts_for_all(permission):
        raise ValidationError({"business": ["Name the business: an id or a slug."]})
    candidates = list(own[:2])
    if not candidates:
        raise PermissionDenied("You are not a member of a business.")
    if len(candidates) > 1:
        raise ValidationError({"business": ["You belong to several businesses: name one by id or slug."]})
    return candidates[0]


def require_role(user: User, business: Business, role: str, *, permission: str = "") -> None:
    """Staff may do what their permission says; a member needs at least the role. Raises PermissionDenied."""
    if not may_act(user, business, role, permission=permission):
        raise PermissionDenied(f"This needs the role {role}.")


def may_act(user: User, business: Business, role: str, *, permission: str = "") -> bool:
    """Whether the user may do in this business what asks for the role, or of staff for the permission."""
    if user.acts_for_all(permission):
        return True
    membership = Membership.objects.filter(user=user, business=business).first()
    return membership is not None and membership.reaches(role)


def _id_or_slug(text: str) -> dict[str, str | UUID]:
    try:
        return {"id": UUID(text)}
    except ValueError:
        return {"slug": text}
