"""What staff are told of a merge, or of its undoing, before it is done."""

from typing import Any

from nominations import selectors, services
from nominations.admin.facts import NOMINEE_FACTS
from nominations.models import Nominee
from nominations.models.people import live_url_of

MOST_NOMINATIONS = 50
LABELS = {**dict(NOMINEE_FACTS), "bio": "Bio", "achievements": "Achievements", "image": "Picture"}


def shown(preview: services.MovePreview) -> dict[str, Any]:
    """What both previews show: the nominations that go, and votes and podiums by category."""
    return {
        "preview": preview,
        "nominations": preview.nominations[:MOST_NOMINATIONS],
        "more": len(preview.nominations) - MOST_NOMINATIONS,
        "places": [(row, _podium(row.what_if.before), _podium(row.what_if.after)) for row in preview.places],
    }


def _podium(rows: list[selectors.Standing]) -> list[str]:
    return [f"{row.rank}. {nominee} ({row.total_votes})" for nominee, row in selectors.named(rows)]


def facts(preview: services.MovePreview) -> list[tuple[str, str, str, str, bool]]:
    """Label, both values, the one afterwards, and whether that was a blank."""
    loser, survivor = preview.source, preview.target
    rows = []
    for name, label in LABELS.items():
        mine, theirs = _told(loser, name), _told(survivor, name)
        if mine or theirs:
            is_filled = name in preview.changed
            rows.append((label, mine, theirs, mine if is_filled else theirs, is_filled))
    return rows


def _told(nominee: Nominee, name: str) -> str:
    value = getattr(nominee, name)
    return "Yes" if name == "image" and value else str(value)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _what_goes(preview: services.MovePreview) -> str:
    manual = sum(row.before[0].manual_votes - row.after[0].manual_votes for row in preview.places)
    numbers = {"nomination": len(preview.nominations), "counted vote": preview.votes, "manual vote": manual}
    parts = [_count(number, word) for word, number in numbers.items() if number]
    return f"To {preview.target}: {', '.join(parts) or 'no nomination and no vote'}."


def lines_of_merge(preview: services.MovePreview) -> list[str]:
    """What a merge would do."""
    loser, survivor = preview.source, preview.target
    url = live_url_of(preview.target_slug)
    lines = [_what_goes(preview)]
    if preview.target_is_live and survivor.state != Nominee.State.LIVE:
        lines.append(f"{survivor} goes live at {url}.")
    if loser.slug and preview.target_is_live:
        lines.append(f"{loser.live_url} leads to {url} from now on (301).")
    elif loser.slug:
        lines.append(f"{loser.live_url} leads to nobody: {survivor} is not live.")
    if preview.doubled_votes:
        doubled = _count(preview.doubled_votes, "vote")
        lines.append(f"{doubled} not confirmed yet by the same voters as others: taken out as second votes.")
    return [*lines, *_lines_of_both(preview), "This can be undone under Merges at any time."]


def lines_of_undo(preview: services.MovePreview) -> list[str]:
    """What undoing would do."""
    survivor, loser = preview.source, preview.target
    lines = [_what_goes(preview), f"Votes and nominations that came since the merge stay with {survivor}."]
    if preview.target_is_live:
        lines.append(f"{loser} is live again at {live_url_of(preview.target_slug)}.")
    else:
        lines.append(f"{loser} has no public page then.")
    if survivor.state == Nominee.State.LIVE and not preview.source_is_live:
        lines.append(f"{survivor.live_url} disappears: {survivor} was live by these nominations alone.")
    names = [LABELS[name] for name in preview.changed if name in LABELS]
    if names:
        lines.append(f"Emptied again at {survivor}: {', '.join(names)}.")
    return [*lines, *_lines_of_both(preview)]


def _lines_of_both(preview: services.MovePreview) -> list[str]:
    lines = [f"The results of {name} are published: they stay as they were frozen." for name in preview.frozen]
    if selectors.is_told_outside():
        lines.append(f"Brought up to date outside, within seconds: up to {_count(preview.contacts, 'contact')}.")
    return lines
