"""What the account at Loops lacked when it was looked at last."""

from django.db import models
from django.db.models import Q


class AccountSetup(models.Model):
    """The custom properties and mailing lists that Loops does not have, in one row.

    `mistyped` is `{property: the type it has}` where that is another than ours; only a person can mend it.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    checked_at = models.DateTimeField()
    missing_properties = models.JSONField(default=list)
    mistyped = models.JSONField(default=dict)
    missing_lists = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="account_setup_one_row")]

    def __str__(self) -> str:
        return "account setup"
