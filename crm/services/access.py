"""Logins, remembered answers and turns."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, user_logged_in
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from crm.models import IdempotencyKey, RateGate, User, normal_email
from crm.services.two_factor import code_wait, has_second_factor, needs_second_factor, verify_code

Answer = tuple[int, Any]
RATE = re.compile(r"(\d+)/(s|sec|second|m|min|minute|h|hour)")
PERIODS = {"s": 1, "m": 60, "h": 3600}
REMEMBERED_FOR = timedelta(hours=48)


def login_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str | None:
    """The account that a failed login counts against: its address in normal form, whatever was typed.

    Django names it `username`; axes, when it asks whether the account is locked, as the user model does.
    """
    given = credentials or {}
    name = given.get("username", given.get(User.USERNAME_FIELD))
    if name is None and request is not None:
        name = request.POST.get("username")
    return normal_email(str(name)) if name is not None else None


def check_login(request: HttpRequest, *, email: str, password: str, otp: str = "") -> User:
    """The user of a right address, password and, for staff, code.

    Raises ValidationError: `invalid_credentials`, or `otp_required` where only the code is missing.
    """
    with one_login_at_a_time(email):
        user = authenticate(request, username=normal_email(email), password=password)
    if not isinstance(user, User):
        raise ValidationError("The address or the password is wrong.", code="invalid_credentials")
    if needs_second_factor(user):
        _check_code(user, otp)
    # As Django's own login does: whoever counts failures starts anew.
    user_logged_in.send(User, request=request, user=user)
    return user


@contextmanager
def one_login_at_a_time(name: str) -> Iterator[None]:
    """Those who try one account together have their passwords checked and counted one after the other.

    Else as many more could be checked than the limit allows as there are threads. Raise nothing inside: what has been
    counted would be taken back.
    """
    digest = hashlib.sha256(normal_email(name).encode("utf-8", "replace")).hexdigest()
    with transaction.atomic():
        _locked_gate(f"login:{digest}")
        yield


def _check_code(user: User, otp: str) -> None:
    if not has_second_factor(user):
        raise ValidationError("Log in to the admin first, and set up your second factor there.", code="otp_required")
    if not otp:
        raise ValidationError("Send the code of your authenticator app as `otp`.", code="otp_required")
    wait = code_wait(user, otp)
    if wait:
        raise ValidationError("Too many wrong codes. Try again later.", code="throttled", params={"wait": wait})
    if verify_code(user, otp) is None:
        raise ValidationError("The code is wrong, or was used before.", code="invalid_credentials")


def is_cron_secret(header: str) -> bool:
    """Whether an Authorization header carries the clock's secret, in constant time; while it is unset, none does."""
    expected = settings.CRON_SECRET
    sent = header.encode("utf-8", "surrogateescape")
    return bool(expected) and hmac.compare_digest(sent, f"Bearer {expected}".encode())


def remember_answer(scope: str, key: str, fingerprint: str, effect: Callable[[], Answer]) -> tuple[Answer, bool]:
    """Do the effect once for a key: the answer, and whether it is a replay.

    The key is claimed in the effect's own transaction, so a refusal (an exception) forgets it again, a twin in flight
    waits for the first and gets its answer. Raises ValidationError `idempotency_key_reused` for another body.
    """
    with transaction.atomic():
        try:
            with transaction.atomic():
                claim = IdempotencyKey.objects.create(scope=scope, key=key, fingerprint=fingerprint)
        except IntegrityError:
            return _replay(IdempotencyKey.objects.get(scope=scope, key=key), fingerprint), True
        status, body = effect()
        IdempotencyKey.objects.filter(pk=claim.pk).update(status=status, body=body)
        return (status, body), False


def _replay(first: IdempotencyKey, fingerprint: str) -> Answer:
    if first.fingerprint != fingerprint:
        raise ValidationError("This Idempotency-Key was used for another body.", code="idempotency_key_reused")
    return first.status or 200, first.body


def take_turn(name: str, rate: str) -> float:
    """0 when the caller may go on, else the seconds until it may: `30/min` lets 30 through, then one each 2 seconds.

    One row per caller in the database, so that all processes share it. An empty rate is no limit.
    """
    if not rate:
        return 0.0
    count, period = parse_rate(rate)
    interval = timedelta(seconds=period / count)
    with transaction.atomic():
        gate, now = _locked_gate(name)
        ahead = gate.free_at - now - interval * (count - 1)
        if ahead > timedelta(0):
            return ahead.total_seconds()
        _move(gate, max(gate.free_at, now) + interval)
    return 0.0


def turn_wait(name: str, rate: str) -> float:
    """What `take_turn` would answer now; takes no turn and waits for nobody."""
    gate = RateGate.objects.filter(name=name[: RateGate.NAME_LENGTH]).first() if rate else None
    if gate is None:
        return 0.0
    count, period = parse_rate(rate)
    ahead = gate.free_at - timezone.now() - timedelta(seconds=period / count) * (count - 1)
    return max(ahead.total_seconds(), 0.0)


def book_slot(name: str, *, per_second: float, at_most: float) -> float | None:
    """Book the next free slot of a steady rate, without bursts: the seconds to wait until it begins.

    None, and nothing booked, when that would be more than `at_most`.
    """
    with transaction.atomic():
        gate, now = _locked_gate(name)
        begins_at = max(gate.free_at, now)
        wait = (begins_at - now).total_seconds()
        if wait > at_most:
            return None
        _move(gate, begins_at + timedelta(seconds=1 / per_second))
    return wait


def count_here(group: str, name: str, *, seconds: int) -> int:
    """Say that `name` is there for so many seconds from now: how many of the group are there, this one included.

    All processes count together.
    """
    now = timezone.now()
    gate = RateGate(name=f"{group}:{name}"[: RateGate.NAME_LENGTH], free_at=now + timedelta(seconds=seconds))
    RateGate.objects.bulk_create([gate], update_conflicts=True, unique_fields=["name"], update_fields=["free_at"])
    return RateGate.objects.filter(name__startswith=f"{group}:", free_at__gt=now).count()


def parse_rate(rate: str) -> tuple[int, int]:
    """`30/min` as (30, 60). Raises ValueError."""
    match = RATE.fullmatch(rate)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{rate!r} is not a rate such as 30/min")
    return int(match[1]), PERIODS[match[2][0]]


def forget_old_requests() -> None:
    """Drop answers kept longer than promised, and gates that no longer hold anybody."""
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - REMEMBERED_FOR).delete()
    RateGate.objects.filter(free_at__lt=now - timedelta(hours=1)).delete()


def _locked_gate(name: str) -> tuple[RateGate, datetime]:
    name = name[: RateGate.NAME_LENGTH]
    rows = RateGate.objects.select_for_update().filter(name=name)
    gate = rows.first()
    if gate is None:
        RateGate.objects.bulk_create([RateGate(name=name, free_at=timezone.now())], ignore_conflicts=True)
        gate = rows.get()
    return gate, timezone.now()


def _move(gate: RateGate, free_at: datetime) -> None:
    RateGate.objects.filter(pk=gate.pk).update(free_at=free_at)
