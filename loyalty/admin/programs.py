"""Points programs: their settings, with examples that follow what is typed."""

from copy import copy
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from crm.admin import TenantAdmin
from crm.admin.filters import BusinessFilter
from loyalty import services
from loyalty.admin.examples import changes_of, examples_of
from loyalty.admin.program_forms import ProgramForm, RewardFormSet, plain_decimal
from loyalty.models import Program, RewardTier
from loyalty.selectors import money
from notifications.admin import badge

FOLDER = "admin/loyalty/program"
RATES = {
    Program.EarnRule.PER_AMOUNT: "for each {unit}",
    Program.EarnRule.PER_VISIT: "for each visit",
    Program.EarnRule.FIXED: "for each order",
}


class RewardInline(admin.TabularInline):  # type: ignore[type-arg]
    """What the program suggests to spend points on."""

    model = RewardTier
    formset = RewardFormSet
    extra = 1
    verbose_name = "reward"
    verbose_name_plural = "rewards"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the program."""
        return bool(self._program_admin.has_view_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the program."""
        return bool(self._program_admin.may_edit(request, obj))

    has_add_permission = has_delete_permission = has_change_permission

    @property
    def _program_admin(self) -> Any:
        return self.admin_site.get_model_admin(Program)


@admin.register(Program)
class ProgramAdmin(TenantAdmin):
    """Managers set up the programs of their business. A program is switched off, never deleted."""

    form = ProgramForm
    inlines = (RewardInline,)
    list_display = ("name", "business", "active_badge", "default_badge", "earning", "worth", "expiry")
    list_filter = (BusinessFilter, "is_active", "earn_rule")
    list_select_related = ("business",)
    search_fields = ("name", "business__name")
    search_help_text = "Names of programs and businesses."
    empty_text = "Add the first program: customers collect points in it as soon as they join."
    change_form_template = f"{FOLDER}/change_form.html"
    fieldsets = (
        (None, {"fields": ("business", "name")}),
        ("Earning", {"fields": ("earn_rule", "points_per_unit", "min_order", "welcome_points", "expiry_days")}),
        ("Tiers", {"fields": ("tiers",)}),
        (
            "Redemption",
            {"fields": ("point_value", "redemption_minimum", "redemption_increment", "max_redeem_percent")},
        ),
        (
            "Limits",
            {"fields": ("max_points_per_transaction", "max_points_per_day", "deduction_needs_approval")},
        ),
        ("Scanning", {"fields": ("scan_points", "scan_cooldown_minutes")}),
        ("Status", {"fields": ("is_active", "is_default")}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the examples of what is typed."""
        view = self.admin_site.admin_view(self.preview)
        return [path("preview/", view, name="loyalty_program_preview"), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A program stays in its business. Whoever only looks is shown the tiers as a table."""
        if obj is None:
            return ()
        return ("business_name",) if self.has_change_permission(request, obj) else ("business_name", "tiers_table")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What cannot be changed stands there as text."""
        if obj is None:
            return self.fieldsets
        shown: dict[str | None, Any] = {None: {"fields": ("business_name", "name")}}
        if not self.has_change_permission(request, obj):
            shown["Tiers"] = {"fields": ("tiers_table",)}
        return [(name, shown.get(name, options)) for name, options in self.fieldsets]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The business, where there is but one to choose."""
        own = list(self.businesses(request, "add")[:2])
        return super().get_changeform_initial_data(request) | ({"business": own[0]} if len(own) == 1 else {})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's. What a colleague saved in the meantime may still forbid it."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Program, form: Any, change: bool) -> None:
        """By the service, and only what was edited: an old page does not undo what a colleague changed."""
        if change:
            services.change_program(obj, **{name: form.cleaned_data[name] for name in form.changed_data})
        else:
            services.save_program(obj)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """The form as it is typed: its errors, or the examples and what saving would touch. Saves nothing."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        wanted = request.GET.get("program")
        program = self.get_object(request, wanted) if wanted else None
        if not self.may_edit(request, program):
            raise PermissionDenied
        saved = copy(program)
        form = self.get_form(request, program, change=program is not None)(request.POST, instance=program)
        return TemplateResponse(request, f"{FOLDER}/_examples.html", preview_of(form, saved))

    def may_edit(self, request: HttpRequest, program: Program | None) -> bool:
        """Whether the user may save what the form holds."""
        return self.has_add_permission(request) if program is None else self.has_change_permission(request, program)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the examples beside the form."""
        form, program = context["adminform"].form, kwargs.get("obj")
        if form.is_bound:
            context |= preview_of(form, Program.objects.filter(pk=program.pk).first() if program else None)
        elif program or form.initial.get("business"):
            context["examples"] = examples_of(program or Program(business=form.initial["business"]))
        context["may_preview"] = self.may_edit(request, program)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Business")
    def business_name(self, program: Program) -> str:
        """Its name."""
        return program.business.name

    @admin.display(description="Tiers")
    def tiers_table(self, program: Program) -> SafeString:
        """As they are."""
        return render_to_string(f"{FOLDER}/tiers_shown.html", {"tiers": program.ladder})

    @admin.display(description="Status", ordering="is_active")
    def active_badge(self, program: Program) -> SafeString:
        """On or off."""
        return badge("live", "On") if program.is_active else badge("closed", "Switched off")

    @admin.display(description="Default", ordering="is_default")
    def default_badge(self, program: Program) -> SafeString | str:
        """Whether it is the one met where a till gives only a phone."""
        return badge("role", "Default") if program.is_default else "–"

    @admin.display(description="Earns", ordering="points_per_unit")
    def earning(self, program: Program) -> str:
        """In words."""
        points = plain_decimal(program.points_per_unit)
        unit = money(Decimal(1), program.business.currency)
        each = RATES[Program.EarnRule(program.earn_rule)].format(unit=unit)
        return f"{points} {'point' if points == '1' else 'points'} {each}"

    @admin.display(description="100 points are worth", ordering="point_value")
    def worth(self, program: Program) -> str:
        """In the business's currency."""
        return examples_of(program).redemptions[0].worth

    @admin.display(description="Points expire", ordering="expiry_days")
    def expiry(self, program: Program) -> str:
        """After how long."""
        return "Never" if program.expiry_days is None else f"After {program.expiry_days:,} days"


def preview_of(form: "ModelForm[Any]", saved: Program | None) -> dict[str, Any]:
    """What the examples show of a form that was filled in: nothing is worked out while it has errors."""
    if not form.is_valid():
        labels = {name: form[name].label for name in form.fields}
        return {"problems": [(labels.get(name, ""), text) for name, errors in form.errors.items() for text in errors]}
    return {
        "examples": examples_of(form.instance),
        "changes": changes_of(saved, form.instance, form.changed_data),
        "is_typed": True,
    }
