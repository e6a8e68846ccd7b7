"""Pictures that people send: judged by their content, kept small and without metadata."""

import io
import struct
import uuid
import zlib
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps

PICTURE_BYTES = 5 * 1024 * 1024
PICTURE_SIDE = 1200
PICTURE_PIXELS = 50_000_000
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP")
# What Pillow raises for damaged or hostile files, besides OSError.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class PictureField(forms.FileField):
    """A JPEG, PNG or WebP of at most 5 MB, as a small WebP under a random name."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Raises ValidationError when the content is not such a picture, whatever its name says."""
        upload = super().clean(data, initial)
        return small_webp(upload) if isinstance(upload, UploadedFile) else None


def small_webp(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    """The picture upright, at most 1200 px wide and high, re-encoded without metadata. Raises ValidationError."""
    if (upload.size or 0) > PICTURE_BYTES:
        raise ValidationError("The picture is larger than 5 MB.")
    try:
        content = _encoded(upload)
    except BROKEN as error:
        raise ValidationError("Choose a picture that is a JPEG, PNG or WebP file.") from error
    return ContentFile(content, name=f"{uuid.uuid4()}.webp")


def _encoded(upload: "UploadedFile[bytes]") -> bytes:
    with Image.open(upload, formats=PICTURE_FORMATS) as picture:
        if picture.width * picture.height > PICTURE_PIXELS:
            raise ValueError("too many pixels")
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        upright = ImageOps.exif_transpose(picture)
        plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    plain.info = {}
    out = io.BytesIO()
    plain.save(out, "WEBP", quality=84)
    return out.getvalue()
