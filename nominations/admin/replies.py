"""What nominees say of their own pages: the list, the comparison, and the box with their link."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services, tasks
from nominations.admin.decisions import DECIDE
from nominations.admin.forms import LONG_TEXT
from nominations.models import Nomination, Nominee, NomineeReply
from nominations.services.own_link import may_speak
from nominations.services.replies import already_settled
from notifications.admin import ReadOnlyAdmin, Tab, badge, posted, refuse, require, staff_page, when

FOLDER, LIST = "admin/nominations/nomineereply", "admin:nominations_nomineereply_changelist"
CHANGE_NOMINEE = "nominations.change_nominee"
Kind, State = NomineeReply.Kind, NomineeReply.State
COLOURS = {State.OPEN: "submitted", State.ACCEPTED: "ok", State.DISMISSED: "rejected", State.REPLACED: "late"}


class DismissForm(forms.Form):
    """What the nominee is told."""

    answer = forms.CharField(
        max_length=500,
        required=False,
        widget=LONG_TEXT,
        label="A note to the nominee",
        help_text="Optional. They read it on their own page.",
    )


@admin.register(NomineeReply)
class NomineeReplyAdmin(ReadOnlyAdmin):
    """They come by the nominees' own links; staff accept or dismiss them."""

    list_display = ("about", "kind", "state_badge", "came", "settled", "look_link")
    list_display_links = None
    list_filter = ("state", "kind", "created_at")
    list_select_related = ("nominee", "settled_by")
    search_fields = ("nominee__first_name", "nominee__last_name", "nominee__company_name", "nominee__email", "note")
    search_help_text = "Nominees, their addresses and notes."
    empty_text = "They appear here when a nominee follows their own link. It stands on each nominee's page."

    def get_urls(self) -> list[URLPattern]:
        """Django's, the comparison and the way out of it, and the mail of a link."""
        pages = {"settle": self.settle, "dismiss": self.dismiss}
        own = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(page), name=f"nominations_nomineereply_{name}")
            for name, page in pages.items()
        ]
        mail = path("mail/<uuid:pk>/", self.admin_site.admin_view(self.mail), name="nominations_nomineereply_mail")
        return [mail, *own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may settle them, too."""
        return request.user.has_perm(DECIDE) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return self.has_view_permission(request)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By state."""
        counts, chosen = selectors.reply_counts(), request.GET.get("state__exact")
        tabs = [Tab(label, f"?state__exact={state}", counts[state], chosen == state) for state, label in State.choices]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def settle(self, request: HttpRequest, pk: str) -> HttpResponse:
        """How the page reads and how it should, or what a take-down withdraws; a POST does it."""
        reply = reply_or_404(pk)
        subject = selectors.end_of(reply.nominee)
        is_take_down = reply.kind == Kind.TAKE_DOWN

        def act() -> str:
            services.accept_reply(reply, by=cast(User, request.user))
            return f"{reply.get_kind_display()} accepted: {subject}"

        return staff_page(
            self,
            request,
            permission=DECIDE,
            title=f"{reply.get_kind_display()}: {reply.nominee}",
            template=f"{FOLDER}/settle.html",
            act=act,
            then=reverse(LIST),
            about=reply,
            context=lambda: {
                "reply": reply,
                "subject": subject,
                "is_open": reply.state == State.OPEN,
                "state_badge": self.state_badge(reply),
                "comparison": comparison_of(reply, subject),
                "consequences": consequences_of(reply, subject),
                "button": "Take the page down" if is_take_down else "Accept the correction",
                "is_danger": is_take_down,
            },
        )

    def dismiss(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The page stays as it is."""
        reply = reply_or_404(pk)
        form = DismissForm(posted(request))
        if reply.state != State.OPEN:
            require(request, DECIDE)
            return refuse(request, already_settled(reply), reverse(LIST))

        def act() -> str:
            services.dismiss_reply(reply, by=cast(User, request.user), answer=form.cleaned_data["answer"])
            return f"{reply.get_kind_display()} dismissed: {reply.nominee}"

        lines = ["The page stays as it is. The nominee reads so on their own page; no mail is sent."]
        if reply.image:
            lines.append("The picture that they sent is deleted.")
        return staff_page(
            self,
            request,
            permission=DECIDE,
            title=f"Dismiss: {reply.get_kind_display().lower()} of {reply.nominee}",
            form=form,
            act=act,
            then=reverse(LIST),
            about=reply,
            context=lambda: {"consequences": lines, "button": "Dismiss", "is_danger": True},
        )

    def mail(self, request: HttpRequest, pk: str) -> HttpResponse:
        """To the nominee's address of now."""
        nominee = get_object_or_404(Nominee, pk=pk)

        def act() -> str:
            mail = services.ask_for_link_mail(nominee, by=cast(User, request.user))
            transaction.on_commit(lambda: tasks.queue_link_mail(mail.pk), robust=True)
            return f"The link is on its way to {nominee.email}."

        lines = [
            f"A mail with the link goes to {nominee.email}." if nominee.email else "They have no email address.",
            "It is good for 90 days, or until their address is corrected here.",
        ]
        return staff_page(
            self,
            request,
            permission=CHANGE_NOMINEE,
            title=f"Mail the link to {nominee}",
            act=act,
            then=reverse("admin:nominations_nominee_change", args=[pk]),
            about=nominee,
            context=lambda: {"opts": Nominee._meta, "consequences": lines, "button": "Mail the link"},
        )

    @admin.display(description="Nominee", ordering="nominee__last_name")
    def about(self, reply: NomineeReply) -> SafeString:
        """A link to their page in the admin."""
        url = reverse("admin:nominations_nominee_change", args=[reply.nominee_id])
        return format_html('<a href="{}">{}</a><span class="sub">{}</span>', url, reply.nominee, reply.nominee.email)

    @admin.display(description="State", ordering="state")
    def state_badge(self, reply: NomineeReply) -> SafeString:
        """In its colour."""
        return badge(COLOURS[State(reply.state)], reply.get_state_display())

    @admin.display(description="Came", ordering="created_at")
    def came(self, reply: NomineeReply) -> SafeString | str:
        """When."""
        return when(reply.created_at)

    @admin.display(description="Settled", ordering="settled_at")
    def settled(self, reply: NomineeReply) -> SafeString | str:
        """When and by whom."""
        if reply.settled_by is None:
            return when(reply.settled_at)
        return format_html('{}<span class="sub">{}</span>', when(reply.settled_at), reply.settled_by)

    @admin.display(description="", empty_value="")
    def look_link(self, reply: NomineeReply) -> SafeString | str:
        """The way to the comparison; there is none of a confirmation."""
        if reply.kind == Kind.CONFIRM:
            return ""
        url = reverse("admin:nominations_nomineereply_settle", args=[reply.pk])
        word = "Review" if reply.state == State.OPEN else "Look"
        return format_html(
            '<a class="button small" href="{}" aria-label="{} {}">{}</a>', url, word, reply.nominee, word
        )


def reply_or_404(pk: str) -> NomineeReply:
    """With whom it is about."""
    return get_object_or_404(NomineeReply.objects.select_related("nominee", "settled_by"), pk=pk)


def comparison_of(reply: NomineeReply, subject: Nominee) -> list[tuple[str, Any, Any, bool, bool]]:
    """`(what, before, after, whether it is a picture, whether it differs)`; none for a take-down."""
    if reply.kind != Kind.CORRECT:
        return []
    texts = [("About them", subject.bio, reply.bio), ("Achievements", subject.achievements, reply.achievements)]
    rows = [(name, before, after, False, before != after) for name, before, after in texts]
    picture = reply.image or subject.image
    return [*rows, ("Picture", subject.image, picture, True, bool(reply.image))]


def consequences_of(reply: NomineeReply, subject: Nominee) -> list[str]:
    """What accepting it does; nothing more, once it is settled."""
    if reply.state != State.OPEN:
        return []
    if reply.kind == Kind.TAKE_DOWN:
        return take_down_lines(subject)
    return ["What is marked “Differs” takes the place of what the page shows now."]


def take_down_lines(subject: Nominee) -> list[str]:
    """What a take-down does."""
    standing = list(selectors.standing_of(subject))
    lines = [f"Withdrawn: {nomination.category}, by {nomination.nominator}." for nomination in standing]
    if subject.state == Nominee.State.LIVE:
        lines.append(f"The page {subject.live_url} disappears (410 Gone).")
    emails = set[str]().union(*(selectors.told_of(row, Nomination.State.WITHDRAWN) for row in standing))
    if emails and selectors.is_told_outside():
        lines.append(f"{len(emails)} contact{' is' if len(emails) == 1 else 's are'} brought up to date outside.")
    return lines or ["Nothing stands any more: nothing changes."]


def own_link_panel(request: HttpRequest, nominee: Nominee) -> dict[str, Any]:
    """The box on a nominee's page: their link, the last mail with it, their last word."""
    if not may_speak(nominee):
        return {}
    return {
        "template": f"{FOLDER}/_own_link.html",
        "nominee": nominee,
        "url": services.own_url(nominee) if request.user.has_perm(CHANGE_NOMINEE) else "",
        "last": selectors.last_word(nominee),
        "mail": selectors.last_link_mail(nominee),
        "may_settle": request.user.has_perm(DECIDE),
    }
