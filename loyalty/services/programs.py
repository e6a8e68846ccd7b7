"""How programs are set up and changed."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, Value, When

from crm.models import Business
from loyalty.models import LoyaltyCard, Program


def add_program(business: Business, **settings: Any) -> Program:
    """A new program; a business's first one is its default. Raises ValidationError naming a field."""
    return save_program(Program(business=business, **settings))


def change_program(program: Program, **settings: Any) -> Program:
    """Other rules from now on; what is booked keeps the rules of its day. Raises ValidationError naming a field."""
    with transaction.atomic():
        _lock(program)
        fresh = Program.objects.get(pk=program.pk)
        for name, value in settings.items():
            setattr(fresh, name, value)
        return save_program(fresh)


def save_program(program: Program) -> Program:
    """Keep one default in the business, and every card on the tier that its lifetime points reach.

    Raises ValidationError naming a field.
    """
    with transaction.atomic():
        _lock(program)
        others = Program.objects.filter(business=program.business_id).exclude(pk=program.pk)
        if not others.filter(is_default=True).exists():
            program.is_default = True
        if program.is_default:
            others.filter(is_default=True).update(is_default=False)
        if others.filter(name=program.name).exists():
            raise ValidationError({"name": ["The business has a program of this name."]})
        program.full_clean()
        before = Program.objects.filter(pk=program.pk).values_list("tiers", flat=True).first()
        program.save()
        if before not in (None, program.tiers):
            _retier(program)
    return program


def _lock(program: Program) -> None:
    """The business orders those who would both become its default; the program, those who join it meanwhile."""
    Business.objects.select_for_update(no_key=True).get(pk=program.business_id)
    Program.objects.select_for_update(no_key=True).filter(pk=program.pk).first()


def _retier(program: Program) -> None:
    """The tiers may have moved. Each card's lock first: what moves its points reads the rules under that lock."""
    cards = LoyaltyCard.objects.filter(enrollment__program=program)
    list(cards.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    ladder = program.ladder
    steps = [When(total_points_earned__gte=tier.from_points, then=Value(tier.level)) for tier in reversed(ladder)]
    level = Case(*steps, default=Value(ladder[0].level))
    cards.exclude(tier_level=level).update(tier_level=level)
