"""Names and addresses of people in their normal forms. Pure: no database, no network."""

from urllib.parse import urlsplit

from anyascii import anyascii
from django.core.exceptions import ValidationError
from django.utils.text import slugify

SLUG_LENGTH = 180
LINKEDIN_LENGTH = 300
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def slug_of(name: str) -> str:
    """The address form of a name in any script: `ABC Company Ltd.` is `abc-company-ltd`."""
    return slugify(anyascii(name).replace("_", "-"))[:SLUG_LENGTH].strip("-") or "nominee"


def visible_name(text: str) -> str:
    """The name without characters that turn the direction of the text around it; "" for a blank.

    Raises ValidationError for one in which there is nothing to read.
    """
    text = "".join(character for character in text if character not in DIRECTION_MARKS).strip()
    if text and not any(character.isalnum() for character in text):
        raise ValidationError("Enter a name that can be read.")
    return text


def normal_linkedin(text: str) -> str:
    """`https://www.linkedin.com/in/name`, lower-case, without query or trailing slash; "" for a blank.

    Raises ValidationError for an address elsewhere.
    """
    text = text.strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = (parts.hostname or "").lower()
    except ValueError:
        host = ""
    path = parts.path.rstrip("/").lower() if host else ""
    is_linkedin = host == "linkedin.com" or host.endswith(".linkedin.com")
    if not is_linkedin or parts.scheme not in ("http", "https") or path.count("/") < 2:
        raise ValidationError("Enter a LinkedIn address, for example https://www.linkedin.com/in/jane-doe.")
    address = f"https://www.linkedin.com{path}"
    if len(address) > LINKEDIN_LENGTH:
        raise ValidationError(f"Enter an address of at most {LINKEDIN_LENGTH} characters.")
    return address


def normal_name(name: str) -> str:
    """For comparing: ASCII, lower-case, single spaces."""
    return slug_of(name).replace("-", " ")


def similarity(one: str, other: str) -> float:
    """0 to 1: the share of three-letter pieces that two normal names have in common."""
    first, second = _trigrams(one), _trigrams(other)
    return len(first & second) / len(first | second)


def _trigrams(name: str) -> set[str]:
    padded = [f"  {word} " for word in name.split()]
    return {word[start : start + 3] for word in padded for start in range(len(word) - 2)}
