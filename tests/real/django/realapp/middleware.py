"""Tells the proxy what an exception was: the headers that gatelog reads by default and strips before the client."""


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
        """Remembers it; Django makes the 500 of it."""
        request.unhandled = exception
        return None
