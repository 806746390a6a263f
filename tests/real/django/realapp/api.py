"""A REST framework API: a DefaultRouter with format suffixes, extra actions and lookups of several kinds."""

from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter


class Things(viewsets.ViewSet):
    """Every standard action."""

    def list(self, request, **kwargs):
        return Response([{"id": number} for number in range(3)])

    def create(self, request, **kwargs):
        return Response({"id": 4}, status=201)

    def retrieve(self, request, pk=None, **kwargs):
        return Response({"id": pk})

    def update(self, request, pk=None, **kwargs):
        return Response({"id": pk})

    def partial_update(self, request, pk=None, **kwargs):
        return Response({"id": pk})

    def destroy(self, request, pk=None, **kwargs):
        return Response(status=204)

    @action(detail=True, methods=["get", "post"], url_path="set-price/(?P<price>[0-9]+)")
    def set_price(self, request, pk=None, price=None, **kwargs):
        return Response({"id": pk, "price": price})

    @action(detail=False)
    def recent(self, request, **kwargs):
        return Response([])


class Parts(viewsets.ViewSet):
    """Looked up by a name of a narrower form."""

    lookup_field = "serial"
    lookup_value_regex = "[0-9a-f]{6}"

    def list(self, request, **kwargs):
        return Response([])

    def retrieve(self, request, serial=None, **kwargs):
        return Response({"serial": serial})


router = DefaultRouter()
router.register("things", Things, basename="thing")
router.register(r"parts", Parts, basename="part")
router.register(r"things/(?P<thing_pk>[^/.]+)/parts", Parts, basename="thing-part")

# The same by `path()` and converters rather than regular expressions.
paths = SimpleRouter(use_regex_path=False, trailing_slash=False)


class Boxes(Things):
    """Looked up by a converter."""

    lookup_value_converter = "int"
    set_price = None
    recent = None


paths.register("boxes", Boxes, basename="box")
