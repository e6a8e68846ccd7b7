"""Names in the forms in which they are compared and addressed. Pure."""

from anyascii import anyascii
from django.utils.text import slugify

SLUG_LENGTH = 180


def slug_of(name: str) -> str:
    """The address form of a name in any script: `ABC Company Ltd.` is `abc-company-ltd`."""
    return slugify(anyascii(name).replace("_", "-"))[:SLUG_LENGTH].strip("-") or "nominee"


def normal_name(name: str) -> str:
    """For comparing: ASCII, lower-case, single spaces."""
    return slug_of(name).replace("-", " ")


def trigrams(name: str) -> frozenset[str]:
    """The three-letter pieces of a normal name. How many of them two names share is how much they are alike."""
    padded = [f"  {word} " for word in name.split()]
    return frozenset(word[start : start + 3] for word in padded for start in range(len(word) - 2))
