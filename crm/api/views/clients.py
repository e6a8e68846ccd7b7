"""Clients."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from crm import services
from crm.api.serializers import clients as shapes
from crm.api.views.tenants import BusinessView
from crm.models import Client
from crm.selectors import clients_of, with_delivery

VIEW, ADD, CHANGE, DELETE = (f"crm.{action}_client" for action in ("view", "add", "change", "delete"))


def answer(client: Client, **kwargs: Any) -> Response:
    """The client, with how far the news of them is now. Raises Http404 when it was deleted meanwhile."""
    row = get_object_or_404(with_delivery(Client.objects.all()), pk=client.pk)
    return Response(shapes.ClientSerializer(row).data, **kwargs)


class ClientsView(BusinessView, ListAPIView[Client]):
    """The clients of a business."""

    queryset = Client.objects.all()
    serializer_class = shapes.ClientSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.ClientsQuerySerializer], operation_id="clients")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sorted by `first_name`, `last_name`, `email`, `company`, `created_at` or `updated_at`, with a minus
        downwards."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Client]:
        """Narrowed and in order."""
        asked = self.asked(shapes.ClientsQuerySerializer)
        asked.pop("business", None)
        return clients_of(self.business(VIEW), **asked)

    @extend_schema(
        request=shapes.NewClientSerializer, responses={201: shapes.ClientSerializer}, operation_id="add_client"
    )
    def post(self, request: Request) -> Response:
        """Answers at once, whatever Loops does: it is told in the background. 409 `duplicate_email` for an address
        that is a client's of this business already."""
        sent = self.read(shapes.NewClientSerializer)
        client = services.add_client(self.business(ADD, sent.pop("business", None)), **sent)
        return answer(client, status=201, headers={"Location": f"/api/clients/{client.pk}"})


class ClientView(BusinessView):
    """One client."""

    def client(self, permission: str) -> Client:
        """The one of the address. Raises Http404."""
        rows = Client.objects.filter(business__in=self.businesses(permission))
        return get_object_or_404(rows, pk=self.kwargs["id"])

    @extend_schema(responses=shapes.ClientSerializer, operation_id="client")
    def get(self, request: Request, id: str) -> Response:
        """One client."""
        return answer(self.client(VIEW))

    @extend_schema(request=shapes.ClientSerializer, responses=shapes.ClientSerializer, operation_id="replace_client")
    def put(self, request: Request, id: str) -> Response:
        """The whole client: what is left out is blank, and active. 409 `duplicate_email`."""
        client = self.client(CHANGE)
        return answer(services.change_client(client, **self.read(shapes.ClientSerializer)))

    @extend_schema(
        request=shapes.ClientSerializer(partial=True), responses=shapes.ClientSerializer, operation_id="change_client"
    )
    def patch(self, request: Request, id: str) -> Response:
        """What is left out stays. A new address moves the contact at Loops. 409 `duplicate_email`."""
        client = self.client(CHANGE)
        return answer(services.change_client(client, **self.read(shapes.ClientSerializer, partial=True)))

    @extend_schema(responses={204: None}, operation_id="delete_client")
    def delete(self, request: Request, id: str) -> Response:
        """For good. Their contact at Loops is unsubscribed, unless the address has a role in the awards or is another
        client's."""
        services.delete_client(self.client(DELETE))
        return Response(status=204)
