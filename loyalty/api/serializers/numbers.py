"""Points and money, as JSON carries them."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from loyalty.models import rules


class WholeNumber(serializers.IntegerField):
    """A JSON integer: neither text, nor true, nor 5.0."""

    def to_internal_value(self, data: Any) -> int:
        """Raises ValidationError naming the field."""
        if type(data) is not int:
            self.fail("invalid")
        return int(data)


class PointsField(WholeNumber):
    """Points of one movement."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": rules.MOST_POINTS, **kwargs})


class MoneyField(serializers.DecimalField):
    """An amount that somebody sends, as a number or as text, to the cent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=2, min_value=Decimal(0), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field; -0.00 is 0.00."""
        return super().to_internal_value(data) + 0


class AmountField(serializers.DecimalField):
    """An amount that is answered: text with two places, however large."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=None, decimal_places=2, **kwargs)
