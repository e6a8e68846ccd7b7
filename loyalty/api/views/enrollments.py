"""Joining a program."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import services
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import CASHIER, REDEEM, PointsView, check_rights, found
from loyalty.models import Customer, Enrollment, Program
from loyalty.selectors import TOLD

AN_ID = "5d0e5f0e-7a0c-4d3b-9d0c-2f6f2f9f9b11"
Source = Enrollment.Source


class EnrollmentsView(PointsView):
    """Enrol somebody at a till, or join as a customer."""

    @extend_schema(
        request=shapes.EnrollSerializer,
        responses={201: shapes.EnrolledSerializer},
        operation_id="enroll",
        examples=[
            OpenApiExample(
                "At the till",
                {"phone": "07306 506797", "name": "Ada Lovelace", "program": AN_ID},
                request_only=True,
            ),
            OpenApiExample("By the customer", {"program": AN_ID}, request_only=True),
            OpenApiExample("Enrolled", {"id": AN_ID, "status": "active", "card": AN_ID}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Members name somebody: whoever has a login is asked and `pending`, others have agreed at the till.

        Customers name nobody, and join at once; that also answers a question that is open. 409 `already_enrolled`,
        409 `enrollment_pending`, 409 `declined_recently` (for seven days), 409 `program_inactive`.
        """
        sent = self.read(shapes.EnrollSerializer)
        program = Program.objects.select_related("business").filter(pk=sent["program"]).first()
        with services.refusals_logged(), transaction.atomic():
            is_named = not {"phone", "customer", "qr"}.isdisjoint(sent)
            enrollment = self.enroll(program, sent) if is_named else self.join(program)
        return Response(shapes.EnrolledSerializer(enrollment).data, status=201)

    def enroll(self, program: Program | None, sent: dict[str, Any]) -> Enrollment:
        """At a till. Raises as `check_rights`, and Http404 for a customer whom the business does not know."""
        business = check_rights(self.user, program.business if program else None, CASHIER, REDEEM)
        is_staff = self.user.acts_for_all(REDEEM)
        if "qr" in sent:
            customer = services.customer_of_code(sent["qr"], business, "enroll", by=self.user)
        elif "phone" in sent:
            customer = services.find_or_add_customer(sent["phone"], business=business, name=sent["name"])
        else:
            read = Q(scans__business=business, scans__outcome__in=TOLD)
            met = Customer.objects.filter(Q(enrollments__program__business=business) | read)
            customer = found((Customer.objects.all() if is_staff else met).filter(pk=sent["customer"]).first())
        source = Source.STAFF if is_staff else Source.TILL
        return services.request_enrollment(customer, found(program), by=self.user, source=source)[0]

    def join(self, program: Program | None) -> Enrollment:
        """As a customer. Raises PermissionDenied for whoever is none."""
        customer = getattr(self.user, "customer", None)
        if customer is not None:
            return services.join_program(customer, found(program))
        check_rights(self.user, program.business if program else None, CASHIER, REDEEM, is_known=True)
        raise ValidationError("Give exactly one of phone, customer and qr.")
