"""Names and addresses of people in their normal forms. Pure: no database, no network."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from nominations.models.names import normal_name as normal_name
from nominations.models.names import slug_of as slug_of

LINKEDIN_LENGTH = 300
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible_name(text: str) -> str:
    """The name without characters that turn the direction of the text around it; "" for a blank.

    Raises ValidationError for one in which there is nothing to read.
    """
    shown = " ".join("".join(character for character in text if character not in DIRECTION_MARKS).split())
    if text.strip() and not any(character.isalnum() for character in shown):
        raise ValidationError("Enter a name that can be read.")
    return shown


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
