"""Nominees, nominators and voters: staff correct what is known of them; they come and go by services only."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations import services
from nominations.admin import merging, nominee_page, replies
from nominations.admin.edits import NomineeForm, in_words
from nominations.admin.forms import PersonForm
from nominations.models import Nominator, Nominee, Voter
from notifications.admin import StaffModelAdmin, badge, when

# What stands above the form on a nominee's page: each is a template and its values, or nothing.
PANELS: Sequence[nominee_page.Panel] = (merging.panel, nominee_page.standing, replies.own_link_panel)


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

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Before and after, in words."""
        return in_words(form)


@admin.register(Nominee)
class NomineeAdmin(KnownPersonAdmin):
    """Who is nominated. State and address follow from decisions."""

    list_display = ("full_name", "state_badge", "live_link", "country", "known_since")
    list_filter = ("state", "kind", "country")
    search_fields = ("first_name", "last_name", "company_name", "email", "slug")
    search_help_text = "Names, addresses and slugs."
    readonly_fields = ("kind", "state_badge", "live_link", "known_since", "picture_now", "picture_offered")
    empty_text = "Nominees appear here with their first nomination."
    form = NomineeForm
    change_form_template = "admin/nominations/nominee/change_form.html"
    change_list_template = "admin/nominations/merge/nominees.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With what is known of the nominee above the fields."""
        nominee = kwargs["obj"]
        panels = [panel(request, nominee) for panel in PANELS]
        context |= {
            "panels": [panel for panel in panels if panel],
            "buttons": [*nominee_page.buttons(request, nominee), *merging.buttons(request, nominee)],
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """Django's, and those on which two are made one."""
        return [*merging.urls(self), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The fields of its kind, and those of the other that a file brought in."""
        own: tuple[str, ...] = ("first_name", "last_name", "job_title", "company")
        others: tuple[str, ...] = ("website", "industry", "company_size")
        if obj is not None and obj.kind == Nominee.Kind.COMPANY:
            own, others = ("company_name", *others), ()
        own += tuple(name for name in others if getattr(obj, name, ""))
        picture = tuple(
            name
            for name, there in (("picture_now", "image"), ("picture_offered", "picture_url"))
            if getattr(obj, there)
        )
        return [
            ("Follows from decisions", {"fields": ("kind", "state_badge", "live_link", "known_since")}),
            ("Who it is", {"fields": (*own, "email", "phone", "linkedin_url", "country")}),
            ("Story and picture", {"fields": ("bio", "achievements", *picture, "image")}),
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By a service: a picture that is replaced or removed goes."""
        if form.changed_data:
            old = getattr(form.initial.get("image"), "name", "") or ""
            services.save_nominee(obj, form.changed_data, old_picture=old)

    @admin.display(description="Picture now")
    def picture_now(self, nominee: Nominee) -> SafeString:
        """As the public sees it."""
        return format_html('<img class="preview" src="{}" width="160" alt="{}">', nominee.image.url, nominee.name)

    @admin.display(description="Picture offered by the import")
    def picture_offered(self, nominee: Nominee) -> SafeString:
        """A link; nothing is fetched from there by itself."""
        link = '<a href="{0}" rel="noopener noreferrer">{0}</a>'
        note = '<span class="sub">Look at it there; to use it, save it and choose it below.</span>'
        return format_html(link + note, nominee.picture_url)

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

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The organisers are nobody who has an address."""
        is_somebody = obj is None or not getattr(obj, "is_organisers", False)
        return is_somebody and super().has_change_permission(request, obj)


@admin.register(Voter)
class VoterAdmin(PersonAdmin):
    """Who votes."""

    empty_text = "Voters appear here with their first vote."
