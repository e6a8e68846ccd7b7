"""What a login was told, its answers, and what has changed for it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.utils import timezone
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import services
from notifications.api import serializers as shapes
from notifications.models import Notification
from notifications.selectors import START, Scope, changes_after, notifications_of, preferences_of

PAGE = OpenApiParameter("page", int, description="From 1; past the end 404.")
PAGE_SIZE = OpenApiParameter("page_size", int, description="25 unless asked, 100 at most.")
IF_NONE_MATCH = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The last answer's ETag.")


def nothing_of(user: Any) -> Scope:
    """What anybody sees until whoever mounts these views says better."""
    return Scope(customer=None, businesses=[], version=START)


class ScopedView(APIView):
    """About what the caller sees: as a customer, as a member of businesses, or both."""

    scope_of: Callable[[Any], Scope] = staticmethod(nothing_of)

    @cached_property
    def scope(self) -> Scope:
        """Asked once in a request."""
        return self.scope_of(self.request.user)

    @property
    def customer(self) -> UUID:
        """The customer that the caller is. Raises PermissionDenied."""
        if self.scope.customer is None:
            raise PermissionDenied("This is for customers.")
        return self.scope.customer

    def read(self, shape: type[serializers.Serializer[Any]], data: Any, **context: Any) -> dict[str, Any]:
        """What was sent, in that shape. Raises ValidationError."""
        form = shape(data=data, context=context)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def asked(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The address's parameters in that shape; a blank one is none. Raises ValidationError."""
        return self.read(shape, {name: text for name, text in self.request.query_params.items() if str(text).strip()})


class OwnNotificationView(ScopedView):
    """Answers under /api/notifications may be kept by their reader, who asks each time whether they still hold."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Refusals too."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "private, no-cache"
        return response

    def notification(self, id: UUID) -> Notification:
        """The one of the address. Raises Http404 for another's as for a missing one."""
        found = notifications_of(self.scope).filter(pk=id).first()
        if found is None:
            raise Http404("Not found.")
        return found


class NotificationsView(OwnNotificationView, GenericAPIView[Notification]):
    """What the caller was told."""

    filter_backends = ()

    @extend_schema(
        parameters=[shapes.NotificationsQuerySerializer, PAGE, PAGE_SIZE, IF_NONE_MATCH],
        responses={200: shapes.NotificationPageSerializer, 304: None},
        operation_id="notifications",
    )
    def get(self, request: Request) -> Response:
        """Newest first: a customer's own, and those of the businesses where the caller is a member.

        With nothing new since the answer whose ETag comes back in `If-None-Match`: 304.
        """
        asked = self.asked(shapes.NotificationsQuerySerializer)
        etag = self.etag()
        response = Response(status=304) if is_known(request, etag) else self.page(asked)
        response["ETag"] = etag
        return response

    def page(self, asked: dict[str, Any]) -> Response:
        """The rows that were asked for. Raises NotFound past the end."""
        rows = self.paginate_queryset(notifications_of(self.scope, **asked))
        response = self.get_paginated_response(shapes.NotificationSerializer(rows, many=True).data)
        response.data["unread_count"] = notifications_of(self.scope, unread=True).count()
        return response

    def etag(self) -> str:
        """Of the reader, what was asked, and the newest change: every change of a notification is in the feed.

        And of the day, because the feed forgets.
        """
        scope, asked = self.scope, sorted(self.request.query_params.lists())
        seen = [self.request.user.pk, scope.customer, scope.businesses, scope.version, asked, timezone.now().date()]
        return f'W/"{sha256(repr(seen).encode()).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the caller has this already. Weak or strong is all one to a reader."""
    sent = parse_etags(request.headers.get("If-None-Match", ""))
    return sent == ["*"] or etag.removeprefix("W/") in [text.removeprefix("W/") for text in sent]


class ReadAllView(OwnNotificationView):
    """All at once."""

    @extend_schema(request=None, responses=shapes.AllReadSerializer, operation_id="read_all_notifications")
    def post(self, request: Request) -> Response:
        """Everything that the caller sees has been read; questions stay open."""
        read = services.read_all(self.scope)
        return Response({"read": read, "unread_count": notifications_of(self.scope, unread=True).count()})


class ReadView(OwnNotificationView):
    """One of them."""

    @extend_schema(request=None, responses=shapes.NotificationSerializer, operation_id="read_notification")
    def post(self, request: Request, id: UUID) -> Response:
        """It has been read, if it was not before."""
        notification = self.notification(id)
        services.read_notification(notification)
        return Response(shapes.NotificationSerializer(notification).data)


class RespondView(OwnNotificationView):
    """A customer's answer to a question."""

    @extend_schema(
        request=shapes.DecisionSerializer, responses=shapes.NotificationSerializer, operation_id="answer_notification"
    )
    def post(self, request: Request, id: UUID) -> Response:
        """Once: 409 `already_answered`, `expired`, `not_a_question`, or what keeps the answer from taking effect."""
        notification = self.notification(id)
        if notification.customer_id is None:
            raise PermissionDenied("Only the customer may answer.")
        sent = self.read(shapes.DecisionSerializer, request.data)
        question = getattr(notification, "request", None)
        if question is None:
            raise ValidationError("Nothing is asked here.", code="not_a_question")
        answered = services.answer_request(question, accept=sent["decision"] == "accept", by=request.user)
        return Response(shapes.NotificationSerializer(answered.notification).data)


class PreferencesView(OwnNotificationView):
    """What a customer wants to be told, and how."""

    kinds: ClassVar[Mapping[str, str]] = {}

    @extend_schema(responses=shapes.PreferencesSerializer, operation_id="notification_preferences")
    def get(self, request: Request) -> Response:
        """Everything is shown and nothing is mailed, until the customer says otherwise."""
        return Response(shapes.shown_preferences(preferences_of(self.customer), self.kinds))

    @extend_schema(
        request=shapes.PreferencesSerializer,
        responses=shapes.PreferencesSerializer,
        operation_id="set_notification_preferences",
    )
    def put(self, request: Request) -> Response:
        """What is not mentioned keeps its value, each kind for itself."""
        customer = self.customer
        sent = self.read(shapes.PreferencesSerializer, request.data, kinds=self.kinds)
        return Response(shapes.shown_preferences(services.change_preferences(customer, **sent), self.kinds))


class ChangesView(ScopedView):
    """What a frontend has to load again."""

    @extend_schema(
        parameters=[shapes.ChangesQuerySerializer], responses=shapes.ChangesSerializer, operation_id="changes"
    )
    def get(self, request: Request) -> Response:
        """At most 500 at once: ask again with the new cursor until none come.

        Changes are kept for 30 days: whoever comes back later loads everything anew, and begins with no cursor.
        """
        after = self.asked(shapes.ChangesQuerySerializer).get("after")
        rows, cursor = ([], self.scope.version) if after is None else changes_after(self.scope, after)
        return Response(shapes.ChangesSerializer({"cursor": cursor, "changes": rows}).data)
