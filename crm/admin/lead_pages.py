"""One lead: who it is, what was said, what the CRM knows, and what syncs did to it."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from crm import services
from crm.admin.deciding import deciding_page
from crm.admin.lead_forms import FOLLOWS_CRM, LeadForm, MessageForm, NewLeadForm
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import Change, bucket_badge, changes_in_words, marks_of, phone_in_words, softly, source_of
from crm.models import Lead, SyncOutcome, User
from notifications.admin import add_errors, posted

FOLDER = "admin/crm/lead"
MESSAGES, OUTCOMES = 100, 20
Bucket = SyncOutcome.Bucket


def require(is_allowed: bool) -> None:
    """Raises PermissionDenied."""
    if not is_allowed:
        raise PermissionDenied


def add(admin: TenantAdmin, request: HttpRequest) -> HttpResponse:
    """A lead by hand. Raises PermissionDenied."""
    require(admin.has_add_permission(request))
    form = NewLeadForm(posted(request), businesses=admin.businesses(request, "add"))
    if form.is_valid():
        try:
            with transaction.atomic():
                lead = services.add_lead(form.cleaned_data["business"], **form.edited)
                admin.log_addition(request, lead, "Added by hand.")
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, f"Added {lead}.")
            return HttpResponseRedirect(_url(lead))
    context = {**admin.page_context(request, "Add a lead"), "form": form, "button": "Add", "media": admin.media}
    context["cancel_url"] = reverse("admin:crm_lead_changelist")
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, f"{FOLDER}/add.html", context)


def change(admin: TenantAdmin, request: HttpRequest, lead: Lead) -> HttpResponse:
    """A POST edits who it is, logs a message, or hands a field back to the CRM. Raises PermissionDenied."""
    if request.method == "POST":
        require(admin.has_change_permission(request, lead))
    is_message = "_message" in request.POST
    form = LeadForm(None if is_message else posted(request), lead=lead)
    message = MessageForm(request.POST if is_message else None)
    if "_follow" in request.POST:
        return _follow(admin, request, lead)
    if is_message and message.is_valid():
        return _say(admin, request, lead, message)
    if not is_message and form.is_valid() and _edit(admin, request, lead, form):
        return HttpResponseRedirect(_url(lead))
    context = {**admin.page_context(request, str(lead)), **_context(admin, request, lead, form)}
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, f"{FOLDER}/change_form.html", {**context, "message_form": message})


def _edit(admin: TenantAdmin, request: HttpRequest, lead: Lead, form: LeadForm) -> bool:
    """Whether it was saved; else the errors stand at the form."""
    edited = form.edited
    try:
        with transaction.atomic():
            if edited:
                services.edit_lead(lead, **edited)
                admin.log_change(request, lead, f"Edited {', '.join(map(_label, edited))}.")
    except ValidationError as error:
        add_errors(form, error)
        return False
    messages.success(request, f"Saved {lead}." if edited else "Nothing was edited.")
    return True


def _say(admin: TenantAdmin, request: HttpRequest, lead: Lead, message: MessageForm) -> HttpResponse:
    with transaction.atomic():
        said = services.log_message(lead, by=cast(User, request.user), **message.cleaned_data)
        admin.log_change(request, lead, f"Logged an {said.direction} message.")
    messages.success(request, "The message is logged.")
    return HttpResponseRedirect(f"{_url(lead)}#conversation")


def _follow(admin: TenantAdmin, request: HttpRequest, lead: Lead) -> HttpResponse:
    name = request.POST["_follow"]
    if name in FOLLOWS_CRM:
        with transaction.atomic():
            services.follow_crm(lead, name)
            said = f"{_label(name).capitalize()} follows the CRM again"
            admin.log_change(request, lead, f"{said}.")
        messages.success(request, f"{said}, from the next time that the contact is read.")
    return HttpResponseRedirect(f"{_url(lead)}#who")


def _label(name: str) -> str:
    return name.replace("_", " ")


def _context(admin: TenantAdmin, request: HttpRequest, lead: Lead, form: Form) -> dict[str, Any]:
    """In a constant number of queries."""
    said = list(lead.messages.select_related("by").order_by("-sent_at", "-created_at")[: MESSAGES + 1])
    return {
        "lead": lead,
        "form": form,
        "by_hand": [name for name in FOLLOWS_CRM if name in lead.edited_fields] if lead.crm_id else [],
        "phone": phone_in_words(lead.phone),
        "marks": marks_of(lead),
        "source": source_of(lead),
        "facts": _facts(lead),
        "said": said[:MESSAGES][::-1],
        "has_older": len(said) > MESSAGES,
        "outcomes": _outcomes(lead),
        "may_change": admin.has_change_permission(request, lead),
        "may_delete": admin.has_delete_permission(request, lead),
        "media": admin.media,
    }


def _facts(lead: Lead) -> list[tuple[str, Any]]:
    """What the CRM says, as it says it."""
    facts = [
        ("Owner", lead.crm_owner),
        ("Owner’s email", lead.crm_owner_email),
        ("Status", softly(lead.crm_status)),
        ("Stage", softly(lead.crm_stage)),
        ("Last activity", lead.crm_last_activity_at),
        ("Phone there", lead.phone_raw if "phone" not in lead.edited_fields else ""),
        ("Id there", lead.crm_id),
        ("Account", lead.crm_account_id),
        ("Merged into it", ", ".join(alias.crm_id for alias in lead.aliases.all()[:20])),
        ("Last changed by a sync", lead.last_crm_sync_at),
        ("Gone from the CRM since", lead.crm_deleted_at),
    ]
    return [(label, value) for label, value in facts if value]


def _outcomes(lead: Lead) -> list[tuple[SyncOutcome, SafeString, list[Change]]]:
    """Runs that changed it, newest first."""
    changing = lead.outcomes.filter(bucket__in=[Bucket.CREATED, Bucket.UPDATED, Bucket.REMOVED])
    written = changing.exclude(run__strategy="preview").select_related("run").order_by("-id")[:OUTCOMES]
    return [(outcome, bucket_badge(outcome), changes_in_words(outcome)) for outcome in written]


def delete(admin: TenantAdmin, request: HttpRequest, lead: Lead) -> HttpResponse:
    """With its messages, for good. Raises PermissionDenied."""
    require(admin.has_delete_permission(request, lead))
    count, name = lead.messages.count(), str(lead)
    consequences = [
        f"{name} is deleted, with {count:,} message{'' if count == 1 else 's'}. This cannot be undone.",
        "The runs that brought the contact keep its name for thirty days.",
    ]
    if lead.crm_id is not None:
        consequences.append(f"If the contact is still in {source_of(lead)}, the next full sync brings it again.")

    def act() -> str:
        admin.log_deletions(request, Lead.objects.filter(pk=lead.pk))
        services.delete_lead(lead)
        return f"Deleted {name}."

    return deciding_page(
        admin,
        request,
        lead,
        title=f"Delete {name}",
        act=act,
        then=reverse("admin:crm_lead_changelist"),
        context={"button": "Delete", "is_danger": True, "consequences": consequences, "cancel_url": _url(lead)},
        is_logged=False,
    )


def _url(lead: Lead) -> str:
    return reverse("admin:crm_lead_change", args=[lead.pk])
