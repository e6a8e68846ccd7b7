"""What a login sees of what people were told."""

from django.db.models import Value

from crm.models import Membership, User
from loyalty.models import Customer
from notifications.selectors import Scope, latest_change, newest

CUSTOMER, BUSINESS = "customer", "business"


def scope_of(user: User) -> Scope:
    """The customer that the user is, the businesses they work for, and how far the feed of all of them is.

    In one query: it is all that a page costs which asks every few seconds whether there is something new.
    """
    is_customer = Customer.objects.filter(user=user).order_by().annotate(kind=Value(CUSTOMER))
    works_for = Membership.objects.filter(user=user).order_by().annotate(kind=Value(BUSINESS))
    customers = is_customer.values_list("kind", "pk", latest_change("customer_id", of="pk"))
    businesses = works_for.values_list("kind", "business_id", latest_change("business_id", of="business_id"))
    rows = list(customers.union(businesses, all=True))
    return Scope(
        customer=next((recipient for kind, recipient, _place in rows if kind == CUSTOMER), None),
        businesses=sorted(recipient for kind, recipient, _place in rows if kind == BUSINESS),
        version=newest([place for _kind, _recipient, place in rows]),
    )
