"""How somebody new joins at the till."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from crm.models import Business, User
from loyalty import services
from loyalty.admin.desk import phone_for_display
from loyalty.admin.moves import AWARD, REDEEM, Move
from loyalty.admin.till_page import address_of, chosen_business, log, page, phone_in, row_named, user_of
from loyalty.forms.till import EnrollForm
from loyalty.models import Enrollment, LoyaltyCard, Program
from notifications.admin import add_errors, is_late, posted


def enroll(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Somebody new, with their consent; then back to their card."""
    move = AWARD if request.GET.get("then") == AWARD.name else REDEEM
    business = chosen_business(request, REDEEM)
    program = row_named(request, "program", business.programs) or _default_program(business)
    form = EnrollForm(posted(request), initial={"phone": request.GET.get("phone")})
    if request.method == "POST" and program is not None and form.is_valid():
        try:
            card, said = _enrolled(user_of(request), program, form.cleaned_data)
        except ValidationError as error:
            if not is_late(error):
                add_errors(form, error)
                return _form(site, request, move, business, program, form)
            phone = phone_in(form.cleaned_data["phone"], business)
            card = LoyaltyCard.objects.get(enrollment__program=program, enrollment__customer__phone=phone)
            said = f"Enrolled in {program} already."
        messages.success(request, said)
        return HttpResponseRedirect(address_of(move, card) if card else request.get_full_path())
    return _form(site, request, move, business, program, form)


def offer_to_enroll(business: Business, text: str) -> dict[str, Any]:
    """The form for whoever was not found, if a phone was looked for."""
    phone = phone_in(text, business)
    if not phone:
        return {}
    form = EnrollForm(initial={"phone": phone_for_display(phone)})
    return {"enroll_form": form, "enroll_program": _default_program(business)}


def _form(
    site: AdminSite, request: HttpRequest, move: Move, business: Business, program: Program | None, form: EnrollForm
) -> HttpResponse:
    first = "name" if form["phone"].value() and not form["phone"].errors else "phone"
    form.fields[first].widget.attrs["autofocus"] = True
    context = {"title": "Enrol", "enroll_form": form, "enroll_program": program, "focus": "enroll"}
    return page(site, request, move, business, context)


def _default_program(business: Business) -> Program | None:
    return business.programs.filter(is_default=True).first()


def _enrolled(user: User, program: Program, entered: dict[str, Any]) -> tuple[LoyaltyCard | None, str]:
    """The card, or none while the customer has to answer; and what to say. Raises ValidationError."""
    with transaction.atomic():
        customer = services.find_or_add_customer(entered["phone"], business=program.business, name=entered["name"])
        source = Enrollment.Source.TILL
        enrollment, request = services.request_enrollment(customer, program, by=user, source=source)
        if request is not None:
            said = f"Invited to {program}. The customer has a login and answers there, within seven days."
            return None, said
        card = LoyaltyCard.objects.get(enrollment=enrollment)
        log(user, card, f"Enrolled in {program} at the till; the customer agreed.")
    return card, f"Enrolled in {program}."
