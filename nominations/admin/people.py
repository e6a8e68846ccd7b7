"""Nominees, nominators and voters: staff correct what is known of them; they come and go by services only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations.admin.forms import PersonForm
from nominations.models import Nominator, Nominee, Voter
from notifications.admin import StaffModelAdmin, badge, when


class KnownPersonAdmin(StaffModelAdmin):
    """Somebody who came in from outside: correct, neither add nor delete."""

    form = PersonForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They come with a nomination or a vote."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What hangs on them stays."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only what was edited: a decision taken meanwhile is not undone by an old page."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)


@admin.register(Nominee)
class NomineeAdmin(KnownPersonAdmin):
    """Who is nominated. State and address follow from decisions."""

    list_display = ("full_name", "state_badge", "live_link", "country", "known_since")
    list_filter = ("state", "kind", "country")
    search_fields = ("first_name", "last_name", "company_name", "email", "slug")
    search_help_text = "Names, addresses and slugs."
    readonly_fields = ("kind", "state_badge", "live_link", "known_since")
    empty_text = "Nominees appear here with their first nomination."
    descriptive = ("email", "phone", "linkedin_url", "country", "bio", "achievements", "image")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields of its kind."""
        own: tuple[str, ...] = ("first_name", "last_name", "job_title", "company")
        if obj is not None and obj.kind == Nominee.Kind.COMPANY:
            own = ("company_name", "website", "industry", "company_size")
        return [
            ("Follows from decisions", {"fields": ("kind", "state_badge", "live_link", "known_since")}),
            ("Who it is", {"fields": own}),
            ("Details", {"fields": self.descriptive}),
        ]

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, nominee: Nominee) -> SafeString:
        """Name, and whether it is a person or a company."""
        return format_html('{}<span class="sub">{}</span>', nominee.name, nominee.get_kind_display())

    @admin.display(description="State", ordering="state")
    def state_badge(self, nominee: Nominee) -> SafeString:
        """In its colour."""
        return badge(nominee.state)

    @admin.display(description="Public page", ordering="slug")
    def live_link(self, nominee: Nominee) -> SafeString | str:
        """The address; a link while it is live."""
        if not nominee.slug:
            return "None before the first approval"
        if nominee.state != Nominee.State.LIVE:
            return nominee.slug
        return format_html('<a href="{}">{}</a>', nominee.live_url, nominee.slug)

    @admin.display(description="Known since", ordering="created_at")
    def known_since(self, nominee: Nominee) -> SafeString | str:
        """When the first nomination came."""
        return when(nominee.created_at)


class PersonAdmin(KnownPersonAdmin):
    """Somebody with an address."""

    list_display = ("full_name", "email", "company", "country", "known_since")
    search_fields = ("first_name", "last_name", "email", "company")
    search_help_text = "Names, addresses and companies."
    fields = (
        ("first_name", "last_name"),
        "email",
        "phone",
        "company",
        "job_title",
        "country",
        "linkedin_url",
        "known_since",
    )
    readonly_fields = ("known_since",)

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, person: Nominator | Voter) -> str:
        """As one writes it."""
        return str(person)

    @admin.display(description="Known since", ordering="created_at")
    def known_since(self, person: Nominator | Voter) -> SafeString | str:
        """When they first came."""
        return when(person.created_at)


@admin.register(Nominator)
class NominatorAdmin(PersonAdmin):
    """Who nominates."""

    empty_text = "Nominators appear here with their first nomination."


@admin.register(Voter)
class VoterAdmin(PersonAdmin):
    """Who votes."""

    empty_text = "Voters appear here with their first vote."
