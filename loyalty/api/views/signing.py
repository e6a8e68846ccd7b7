"""Links that sign customers in."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty.api import serializers as shapes
from loyalty.services import signing_in

ANSWER = {"detail": "If the address belongs to somebody, a link is on its way. It works once, within 15 minutes."}


class LinkView(APIView):
    """Ask for a link that signs a customer in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_scope = "public"

    @extend_schema(
        request=shapes.LinkSerializer,
        responses={202: shapes.LinkAskedSerializer},
        operation_id="sign_in_link",
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """202, the same whether or not anybody has the address; nothing is mailed to one that nobody has.

        At most five mails an hour go to an address; more are dropped quietly.
        """
        form = shapes.LinkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        signing_in.request_link(form.validated_data["email"])
        return Response(ANSWER, status=202)
