"""Two views of the database: what a customer and a business see of each other. There is nothing to refresh."""

from django.db import models


class CustomerBusinessView(models.Model):
    """One row for each business and customer, over all their active programs."""

    pk = models.CompositePrimaryKey("business_id", "customer_id")
    business_id = models.UUIDField()
    customer_id = models.UUIDField()
    name = models.CharField(max_length=201)
    phone = models.CharField(max_length=16)
    programs = models.IntegerField()
    points_balance = models.BigIntegerField()
    last_activity_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "customer_business_view"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class CustomerLoyaltyCards(models.Model):
    """One row for each card, with the names that a page shows."""

    card_id = models.UUIDField(primary_key=True)
    card_number = models.CharField(max_length=20)
    customer_id = models.UUIDField()
    business_id = models.UUIDField()
    business_name = models.CharField(max_length=200)
    program_id = models.UUIDField()
    program_name = models.CharField(max_length=100)
    points_balance = models.BigIntegerField()
    tier_level = models.CharField(max_length=30)
    last_activity_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "customer_loyalty_cards"
        default_permissions = ()

    def __str__(self) -> str:
        return self.card_number
