"""Nominees corrected by staff."""

from collections.abc import Sequence

from django.db import transaction

from nominations.models import Nominee, NomineeReply


def save_nominee(nominee: Nominee, names: Sequence[str], *, old_picture: str = "") -> None:
    """Save just these fields: a decision taken meanwhile is not undone by an old page.

    A picture that was replaced or removed is deleted on commit, unless somebody else's row still shows it.
    """
    with transaction.atomic():
        nominee.save(update_fields=names)
        if "image" in names and old_picture:
            transaction.on_commit(lambda: _delete_picture(nominee, old_picture), robust=True)


def _delete_picture(nominee: Nominee, name: str) -> None:
    if not any(model.objects.filter(image=name).exists() for model in (Nominee, NomineeReply)):
        nominee.image.storage.delete(name)
