"""A strict HTTP/1.1 reader for both directions: what it accepts, every recipient reads the same way.

The same rules as tests/it/support/wire.rs: CRLF only, one space, tokens as names, one framing field.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
TARGET = re.compile(r"[^\x00-\x20\x7f]+\Z")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")


class End(Exception):
    """Why a message is not whole: closed (before it began), cut, silent, or invalid."""

    def __init__(self, kind, detail=""):
        super().__init__(f"{kind} {detail}".strip())
        self.kind = kind


@dataclass
class Message:
    start: list = field(default_factory=lambda: ["", "", ""])
    fields: list = field(default_factory=list)
    body: bytes = b""
    ended: str = ""
    detail: str = ""

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def status(self):
        return int(self.start[1]) if self.start[1].isdigit() else 0


class Reader:
    """Messages one after another from a socket; `raw` keeps every byte."""

    def __init__(self, socket):
        self.socket, self.buffer, self.raw = socket, b"", bytearray()

    def more(self):
        try:
            piece = self.socket.recv(65536)
        except TimeoutError:
            raise End("silent") from None
        except OSError:
            raise End("cut", "by a reset") from None
        if not piece:
            raise End("cut")
        self.raw += piece
        self.buffer += piece

    def line(self):
        begin = 0
        while (at := self.buffer.find(b"\n", begin)) < 0:
            begin = len(self.buffer)
            self.more()
        line, self.buffer = self.buffer[:at], self.buffer[at + 1 :]
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise End("invalid", f"line end of {line[:60]!r}")
        return line[:-1].decode("latin-1")

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def rest(self):
        """All until the far end closes, and how it ended."""
        while True:
            try:
                self.more()
            except End as end:
                taken, self.buffer = self.buffer, b""
                return taken, end

    def message(self, answers=None):
        """The next request, or the next answer to the method `answers`; `ended` is "whole" or how it failed."""
        message = Message()
        try:
            self.fill(message, answers)
            message.ended = "whole"
        except End as end:
            message.ended, message.detail = end.kind, str(end)
        return message

    def fill(self, message, answers):
        if not self.buffer:
            try:
                self.more()
            except End as end:
                raise End("closed" if end.kind == "cut" else end.kind) from None
        message.start = start_line(self.line(), answers)
        message.fields = self.fields()
        if answers is None:
            check_request(message)
        self.fill_body(message, framing(message, answers))

    def fields(self):
        fields = []
        while line := self.line():
            name, colon, value = line.partition(":")
            if not colon or not TOKEN.match(name) or not VALUE.match(value):
                raise End("invalid", f"field {line[:60]!r}")
            fields.append((name.lower(), value.strip(" \t")))
        return fields

    def fill_body(self, message, kind):
        if kind == "chunked":
            while (size := chunk_size(self.line())) > 0:
                message.body += self.take(size)
                if self.line():
                    raise End("invalid", "end of a chunk")
            self.fields()
        elif kind == "close":
            message.body, end = self.rest()
            if end.kind != "cut" or "reset" in str(end):
                raise end
        elif kind:
            while len(message.body) < kind:
                if not self.buffer:
                    self.more()
                message.body += self.take(min(kind - len(message.body), len(self.buffer)))


def start_line(line, answers):
    words = line.split(" ", 2) + [""] * 2
    if answers is None:
        valid = TOKEN.match(words[0]) and TARGET.match(words[1]) and words[2] in ("HTTP/1.1", "HTTP/1.0")
    else:
        valid = words[0] in ("HTTP/1.1", "HTTP/1.0") and re.fullmatch("[0-9]{3}", words[1]) and VALUE.match(words[2])
    if not valid:
        raise End("invalid", f"start line {line[:80]!r}")
    return words[:3]


def framing(message, answers):
    """A length, "chunked" or "close"."""
    coding, length = message.all("transfer-encoding"), message.all("content-length")
    bodiless = answers is not None and (answers == "HEAD" or message.status < 200 or message.status in (204, 304))
    if answers is not None and (message.status < 200 or message.status == 204) and (coding or length):
        raise End("invalid", f"framing in a {message.status}")
    if not coding and not length:
        kind = 0 if answers is None else "close"
    elif [value.lower() for value in coding] == ["chunked"] and not length:
        kind = "chunked"
    elif len(length) == 1 and not coding and re.fullmatch("[0-9]+", length[0]):
        kind = int(length[0])
    else:
        raise End("invalid", f"framing by {coding} {length}")
    return 0 if bodiless else kind


def chunk_size(line):
    if not re.fullmatch("[0-9A-Fa-f]{1,16}", line):
        raise End("invalid", f"chunk size {line[:40]!r}")
    return int(line, 16)


def check_request(message):
    if len(message.all("host")) != 1:
        raise End("invalid", f"Host is {message.all('host')}")
    for name in ("keep-alive", "proxy-connection"):
        if message.all(name):
            raise End("invalid", f"{name} passed")
    if message.all("te") not in ([], ["trailers"]):
        raise End("invalid", f"TE: {message.all('te')}")
