"""What the approve screen promises is what Loops gets."""

from config.sandbox import RunningSandbox
from loops_sync import services
from loops_sync.models import OutboxEntry
from nominations import selectors
from nominations import services as awards
from tests import builders


def test_preview_is_what_an_approval_sends(loops: RunningSandbox) -> None:
    nomination = builders.submitted()
    services.drain()
    written = OutboxEntry.objects.count()
    promised = selectors.contact_changes(nomination, slug="chosen-slug")
    assert OutboxEntry.objects.count() == written

    awards.approve_nomination(nomination, by=builders.superuser(), slug="chosen-slug")
    services.drain()
    for change in promised:
        held = loops.contact(change.email)
        assert held is not None
        for name, _before, after in change.changes:
            assert name == "approvalDate" or (held[name] or "") == after
    by_role = {change.role: change for change in promised}
    assert (by_role["nominator"].is_new, by_role["nominee"].is_new) == (False, True)
    assert ("userGroup", "Nominator", "Nominator Live") in by_role["nominator"].changes
    assert ("liveUrl", "", "https://awards.example/nominee/chosen-slug") in by_role["nominee"].changes


def test_preview_names_only_who_is_touched() -> None:
    nomination = builders.submitted(
        to=builders.category("best-firm", "company"), of=builders.company(company_name="No Mail Ltd")
    )
    assert [change.role for change in selectors.contact_changes(nomination, slug="no-mail-ltd")] == ["nominator"]
