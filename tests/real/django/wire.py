"""Two clients: one that writes the bytes of HTTP/1 itself, and curl for HTTP/2. Both say what they sent and what they got."""

import http.client
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from peers import program  # noqa: E402

CHUNK = 10_000


@dataclass
class Request:
    """What is to be sent, byte for byte; names and values of headers are Latin-1 text, as WSGI shows them."""

    target: str
    method: str = "GET"
    headers: list = field(default_factory=list)
    body: bytes | None = None
    chunked: bool = False
    version: str = "1.1"
    keep: bool = True  # the connection, for the next request
    host: str | None = "shop.example"
    absolute: bool = False  # the target with scheme and host, as clients write it to a proxy

    def head(self):
        """The request line and all headers, as HTTP/1 writes them."""
        target = f"http://{self.host}{self.target}" if self.absolute else self.target
        lines = [f"{self.method} {target} HTTP/{self.version}"]
        lines += [f"Host: {self.host}"] if self.host else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        if not self.keep:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def value(self, name):
        """A header's value; `None` where it is not sent."""
        return next((value for given, value in self.headers if given.lower() == name), None)


@dataclass
class Answer:
    """What the client got."""

    status: int
    version: str
    headers: list
    body: bytes
    whole: bool  # the body ended as its framing says
    address: str = ""  # of this end of the connection
    seconds: float = 0.0
    trouble: str = ""  # why there is no answer

    def value(self, name):
        return next((value for given, value in self.headers if given == name), None)


class Client:
    """One connection at a time, kept as long as both sides like; `folder` is where curl saves what it gets."""

    def __init__(self, port, folder):
        self.port, self.folder, self.socket = port, folder, None

    def send(self, request):
        start = time.monotonic()
        try:
            answer = self.curl(request) if request.version == "2" else self.http1(request)
        except (OSError, http.client.HTTPException) as error:
            answer = nothing(repr(error))
        answer.seconds = time.monotonic() - start
        return answer

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def http1(self, request):
        connection = self.socket or socket.create_connection(("127.0.0.1", self.port), 60)
        self.socket = None
        connection.sendall(request.head())
        if request.value("expect"):
            await_continue(connection)
        send_body(connection, request)
        response = http.client.HTTPResponse(connection, method=request.method)
        response.begin()
        answer = read(response)
        answer.address = "{}:{}".format(*connection.getsockname())
        if answer.whole and request.keep and not response.will_close:
            self.socket = connection
        else:
            connection.close()
        return answer

    def curl(self, request):
        head, body = self.folder / "head", self.folder / "body"
        for file in (head, body):
            file.write_bytes(b"")
        command = [program("curl"), "-q", "-sS", "-g", "--path-as-is", "--http2-prior-knowledge", "--max-time", "60"]
        command += ["--connect-to", f"::127.0.0.1:{self.port}", "-D", str(head), "-o", str(body), "-w", "%{local_ip}:%{local_port}"]
        command += ["-I"] if request.method == "HEAD" else ["-X", request.method]
        command += [*curl_headers(request), *curl_body(request), f"http://{request.host}{request.target}"]
        done = subprocess.run(command, input=request.body or b"", capture_output=True, timeout=90)
        blocks = head.read_bytes().decode("latin-1").split("\r\n\r\n")
        if len(blocks) < 2:
            return nothing(f"curl's exit code is {done.returncode}: {done.stderr!r}")
        lines = blocks[-2].split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines[1:])]
        received = b"" if request.method == "HEAD" else body.read_bytes()
        version, status = lines[0].split()[:2]
        whole, address = done.returncode == 0, done.stdout.decode()
        return Answer(int(status), version.removeprefix("HTTP/"), headers, received, whole, address)


def nothing(trouble):
    """No answer came: status 0."""
    return Answer(0, "", [], b"", False, trouble=trouble)


def curl_headers(request):
    """curl sends what it is told, and leaves out what it would add by itself."""
    given = {name.lower() for name, _ in request.headers}
    unwanted = [f"{name}:" for name in ("User-Agent", "Accept", "Content-Type") if name.lower() not in given]
    wanted = [f"{name}: {value}" if value else f"{name};" for name, value in request.headers]
    return [word for line in [*unwanted, *wanted] for word in ("-H", line.encode("latin-1"))]


def curl_body(request):
    if request.body is None:
        return []
    return ["-T", "-"] if request.chunked else ["--data-binary", "@-"]


def await_continue(connection):
    """Reads the 100 (Continue) that the body waits for."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            raise ConnectionError("closed before 100 (Continue)")
        head += byte
    if not head.startswith(b"HTTP/1.1 100 "):
        raise http.client.BadStatusLine(head.decode("latin-1"))


def send_body(connection, request):
    body = request.body or b""
    if not request.chunked:
        connection.sendall(body)
        return
    for start in range(0, len(body), CHUNK):
        block = body[start : start + CHUNK]
        connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
    connection.sendall(b"0\r\n\r\n")


def read(response):
    """All of an HTTP/1 response; what came of a body that breaks off."""
    body = bytearray()
    try:
        while block := response.read1(1 << 20):
            body += block
        whole = not response.length
    except http.client.IncompleteRead as error:
        body += error.partial
        whole = False
    except ConnectionResetError:
        whole = False
    headers = [(name.lower(), value) for name, value in response.getheaders()]
    return Answer(response.status, f"{response.version // 10}.{response.version % 10}", headers, bytes(body), whole)
