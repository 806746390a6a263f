"""Stands between gunicorn and Django and writes down, a line of JSON for each request, what came in and what went out.

What a test compares with the proxy's record is this: the bytes as gunicorn handed them over, not Django's reading of them.
"""

import hashlib
import json
import os

BLOCK = 65536


class Witness:
    """A WSGI application around another; `path` is appended to by all workers, a line at a time."""

    def __init__(self, application, path):
        self.application = application
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, environ, start_response):
        received = environ["wsgi.input"] = Counted(environ["wsgi.input"])
        answer = {}

        def start(status, headers, *exc_info):
            # Unread bytes are read before the answer goes out, so that the proxy's count is not a matter of luck.
            if "HTTP_X_LEAVE_BODY" not in environ:
                received.drain()
            answer.update(status=int(status.split()[0]), response_headers=[[name.lower(), value] for name, value in headers])
            return start_response(status, headers, *exc_info)

        body = self.application(environ, start)
        return Sent(body, lambda sent: self.write({**request(environ), **received.report("body"), **answer, **sent}))

    def write(self, seen):
        os.write(self.file, json.dumps(seen).encode() + b"\n")


class Counted:
    """The request's body: counts and hashes what is read of it."""

    def __init__(self, stream):
        self.stream, self.length, self.digest = stream, 0, hashlib.sha256()

    def read(self, size=-1):
        return self.count(self.stream.read() if size is None or size < 0 else self.stream.read(size))

    def readline(self, *size):
        return self.count(self.stream.readline(*size))

    def __iter__(self):
        return iter(self.readline, b"")

    def count(self, block):
        self.length += len(block)
        self.digest.update(block)
        return block

    def drain(self):
        while self.read(BLOCK):
            pass

    def report(self, name):
        return {f"{name}_length": self.length, f"{name}_sha256": self.digest.hexdigest()}


class Sent:
    """The response's body on its way to gunicorn; `done` is told of it when gunicorn closes it."""

    def __init__(self, body, done):
        self.body, self.done, self.length, self.digest = body, done, 0, hashlib.sha256()

    def __iter__(self):
        for block in self.body:
            self.length += len(block)
            self.digest.update(block)
            yield block

    def close(self):
        if hasattr(self.body, "close"):
            self.body.close()
        self.done({"sent_length": self.length, "sent_sha256": self.digest.hexdigest()})


def request(environ):
    """The request's head. Header values are bytes that WSGI shows as Latin-1."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return {
        "request_id": headers.get("x-request-id"),
        "method": environ["REQUEST_METHOD"],
        "target": environ["RAW_URI"],
        "query": environ["QUERY_STRING"],
        "protocol": environ["SERVER_PROTOCOL"],
        "scheme": environ["wsgi.url_scheme"],
        "content_type": environ.get("CONTENT_TYPE"),
        "content_length": environ.get("CONTENT_LENGTH"),
        "headers": headers,
        "match": environ.get("realapp.match"),
    }
