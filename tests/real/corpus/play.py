"""The two ends of a conversation through a proxy: upstreams that record or misbehave, and clients that judge."""

import socket
import threading
from dataclasses import dataclass

from strict import Reader

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
PATIENCE = 5


@dataclass
class Verdict:
    """What is wrong with how a proxy took a case; `smuggled` where the upstream read requests that were none."""

    fault: str | None = None
    smuggled: bool = False


class Upstream:
    """A listener with a thread a connection, for as long as its `with` block."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            threading.Thread(target=self.serve_and_close, args=(connection,), daemon=True).start()

    def serve_and_close(self, connection):
        with connection:
            try:
                self.serve(connection, Reader(connection))
            except OSError:
                pass  # The proxy has left.


class Recorder(Upstream):
    """Answers `ok` to each whole request. `messages` are those since the last `clear`, `whole` counts all whole ones."""

    def __init__(self):
        self.lock, self.messages, self.whole = threading.Lock(), [], 0

    def clear(self):
        with self.lock:
            self.messages = []

    def serve(self, connection, reader):
        while True:
            message = reader.message()
            if message.ended == "closed":
                return
            with self.lock:
                self.messages.append(message)
                self.whole += message.ended == "whole"
            if message.ended != "whole":
                return
            connection.sendall(OK % (2, b"ok"))


class Answering(Upstream):
    """Answers `/case/NUMBER` with the bytes of that case, and everything else with `well`."""

    def __init__(self, cases):
        self.cases = cases
        self.numbers = {case["name"]: number for number, case in enumerate(cases)}

    def serve(self, connection, reader):
        while (message := reader.message()).ended == "whole":
            if not message.start[1].startswith("/case/"):
                connection.sendall(OK % (4, b"well"))
                continue
            case = self.cases[int(message.start[1].removeprefix("/case/"))]
            connection.sendall(case["send"])
            if case.get("closes"):
                return


class Client:
    """One connection to a proxy."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.reader = Reader(self.socket)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # The proxy may have closed already; what it said is read all the same.

    def answer(self, method="GET"):
        while (message := self.reader.message(method)).ended == "whole" and message.status < 200:
            pass
        return message

    def rest(self):
        """What still comes once the proxy knows that nothing more is sent to it."""
        self.finish()
        return self.reader.rest()

    def count_rest(self):
        """How many more requests are answered by the upstream."""
        self.finish()
        count = 0
        while (answer := self.answer()).ended == "whole" and answer.status == 200:
            count += 1
        return count

    def finish(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It has closed already.

    def close(self):
        self.socket.close()


def ask(port, target, method="GET"):
    client = Client(port)
    client.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    answer = client.answer(method)
    client.close()
    return answer


def judge_request(port, recorder, case):
    """Sends a case, then a request on another connection: bytes left over at the upstream would harm that."""
    recorder.clear()
    client = Client(port)
    client.send(case["send"])
    passed, last, fault = converse(client, case)
    client.close()
    marker = ask(port, "/marker")
    with recorder.lock:
        # What is cut off may be noticed late, even after the next request.
        seen = [message for message in recorder.messages if (message.ended, message.start[1]) != ("cut", "/broken")]
    is_last = bool(seen) and seen[-1].start[1] == "/marker"
    seen = seen[:-1] if is_last else seen
    expected, wrong = due(case, last)
    harmed = None if is_last and (marker.status, marker.body) == (200, b"ok") else f"harms the next: {marker.status} {marker.ended}"
    return Verdict(fault or wrong or compare(seen, expected) or harmed, is_smuggled(seen, passed))


def is_smuggled(seen, passed):
    """The upstream reads more requests than the client was answered, or a framing that another would read differently."""
    unframed = any(message.ended == "invalid" and message.detail.startswith("invalid framing") for message in seen)
    return unframed or sum(message.ended == "whole" for message in seen) > passed


def converse(client, case):
    """(how many passed, the status that came last (0 for the end, None where all passed), a fault)."""
    most = max(len(case.get("passed", [])), len(case.get("after", [])))
    ends = "passed" not in case
    passed = 0
    while passed < most or ends:
        answer = client.answer("HEAD" if case["send"].startswith(b"HEAD ") else "GET")
        if answer.ended == "whole" and answer.status == 200:
            passed += 1
            if passed > most:
                return passed + client.count_rest(), None, "more is passed on than may be"
            continue
        if answer.ended == "whole":
            rest, end = client.rest()
            odd = f"after {answer.status} comes {rest[:60]!r} {end}" if rest or end.kind == "silent" else None
            return passed + rest.count(b"HTTP/1.1 200 "), answer.status, odd
        if answer.ended in ("closed", "cut"):
            return passed, 0, None
        return passed, 0, f"the client reads {answer.ended} {answer.detail}"
    return passed, None, None


def due(case, last):
    """(the requests that the upstream has to have read, a fault)."""
    if last is None:
        return (case.requests("passed"), None) if "passed" in case else (case.requests("after"), "passed on")
    if last in case.get("refused", []):
        return case.requests("after"), None
    if last in case.get("broken", []):
        return [], None
    return case.requests("after"), f"refused with {last}"


def compare(seen, expected):
    for message in seen:
        if message.ended != "whole":
            return f"the upstream reads {message.ended} {message.detail}"
    if len(seen) != len(expected):
        return f"the upstream reads {[' '.join(message.start[:2])[:50] for message in seen]}"
    return next(filter(None, (wanted.fault(message) for wanted, message in zip(expected, seen))), None)


def judge_answer(port, upstream, case):
    """Asks for a case, then for two honest answers: bytes left over in the pool would poison them."""
    method = case.get("to", "GET")
    answer = ask(port, f"/case/{upstream.numbers[case['name']]}", method)
    after = [ask(port, "/") for _ in range(2)]
    if any((next_.status, next_.body, next_.ended) != (200, b"well", "whole") for next_ in after):
        told = [f"{next_.status} {next_.ended} {next_.body[:20]!r}" for next_ in after]
        return Verdict(f"the next answer is harmed: {told}", any(b"poison" in next_.body for next_ in after))
    return Verdict(answer_fault(case, answer))


def answer_fault(case, answer):
    is_whole = answer.ended == "whole"
    if is_whole and answer.status == 502 and (case.get("refused") or case.get("cut")):
        return None
    if case.get("cut") and answer.ended in ("cut", "closed"):
        return None
    passed = case.get("passed")
    told = f"{answer.status} {answer.ended} {answer.detail} {answer.body[:40]!r}"
    if not passed or not is_whole or (answer.status, answer.body) != (passed["status"], passed["body"].encode("latin-1")):
        return told
    return next((f"{name} passed" for name in case.get("lacks", []) if answer.all(name)), None)
