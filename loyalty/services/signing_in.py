"""Links that sign customers in: asked for by anybody, mailed to whom an address belongs, good once."""

import hashlib
import logging
import secrets
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Max, Q
from django.urls import reverse
from django.utils import timezone

from crm.models import User, normal_email, normal_phone
from crm.services import take_turn
from loyalty.models import Customer, SignInLink

logger = logging.getLogger(__name__)
Purpose = SignInLink.Purpose
GOOD_FOR = timedelta(minutes=15)
KEPT_FOR = timedelta(days=1)
MOST_FOR_AN_ADDRESS = "5/h"
SUBJECTS = {"sign_in": "Your link to sign in to Laurel", "join": "Confirm your address to join Laurel"}
TAKEN = "This phone already has a card."
TAKEN_ADVICE = (
    "Sign in with the address that belongs to the card, or ask at the till to have this address added to it."
)
WHY_NOT = {
    "used": "This link was used already.",
    "expired": "This link is older than 15 minutes.",
    "not_found": "This link is not one of ours, or not complete.",
    "phone_taken": f"{TAKEN} {TAKEN_ADVICE}",
}


def request_link(email: str, *, next_path: str = "") -> None:
    """Somebody wants a link to sign in. Writes it down and no more: whether the address is known makes no difference.

    More than five an hour for an address are dropped without a word.
    """
    _write_down(Purpose.SIGN_IN, email, next_path=next_path)


def request_to_join(
    *, email: str, phone: str, first_name: str, last_name: str, region: str, next_path: str = ""
) -> None:
    """Somebody new wants a login. As `request_link`. Raises ValidationError when it is no phone."""
    names = {"first_name": first_name, "last_name": last_name}
    normal = normal_phone(phone, region)
    _write_down(Purpose.JOIN, email, phone=normal, phone_raw=phone.strip()[:50], next_path=next_path, **names)


def _write_down(purpose: str, email: str, **fields: Any) -> None:
    address = normal_email(email)
    if not take_turn(f"link:{_digest(address)}", MOST_FOR_AN_ADDRESS):
        SignInLink.objects.create(purpose=purpose, email=address, **fields)


def send_link(link: SignInLink) -> None:
    """Mail the link, once. What it wants may turn out impossible: then the mail says why, or nobody gets one."""
    told = _told(link)
    if told is None:
        SignInLink.objects.filter(pk=link.pk, token_hash=None).delete()
        return
    token, now = secrets.token_urlsafe(32), timezone.now()
    unsent = SignInLink.objects.filter(pk=link.pk, token_hash=None)
    if not unsent.update(token_hash=_digest(token), expires_at=now + GOOD_FOR):
        return
    subject, words = told
    try:
        send_mail(subject, words.format(link=f"{settings.PUBLIC_BASE_URL}/sign-in/{token}"), None, [link.email])
    except (SMTPException, OSError) as error:
        logger.warning("A sign-in link could not be mailed: %s", type(error).__name__)
        SignInLink.objects.filter(pk=link.pk).update(token_hash=None, expires_at=None)
        return
    SignInLink.objects.filter(pk=link.pk).update(sent_at=timezone.now())


def waiting_links() -> list[Any]:
    """Ids of links that are still to be mailed, because a worker or the mail server was away."""
    now = timezone.now()
    rows = SignInLink.objects.filter(token_hash=None, created_at__gt=now - GOOD_FOR)
    return list(rows.filter(created_at__lt=now - timedelta(minutes=1)).values_list("pk", flat=True)[:100])


def forget_old_links() -> None:
    """A day later nobody needs to be told any more that a link is old."""
    SignInLink.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()


def _told(link: SignInLink) -> tuple[str, str] | None:
    """Subject and words of the mail, or None when nobody is to get one."""
    user = User.objects.filter(email=link.email).first()
    if user is not None and not _may_link(user):
        return None
    if link.purpose == Purpose.JOIN and not (user and hasattr(user, "customer")):
        return _told_who_joins(link)
    if user is None and _customer_of(link.email) is None:
        return None
    return SUBJECTS["sign_in"], _words("Open this link and press the button to sign in:", "sign in")


