"""Views by what they do to a proxy: echo, stream, sleep, raise, redirect, answer with any status."""

import time

from django.http import (
    Http404,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.views.decorators.csrf import csrf_exempt

from .middleware import plain

BLOCK = bytes(range(256)) * 256


def describe(request, args, kwargs):
    """What the view saw of a request."""
    length = 0
    while block := request.read(65536):
        length += len(block)
    return {
        "method": request.method,
        "path": request.path,
        "query": request.META["QUERY_STRING"],
        "body_length": length,
        "args": [plain(value) for value in args],
        "kwargs": {name: plain(value) for name, value in kwargs.items()},
    }


@csrf_exempt
def echo(request, *args, **kwargs):
    """Answers with what it saw."""
    return JsonResponse(describe(request, args, kwargs), json_dumps_params={"sort_keys": True})


class Echo:
    """A view that is an object, so that it has no name of its own."""

    def __call__(self, request, *args, **kwargs):
        return echo(request, *args, **kwargs)


@csrf_exempt
def status(request, code, **kwargs):
    """Any status; 1xx, 204 and 304 without a body."""
    body = b"" if code < 200 or code in (204, 304) else f"status {code}\n".encode()
    response = HttpResponse(body, status=code, content_type="text/plain")
    if not body:
        del response["Content-Type"]
    return response


def stream(request, count, **kwargs):
    """`count` chunks, of unknown length altogether."""
    pause = float(request.GET.get("pause", "0"))

    def chunks():
        for number in range(count):
            if pause:
                time.sleep(pause)
            yield f"chunk {number}\n".encode()

    return StreamingHttpResponse(chunks(), content_type="text/plain")


def broken_stream(request, count, **kwargs):
    """Some chunks, then an exception in the middle of the body."""

    def chunks():
        for number in range(count):
            yield f"chunk {number}\n".encode()
        time.sleep(float(request.GET.get("pause", "0")))
        raise RuntimeError("the stream broke")

    return StreamingHttpResponse(chunks(), content_type="text/plain")


def sleep(request, milliseconds, **kwargs):
    """Answers late."""
    time.sleep(milliseconds / 1000)
    return HttpResponse(f"slept {milliseconds} ms\n", content_type="text/plain")


def large(request, size, **kwargs):
    """`size` bytes with their length declared."""
    response = StreamingHttpResponse(blocks(size), content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    return response


def chunked(request, size, **kwargs):
    """`size` bytes in chunks."""
    return StreamingHttpResponse(blocks(size), content_type="application/octet-stream")


def blocks(size):
    """Blocks that add up to `size` bytes."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def fail(request, kind="ValueError", **kwargs):
    """Raises."""
    failures = {
        "ValueError": ValueError("a value was wrong"),
        "KeyError": KeyError("missing"),
        "AssertionError": AssertionError(),
        "ZeroDivisionError": ZeroDivisionError("division by zero"),
        "unicode": RuntimeError("caf\u00e9 \u2615\nsecond line"),
    }
    raise failures.get(kind, RuntimeError(kind))


def missing(request, **kwargs):
    """A view's own 404, which is not the resolver's."""
    raise Http404("there is no such thing")


def redirect(request, target="", **kwargs):
    """302, or 301 with `?permanent=1`."""
    kind = HttpResponsePermanentRedirect if request.GET.get("permanent") else HttpResponseRedirect
    return kind("/" + target)
