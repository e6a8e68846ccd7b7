"""The readable description of the API."""

from typing import Any

from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer


class DocsView(SpectacularSwaggerSplitView):
    """Served from here and free of inline code, as the content security policy asks."""

    template_name = "docs.html"
    url_name = "api-schema"
    authentication_classes: list[Any] = []
    renderer_classes = [TemplateHTMLRenderer]