def _told_who_joins(link: SignInLink) -> tuple[str, str]:
    if _is_taken(link.phone, link.email):
        site = settings.PUBLIC_BASE_URL
        return "This phone already has a card", f"{TAKEN} {TAKEN_ADVICE}\n\n{site}{reverse('login')}\n"
    return SUBJECTS["join"], _words("Open this link and press the button to confirm your address:", "join")


def _words(begin: str, wish: str) -> str:
    return (
        f"{begin}\n\n{{link}}\n\nIt works once, within 15 minutes. "
        f"If you did not ask to {wish}, do nothing: nobody gets in without this mail.\n"
    )


def read_link(token: str) -> SignInLink:
    """A link that is still good. Raises ValidationError: `not_found`, `used`, `expired`."""
    link = SignInLink.objects.filter(token_hash=_digest(token)).first()
    if link is None or link.expires_at is None:
        raise _refusal("not_found")
    if link.used_at is not None:
        raise _refusal("used")
    if link.expires_at <= timezone.now():
        raise _refusal("expired")
    return link


def use_link(token: str) -> tuple[User, SignInLink]:
    """The login of whoever holds the link, made at its first use. Raises as `read_link`, and `phone_taken`."""
    link = read_link(token)
    with transaction.atomic():
        now = timezone.now()
        unused = SignInLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now)
        if not unused.update(used_at=now):
            raise _refusal("used")
        user = _login_of(link)
        if not _may_link(user):
            raise _refusal("not_found")
        if not Customer.objects.filter(user=user).exists():
            _become_customer(user, link)
    return user, link


def _login_of(link: SignInLink) -> User:
    """The login of the address, locked, so that two links at once make one customer of it."""
    person = link if link.purpose == Purpose.JOIN else _customer_of(link.email)
    if person is not None:
        names = {"first_name": person.first_name, "last_name": person.last_name}
        User.objects.get_or_create(email=link.email, defaults={"password": make_password(None), **names})
    user = User.objects.select_for_update(no_key=True).filter(email=link.email).first()
    if user is None:
        raise _refusal("not_found")
    return user


def _become_customer(user: User, link: SignInLink) -> None:
    """Whoever the address or, of somebody who joins, the phone belongs to. A member need not be one."""
    if link.purpose == Purpose.SIGN_IN:
        customer = _customer_of(link.email)
        if customer is None:
            return
    elif _is_taken(link.phone, link.email):
        raise _refusal("phone_taken")
    else:
        customer = _customer_with(link)
    _link(customer, user)


def _customer_with(link: SignInLink) -> Customer:
    names = {"first_name": link.first_name, "last_name": link.last_name}
    defaults = {"phone_raw": link.phone_raw, "email": link.email, **names}
    return Customer.objects.get_or_create(phone=link.phone, defaults=defaults)[0]


def _link(customer: Customer, user: User) -> None:
    """Raises ValidationError `phone_taken` if somebody was faster."""
    locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    if locked.user_id or locked.email != user.email:
        raise _refusal("phone_taken")
    locked.user = user
    locked.save(update_fields=["user", "updated_at"])


def _customer_of(email: str) -> Customer | None:
    """Of the customers with that address and without a login, who was active last, else who came last."""
    rows = Customer.objects.filter(email=email, user=None).annotate(
        active_at=Max("enrollments__card__last_activity_at")
    )
    return rows.order_by(F("active_at").desc(nulls_last=True), "-created_at").first()


def _is_taken(phone: str, email: str) -> bool:
    """Whether the phone is a customer's whose address this is not, or who has a login: nobody proves a phone here."""
    return Customer.objects.filter(phone=phone).filter(~Q(email=email) | Q(user__isnull=False)).exists()


def _may_link(user: User) -> bool:
    """Staff sign in with their password, always."""
    return user.is_active and not user.is_staff


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refusal(code: str) -> ValidationError:
    return ValidationError(WHY_NOT[code], code=code)
