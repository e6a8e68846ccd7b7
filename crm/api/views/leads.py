"""Leads, and what is said to them."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from crm import services
from crm.api.serializers import leads as shapes
from crm.api.views.tenants import BusinessView
from crm.models import Lead, Message
from crm.selectors import leads_of, search_leads, threads

VIEW, ADD, CHANGE, DELETE = (f"crm.{action}_lead" for action in ("view", "add", "change", "delete"))


class LeadsView(BusinessView, ListAPIView[Lead]):
    """The leads of a business."""

    queryset = Lead.objects.all()
    serializer_class = shapes.LeadSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.LeadsQuerySerializer], operation_id="leads")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sorted by `created_at`, `updated_at`, `name`, `company`, `last_message_at` or `crm_last_activity_at`, with
        a minus downwards. Leads that the CRM no longer has are not among them, unless asked for."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Lead]:
        """Narrowed and in order."""
        asked = self.asked(shapes.LeadsQuerySerializer)
        asked.pop("business", None)
        return leads_of(self.business(VIEW), **asked)

    @extend_schema(request=shapes.NewLeadSerializer, responses={201: shapes.LeadSerializer}, operation_id="add_lead")
    def post(self, request: Request) -> Response:
        """A lead by hand, which no sync takes away. It needs a name, and a phone or an email."""
        sent = self.read(shapes.NewLeadSerializer)
        lead = services.add_lead(self.business(ADD, sent.pop("business", None)), **sent)
        body = shapes.LeadSerializer(lead).data
        return Response(body, status=201, headers={"Location": f"/api/leads/{lead.pk}"})


class LeadAccess(BusinessView):
    """About one lead."""

    def lead(self, permission: str) -> Lead:
        """The one of the address, whether or not the CRM still has it. Raises Http404."""
        rows = Lead.objects.select_related("business").filter(business__in=self.businesses(permission))
        return get_object_or_404(rows, pk=self.kwargs["id"])


class LeadView(LeadAccess):
    """One lead."""

    @extend_schema(responses=shapes.LeadSerializer, operation_id="lead")
    def get(self, request: Request, id: str) -> Response:
        """Also one that the CRM no longer has: see `crm_deleted_at`."""
        return Response(shapes.LeadSerializer(self.lead(VIEW)).data)

    @extend_schema(
        request=shapes.LeadSerializer(partial=True), responses=shapes.LeadSerializer, operation_id="edit_lead"
    )
    def patch(self, request: Request, id: str) -> Response:
        """What is edited by hand is remembered in `edited_fields`: a sync leaves it alone."""
        lead = self.lead(CHANGE)
        lead = services.edit_lead(lead, **self.read(shapes.LeadSerializer))
        return Response(shapes.LeadSerializer(lead).data)

    @extend_schema(responses={204: None}, operation_id="delete_lead")
    def delete(self, request: Request, id: str) -> Response:
        """With its messages. A CRM that still has the contact brings it again."""
        services.delete_lead(self.lead(DELETE))
        return Response(status=204)


class ThreadsView(BusinessView, ListAPIView[Lead]):
    """Whom one speaks with."""

    queryset = Lead.objects.all()
    serializer_class = shapes.ThreadSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.ThreadsQuerySerializer], operation_id="threads")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, by the last message or else the creation: one row a phone, of its newest lead. Leads without a
        phone have a row each."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Lead]:
        """Narrowed and in order."""
        business = self.business(VIEW)
        text = self.asked(shapes.ThreadsQuerySerializer).get("q", "")
        rows = threads(business)
        return search_leads(rows, text, business.default_region) if text else rows


class MessagesView(LeadAccess, ListAPIView[Message]):
    """What was said to a lead, and by it."""

    queryset = Message.objects.all()
    serializer_class = shapes.MessageSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.MessagesQuerySerializer], operation_id="messages")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, so that the first page is the end of the conversation, which is what one opens; sorted by
        `sent_at` it is read from its beginning."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Message]:
        """Of the lead, in order."""
        down = "" if self.asked(shapes.MessagesQuerySerializer).get("ordering") == "sent_at" else "-"
        return self.lead(VIEW).messages.order_by(f"{down}sent_at", f"{down}created_at", "id")

    @extend_schema(
        request=shapes.MessageSerializer, responses={201: shapes.MessageSerializer}, operation_id="log_message"
    )
    def post(self, request: Request, id: str) -> Response:
        """Notes a message that was sent elsewhere; nothing is sent. An outbound one marks the lead as contacted."""
        lead = self.lead(CHANGE)
        message = services.log_message(lead, by=self.user, **self.read(shapes.MessageSerializer))
        return Response(shapes.MessageSerializer(message).data, status=201)
