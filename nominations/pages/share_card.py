"""The picture that other sites show beside a link to a nominee. Pure: no database, no request.

The fonts and the wreath, which is `wreath.svg` at 400 px, are in `nominations/fonts`.
"""

import hashlib
import io
import math
import re
import unicodedata
from bisect import bisect_right
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import IO

from anyascii import anyascii
from PIL import Image, ImageDraw, ImageFont, ImageOps, features

SIZE = (1200, 630)
ASSETS = Path(__file__).parent.parent / "fonts"
SERIF, SANS = "DejaVuSerif-Bold.ttf", "DejaVuSans.ttf"
# Change it with the drawing, so that whoever keeps a card asks for the new one.
LOOK = "1"
PANEL, PANEL_DEEP, GROUND = (26, 80, 66), (12, 40, 31), (31, 92, 74)
GOLD, CREAM, PALE = (233, 216, 166), (251, 248, 238), (207, 222, 214)
WREATH, PORTRAIT, CENTRE = 440, 268, (280, 315)
LEFT, WIDTH, BOTTOM = 548, 580, 524
ELLIPSIS = "…"
Face = tuple[str, str]
"""A text, and the font that it can be drawn with."""
PIECE = re.compile(r"\s*(?:[^\s-]+-+(?=\S)|\S+)")
"""What stays on one line: a word, or the part of one up to a hyphen."""
WHOLE_FROM = 36
"""In larger sizes no word is broken: it is set smaller instead."""
TWO_LINES_FROM, TWO = 60, 2
"""So large only where two lines are enough."""


