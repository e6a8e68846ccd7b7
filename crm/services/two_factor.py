"""The second factor of staff: a code of an app on their phone, or one of a few kept on paper."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key
from knox.models import get_token_model

from crm.models import User

APP, PAPER = "app", "paper"
APP_DIGITS = 6
RECOVERY_CODES = 10
SALT, OFFER_SECONDS = "crm.two_factor", 3600


def needs_second_factor(user: User | AnonymousUser) -> bool:
    """Whether a password alone does not let them in. Members of a business and customers need none."""
    if not settings.STAFF_REQUIRE_2FA or not user.is_authenticated:
        return False
    return user.is_staff or user.is_superuser


def has_second_factor(user: User) -> bool:
    """Whether they have set up an app. Codes on paper come with it."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def recovery_codes_left(user: User) -> int:
    """How many of the codes on paper are unused."""
    return int(StaticToken.objects.filter(device__user=user).count())


def offer_app(user: User) -> str:
    """A new secret for the user's app, signed: nothing is stored before they have shown that the app knows it."""
    return signing.dumps([user.pk, default_key()], salt=SALT)


def offered_app(user: User, offer: str) -> TOTPDevice:
    """The device that an offer would become, unsaved. Raises ValidationError for one that is old or another's."""
    try:
        owner, key = signing.loads(offer, salt=SALT, max_age=OFFER_SECONDS)
    except signing.BadSignature as error:
        raise ValidationError("This page was open for too long: scan the new code.", code="offer_old") from error
    if owner != user.pk:
        raise ValidationError("This page was opened by somebody else: scan the new code.", code="offer_old")
    return TOTPDevice(user=user, name=APP, key=key)


def enroll_app(user: User, offer: str, code: str) -> tuple[Device, list[str]]:
    """The user's app, once it has shown a right code, and their codes on paper, which cannot be read again.

    Raises ValidationError: `already_enrolled`, `offer_old`, or naming `code`.
    """
    device = offered_app(user, offer)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if has_second_factor(user):
            raise ValidationError("This login has an app already.", code="already_enrolled")
        device.save()
        if not device.verify_token(_digits(code)):
            raise ValidationError({"code": ["That is not the code that the app shows now."]})
        return device, new_recovery_codes(user)


def new_recovery_codes(user: User) -> list[str]:
    """Ten codes, each good once. Those before are void."""
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        paper = StaticDevice.objects.create(user=user, name=PAPER)
        codes = [StaticToken.random_token() for _number in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create([StaticToken(device=paper, token=code) for code in codes])
    return codes


def code_wait(user: User, code: str) -> float:
    """Seconds until a code may be tried again: each wrong one doubles them. 0 when one may be tried now."""
    device = _device_for(user, code).first()
    if device is None or device.verify_is_allowed()[0]:
        return 0.0
    locked_until = device.verify_is_allowed()[1]["locked_until"]
    return float(max((locked_until - timezone.now()).total_seconds(), 1.0))


def verify_code(user: User, code: str) -> Device | None:
    """The device that the code is right for, or None. A code is good once, also for two who send it together."""
    with transaction.atomic():
        device = _device_for(user, code).select_for_update().first()
        return device if device is not None and device.verify_token(_digits(code)) else None


def reset_second_factor(user: User) -> None:
    """The user sets up a new app at the next login. Whoever is logged in as them is not any more."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        get_token_model().objects.filter(user=user).delete()


def _digits(code: str) -> str:
    """As the app or the paper has it: apps show blanks, and people type capitals."""
    return "".join(code.split()).lower()


def _device_for(user: User, code: str) -> QuerySet[Any]:
    """An app's code is six digits; anything else is for the paper, so that neither slows the other down."""
    text = _digits(code)
    is_of_app = text.isdigit() and len(text) == APP_DIGITS
    devices: QuerySet[Any] = (TOTPDevice if is_of_app else StaticDevice).objects.filter(user=user, confirmed=True)
    return devices.order_by("pk")
