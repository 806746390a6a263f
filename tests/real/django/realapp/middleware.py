"""What the application tells the proxy in headers, and the test behind its back."""

# Parameters of the query that set a header of the answer, whatever the view.
REPLIES = {
    "user": "X-User-ID",
    "cache": "X-Cache-Status",
    "cache-status": "Cache-Status",
    "age": "Age",
    "timing": "Server-Timing",
}


class ExceptionHeaders:
    """Puts type and message of an unhandled exception on its 500; an `Http404` is an answer, no failure."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        exception = getattr(request, "unhandled", None)
        if exception is not None and response.status_code >= 500:
            response["X-Exception-Type"] = type(exception).__name__
            response["X-Exception-Message"] = str(exception).replace("\r", " ").replace("\n", " ")
        return response

    def process_exception(self, request, exception):
        """Remembers it; Django makes the answer of it, which is no 500 for exceptions such as its own `Http404`."""
        request.unhandled = exception
        return None


class ReplyHeaders:
    """Sets the headers that the query asks for, and who is logged in."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        for parameter, header in REPLIES.items():
            if parameter in request.GET:
                response[header] = request.GET[parameter]
        if "sessionid" in request.COOKIES and request.user.is_authenticated:
            response["X-User-ID"] = str(request.user.pk)
        return response


class Resolved:
    """Notes what Django's resolver made of the path, for the witness around the application."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        match = request.resolver_match
        request.environ["realapp.match"] = {
            "view_name": match.view_name,
            "args": [plain(value) for value in match.args],
            "kwargs": {name: plain(value) for name, value in match.kwargs.items()},
            "route": match.route,
        }
        return None


def plain(value):
    """A value as JSON has it: what is neither number nor nothing is text there."""
    return value if isinstance(value, (int, float, type(None))) else str(value)