@dataclass(frozen=True)
class ShareCard:
    """What is drawn. `picture` is the picture's name, which changes with it."""

    title: str
    name: str
    initials: str
    categories: str
    kind: str
    picture: str = ""

    @property
    def digest(self) -> str:
        """The same for the same drawing."""
        return hashlib.sha256(repr((LOOK, astuple(self))).encode()).hexdigest()[:32]

    @property
    def version(self) -> str:
        """Enough of it for an address that changes with the drawing."""
        return self.digest[:8]

    def drawn(self, picture: IO[bytes] | None) -> bytes:
        """As a PNG; with the initials where there is no picture."""
        canvas = _panel()
        wreath = Image.open(ASSETS / "wreath.png").resize((WREATH, WREATH), Image.Resampling.LANCZOS)
        canvas.paste(wreath, (CENTRE[0] - WREATH // 2, CENTRE[1] - WREATH // 2), wreath)
        face = portrait(picture, PORTRAIT, self.kind) if picture else _monogram(self.initials)
        canvas.paste(face, (CENTRE[0] - PORTRAIT // 2, CENTRE[1] - PORTRAIT // 2), _disc())
        self._write(ImageDraw.Draw(canvas))
        out = io.BytesIO()
        # Without a photograph a palette is enough, and half the size.
        (canvas if picture else canvas.quantize(256)).save(out, "PNG")
        return out.getvalue()

    def _write(self, draw: ImageDraw.ImageDraw) -> None:
        """Title, name and categories as one block, in the middle beside the wreath."""
        blocks = [
            (Block(self.title, WIDTH, 68, (28, 24, 20), (SANS,)), GOLD, 18),
            (Block(self.name, WIDTH, 250, tuple(range(76, 14, -4)), (SERIF, SANS)), CREAM, 26),
            (Block(self.categories, WIDTH, 96, (30, 26, 22), (SANS,)), PALE, 0),
        ]
        height = sum(block.height + gap for block, _colour, gap in blocks)
        top = min((SIZE[1] - height) // 2, BOTTOM - height)
        for block, colour, gap in blocks:
            block.write(draw, top, colour)
            top += block.height + gap
        draw.text((LEFT, 560), "Laurel Awards", GOLD, _font(SERIF, 22))
        draw.line((LEFT, 544, LEFT + 64, 544), GOLD, 2)


class Block:
    """A text in the largest of the sizes in which it fits, cut off with an ellipsis where it fits in none."""

    def __init__(self, text: str, width: int, height: int, sizes: tuple[int, ...], fonts: tuple[str, ...]) -> None:
        text, name = face_of(text, fonts)
        for size in sizes:
            self.font, self.step = _font(name, size), round(size * 1.22)
            self.lines, is_whole = _wrapped(text, self.font, width)
            is_calm = len(self.lines) <= TWO or size < TWO_LINES_FROM
            if self.height <= height and is_calm and (is_whole or size <= WHOLE_FROM):
                return
        self.lines = self.lines[: height // self.step]
        while self.font.getlength(self.lines[-1] + ELLIPSIS) > width:
            self.lines[-1] = self.lines[-1][:-1]
        self.lines[-1] += ELLIPSIS

    @property
    def height(self) -> int:
        """Of all lines."""
        return len(self.lines) * self.step

    def write(self, draw: ImageDraw.ImageDraw, top: int, colour: tuple[int, int, int]) -> None:
        """At the left edge of the words."""
        for number, line in enumerate(self.lines):
            draw.text((LEFT, top + number * self.step), line, colour, self.font)


def portrait(picture: IO[bytes], side: int, kind: str) -> Image.Image:
    """A square of it: of a person the middle, of a company all, on white."""
    with Image.open(picture) as opened:
        opened.draft("RGB", (side, side))
        source = opened.convert("RGBA")
    ground = Image.new("RGBA", source.size, "white")
    flat = Image.alpha_composite(ground, source).convert("RGB")
    if kind == "person":
        return ImageOps.fit(flat, (side, side))
    return ImageOps.expand(
        ImageOps.pad(flat, (side * 3 // 4, side * 3 // 4), color="white"), side // 8, "white"
    ).resize((side, side))


def face_of(text: str, fonts: tuple[str, ...]) -> Face:
    """The text in the first font that has all its letters, or in the last with the missing ones in Latin letters."""
    # White space as one space: what draws the text knows no line breaks.
    text = " ".join(unicodedata.normalize("NFC", text).split())
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    for name in fonts:
        if all(_can_draw(name, letter) for letter in text):
            return text, name
    last = fonts[-1]
    latin = "".join(letter if _can_draw(last, letter) else _in_latin(letter) for letter in text)
    return " ".join(latin.split()) or "?", last


def _in_latin(letter: str) -> str:
    """Signs that are no letters, as emoji are, are left out."""
    return anyascii(letter) if unicodedata.category(letter)[0] in "LMN" else ""


@cache
def _can_draw(name: str, letter: str) -> bool:
    """Whether the font has the letter, and whoever draws can set its script."""
    if unicodedata.bidirectional(letter) in ("R", "AL") and not (features.check("raqm") and features.check("fribidi")):
        return False
    font = _font(name, 20)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(ASSETS / name, size)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> tuple[list[str], bool]:
    """The lines, and whether no piece is longer than one."""
    lines, is_whole = [""], True
    for piece in PIECE.findall(text):
        if font.getlength((lines[-1] + piece).strip()) <= width:
            lines[-1] += piece if lines[-1] else piece.strip()
            continue
        lines.append(piece.strip())
        while font.getlength(lines[-1]) > width:
            last, is_whole = lines[-1], False
            fits = max(
                1, bisect_right(range(len(last)), width, key=lambda end: math.ceil(font.getlength(last[:end]))) - 1
            )
            lines[-1:] = [last[:fits], last[fits:]]
    return [line for line in lines if line] or [""], is_whole


def _panel() -> Image.Image:
    """Green, darker towards the bottom: even lines, which make a small file."""
    dark = Image.linear_gradient("L").resize(SIZE)
    return Image.composite(Image.new("RGB", SIZE, PANEL_DEEP), Image.new("RGB", SIZE, PANEL), dark)


@cache
def _disc() -> Image.Image:
    """Drawn larger, so that its edge is smooth."""
    large = Image.new("L", (PORTRAIT * 4, PORTRAIT * 4))
    ImageDraw.Draw(large).ellipse((0, 0, PORTRAIT * 4 - 1, PORTRAIT * 4 - 1), 255)
    return large.resize((PORTRAIT, PORTRAIT), Image.Resampling.LANCZOS)


def _monogram(initials: str) -> Image.Image:
    square = Image.new("RGB", (PORTRAIT, PORTRAIT), GROUND)
    text, name = face_of("".join(face_of(letter, (SERIF, SANS))[0][:1] for letter in initials), (SERIF, SANS))
    ImageDraw.Draw(square).text((PORTRAIT // 2, PORTRAIT // 2), text.upper(), GOLD, _font(name, 104), anchor="mm")
    return square
