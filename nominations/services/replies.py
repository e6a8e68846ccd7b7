"""What nominees say of their own pages, and what staff make of it. Nothing waits for a nominee's word."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from crm.models import User
from nominations import selectors
from nominations.models import Nominee, NomineeReply
from nominations.services.decisions import withdraw_nomination
from nominations.services.editing import save_nominee
from nominations.services.log import lock_seasons
from nominations.services.own_link import may_speak
from nominations.services.tallies import lock_nominees

Kind, State = NomineeReply.Kind, NomineeReply.State


def confirm_page(nominee: Nominee) -> NomineeReply:
    """All is right. It is settled at once, and takes back what was asked for before."""
    settled = {"kind": Kind.CONFIRM, "state": State.ACCEPTED, "settled_at": timezone.now()}
    return _say(nominee, lambda _found, _earlier: NomineeReply(**settled))


def ask_for_correction(nominee: Nominee, *, bio: str, achievements: str, image: Any = None) -> NomineeReply:
    """How the story should read, and another picture if there is one: staff decide.

    A picture that was sent before and not yet looked at stays part of it. Raises ValidationError when nothing would
    change.
    """

    def said(found: Nominee, earlier: NomineeReply | None) -> NomineeReply:
        picture = image
        if not picture and earlier is not None and earlier.image:
            picture, earlier.image = earlier.image.name, ""
        if not picture and (bio, achievements) == (found.bio, found.achievements):
            raise ValidationError("Nothing would change: your page reads like this already.")
        return NomineeReply(kind=Kind.CORRECT, bio=bio, achievements=achievements, image=picture or "")

    return _say(nominee, said)


def ask_to_take_down(nominee: Nominee, *, note: str = "") -> NomineeReply:
    """The page shall go: staff decide."""
    return _say(nominee, lambda _found, _earlier: NomineeReply(kind=Kind.TAKE_DOWN, note=note))


def _say(nominee: Nominee, said: Callable[[Nominee, NomineeReply | None], NomineeReply]) -> NomineeReply:
    """A newer word takes the place of the open one. The nominee's row keeps two at once in order."""
    with transaction.atomic():
        found = lock_nominees(nominee.pk)[0]
        if not may_speak(found):
            raise ValidationError("This page is gone.", code="gone")
        earlier = found.replies.select_for_update().filter(state=State.OPEN).first()
        reply = said(found, earlier)
        if earlier is not None:
            _settle(earlier, State.REPLACED, by=None)
        reply.nominee = found
        reply.save(force_insert=True)
    return reply


def accept_reply(reply: NomineeReply, *, by: User) -> NomineeReply:
    """Do as the nominee says: the story and picture become theirs, or all that stands of them is withdrawn.

    Of one who was merged since, it is done to the survivor. Raises ValidationError `already_decided`.
    """
    with transaction.atomic():
        lock_seasons()
        reply = _locked(reply)
        subject = lock_nominees(selectors.end_of(reply.nominee).pk)[0]
        if reply.kind == Kind.TAKE_DOWN:
            for nomination in selectors.standing_of(subject):
                withdraw_nomination(nomination, by=by)
        else:
            _correct(subject, reply)
        _settle(reply, State.ACCEPTED, by=by)
    return reply


def dismiss_reply(reply: NomineeReply, *, by: User, answer: str = "") -> NomineeReply:
    """Leave the page as it is; the nominee reads the answer. Raises ValidationError `already_decided`."""
    with transaction.atomic():
        reply = _locked(reply)
        reply.answer = answer.strip()
        _settle(reply, State.DISMISSED, by=by)
    return reply


def _locked(reply: NomineeReply) -> NomineeReply:
    """With the nominee first, as where a newer word comes in."""
    lock_nominees(reply.nominee_id)
    reply = NomineeReply.objects.select_for_update(of=("self",)).select_related("nominee").get(pk=reply.pk)
    if reply.state != State.OPEN:
        raise already_settled(reply)
    return reply


def already_settled(reply: NomineeReply) -> ValidationError:
    """The refusal of a second click, a colleague's click and a stale tab."""
    return ValidationError(f"Already decided: this is {reply.get_state_display().lower()}.", code="already_decided")


def _correct(nominee: Nominee, reply: NomineeReply) -> None:
    nominee.bio, nominee.achievements = reply.bio, reply.achievements
    old_picture = ""
    if reply.image:
        old_picture = str(nominee.image.name or "")
        nominee.image, reply.image = reply.image.name, ""
    save_nominee(nominee, ["bio", "achievements", "image"], old_picture=old_picture)


def _settle(reply: NomineeReply, state: NomineeReply.State, *, by: User | None) -> None:
    """A picture that nobody will show is not kept."""
    forget_picture(reply)
    reply.image = ""
    reply.state, reply.settled_by, reply.settled_at = state, by, timezone.now()
    reply.save(update_fields=["state", "settled_by", "settled_at", "image", "answer"])


def forget_picture(reply: NomineeReply) -> None:
    """Take the file away that nobody else refers to."""
    if reply.image:
        storage, name = reply.image.storage, str(reply.image.name)
        transaction.on_commit(lambda: storage.delete(name), robust=True)
