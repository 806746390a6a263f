"""A shop behind gatelog: an application that does what a request asks it to, a history that is in the store before gatelog
starts, traffic, the admin API as a program asks it, and the log's own lines, by which everything else is counted.
"""

import collections
import contextlib
import json
import math
import random
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from peers import GATELOG, Gatelog, free_port

CONFIGURATION = """
workers = 1
[[listen]]
address = "127.0.0.1:{port}"
[identity]
trusted_proxies = ["127.0.0.1/32"]
request_id = {{ accept = "always" }}
user = [{{ response_header = "X-User-ID", strip = true }}]
[[upstream]]
name = "shop"
servers = ["http://127.0.0.1:{shop}"]
[[upstream]]
name = "legacy"
prefix = "/legacy"
servers = ["http://127.0.0.1:{nobody}"]
health = {{ path = "/", interval = "1s", unhealthy_after = 1 }}
[[upstream]]
name = "fast"
prefix = "/fast"
servers = ["http://127.0.0.1:{fast}"]
[[route]]
name = "product"
path = "products/<int:pk>/"
[[route]]
name = "cart"
path = "cart/"
[[route]]
name = "checkout"
path = "checkout/"
[[route]]
name = "report"
path = "reports/<slug:name>/"
[log]
service = "shop"
environment = "test"
slow = "300ms"
[[log.output]]
name = "everything"
type = "stdout"
format = "json"
[[log.output]]
name = "failures"
type = "file"
path = "{folder}/failures.log"
format = "json"
filter = "level>=error"
[store]
path = "{folder}/store"
retention = {{ age = "off", size = "off" }}
[alerts]
state = "off"
[[alerts.rule]]
name = "broken"
filter = "status>=500"
above = 2
per = "5m"
severity = "critical"
[admin]
address = "127.0.0.1:{admin}"
{token}
"""
TOKEN = "a-token-of-the-dashboard's-test"


class Application(BaseHTTPRequestHandler):
    """Answers as the header `X-Do` says, an object: `status`, `user`, `wait` (seconds), `hold` (until the test lets go),
    `exception` (type and message), `size`, `type` (of the content)."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        do = json.loads(self.headers.get("X-Do") or "{}")
        if do.get("hold"):
            self.released.wait(60)
        elif do.get("wait"):
            threading.Event().wait(do["wait"])
        content = b"x" * do.get("size", 100)
        self.send_response(do.get("status", 200))
        self.tell("X-User-ID", do.get("user"))
        for name, value in zip(("X-Exception-Type", "X-Exception-Message"), do.get("exception", ())):
            self.tell(name, value)
        self.tell("Content-Type", do.get("type", "text/plain"))
        self.tell("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def tell(self, name, value):
        if value is not None:
            self.send_header(name, value.encode().decode("latin-1"))

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def application():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Api:
    """The admin API as a program asks it."""

    def __init__(self, url, token=None):
        self.url, self.headers = url, {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path, **parameters):
        return json.loads(self.ask(path, **parameters)[2])

    def ask(self, path, headers=None, data=None, **parameters):
        """(status, headers, content) of whatever is answered."""
        url = self.url + path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        request = urllib.request.Request(url, data=data, headers={**self.headers, **(headers or {})})
        try:
            with urllib.request.build_opener(Stay).open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirections are answers as others are."""

    def redirect_request(self, *_):
        return None


def until(what, patience=30):
    """Whether it comes true in time; asked again and again."""
    deadline = datetime.now() + timedelta(seconds=patience)
    pause = threading.Event()
    while not (held := what()) and datetime.now() < deadline:
        pause.wait(0.05)
    return held


def moment(when):
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


ROUTES = {
    "product": ("/products/{pk}/", "/products/{}/"),
    "cart": ("/cart/", "/cart/"),
    "checkout": ("/checkout/", "/checkout/"),
    "report": ("/reports/{name}/", "/reports/r{}/"),
}
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
    "curl/8.14.1",
]


def history(requests, since, until_, seed=7):
    """The lines of so many requests between two moments, two of each, in their order."""
    dice, step = random.Random(seed), (until_ - since) / requests
    for number in range(requests):
        yield from map(json.dumps, request_of_the_past(dice, since + number * step, number))


def request_of_the_past(dice, at, number):
    """The records of a request, which ends within a second."""
    name = dice.choices(list(ROUTES), (60, 20, 12, 8))[0]
    pattern, path = ROUTES[name]
    key = int(200 * dice.random() ** 3)
    status = dice.choices((200, 302, 404, 500, 503), (880, 50, 50, 12, 8))[0]
    duration = round(0.4 + 0.5 * dice.random() if dice.random() < 0.02 else 0.002 + 0.1 * dice.random() ** 3, 6)
    level, outcome = {2: ("INFO", "success"), 3: ("INFO", "redirect"), 4: ("WARNING", "client_error")}.get(
        status // 100, ("ERROR", "server_error")
    )
    user = int(40 * dice.random() ** 2)
    shared = {
        "request_id": f"past-{number:07}", "request_id_origin": "client", "method": "POST" if name == "checkout" else "GET",
        "scheme": "https", "host": "shop.example", "path": path.format(key), "http_version": "1.1", "view_name": name,
        "view_kwargs": {"pk": key} if name == "product" else {}, "route": pattern,
        "ip_address": f"203.0.113.{user}", "peer_address": "127.0.0.1:40000", "user_agent": AGENTS[user % len(AGENTS)],
    }  # fmt: skip
    if user % 3:
        shared["user_id"] = f"u{user}"
    end = {
        "request_size": 300 if name == "checkout" else 0, "status_code": status, "response_size": 200 + dice.randrange(9000),
        "response_content_type": "text/html", "cache_hit": "unknown", "duration": duration,
        "timing": {"queue": 0.00001, "send": 0.00003, "wait": round(duration - 0.00016, 6), "receive": 0.00012},
        "outcome": outcome, "phase": "done", "responder": "upstream", "upstream": "shop",
        "upstream_address": "127.0.0.1:8000", "attempts": 1, "reused_connection": True, "slow": duration > 0.3,
    }  # fmt: skip
    if status >= 500:
        end |= {"exception_type": "DatabaseError", "exception_message": f"order {key}: deadlock detected"}
    head = {"logger": "gatelog.request", "schema": 1, "instance": "past", "service": "shop", "environment": "test"}
    started = {"timestamp": moment(at), "level": "INFO", "event": "request_started", "message": "Request started"}
    completed = {
        "timestamp": moment(at + timedelta(seconds=duration)), "level": level, "event": "request_completed",
        "message": "Request completed",
    }  # fmt: skip
    yield started | head | {"seq": 2 * number} | shared | {"in_flight": True}
    yield completed | head | {"seq": 2 * number + 1} | shared | end


class Scene:
    """gatelog with its application, in a folder; `lines` are in the store before it starts."""

    def __init__(self, folder, lines=(), token=None, store=None):
        folder.mkdir()
        self.folder, self.past, self.stack = folder, folder / "past.jsonl", contextlib.ExitStack()
        with open(self.past, "w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in lines)
        self.token, self.store = token, store or folder / "store"
        self.port, self.admin, self.fast = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.admin}"
        self.api = Api(self.url, token)

    def __enter__(self):
        if self.past.stat().st_size:
            command = [GATELOG, "store", "import", str(self.past), "--store", str(self.store)]
            subprocess.run(command, check=True, capture_output=True, timeout=500)
        with self.stack:
            shop = self.stack.enter_context(application())
            self.config = CONFIGURATION.format(
                port=self.port, admin=self.admin, shop=shop, nobody=free_port(), fast=self.fast,
                folder=self.folder,
                token=f'token = "{self.token}"' if self.token else "",
            )  # fmt: skip
            self.config = self.config.replace(f'"{self.folder}/store"', f'"{self.store}"')
            self.start()
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        Application.released.set()
        self.stop()
        self.stack.close()

    def start(self):
        self.gatelog = Gatelog(self.folder, self.config, self.port)
        self.gatelog.__enter__()
        if not until(self.is_answering):
            self.gatelog.stop()
            raise RuntimeError(f"the admin listener does not answer: {self.gatelog.stderr.read_text()[-2000:]}")

    def stop(self):
        """Its exit code."""
        return self.gatelog.stop()

    def is_answering(self):
        with contextlib.suppress(OSError):
            return self.api.ask("/healthz")[0] == 200

    def request(self, path, method="GET", do=None, headers=None, body=None):
        """The status of a request of a visitor."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Host": "shop.example", "X-Do": json.dumps(do or {}), **(headers or {})}
        headers = {name: value.encode() for name, value in headers.items()}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def raw(self, content):
        """What is answered to bytes that no client would send."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(content)
            connection.settimeout(20)
            return connection.recv(65536)

    def records(self, since=None, until=None):
        """The records of a stretch of time, as the lines of the logs have them."""
        for path in (self.past, self.gatelog.log):
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    record = json.loads(line)
                    if (since or "") <= record["timestamp"] < (until or "9"):
                        yield record

    def is_counted(self, **span):
        """Waits until the store has what the log has."""
        def agree():
            count = sum(1 for _ in self.records(**span))
            return self.api.get("/api/stats", **span)["total_records"] == count

        return until(agree)


class Count:
    """What a stretch of time was like, counted by hand from the records."""

    def __init__(self, records):
        records = list(records)
        self.records = len(records)
        self.by_level = collections.Counter(record["level"] for record in records)
        self.ended = [record for record in records if record["event"] == "request_completed"]
        self.requests = len(self.ended)
        errors = [record for record in records if record["level"] in ("ERROR", "CRITICAL")]
        self.errors = [record for record in errors if record["event"] != "request_failed"]
        self.by_class = collections.Counter(f"{record['status_code'] // 100}xx" for record in self.ended if record.get("status_code"))
        self.by_status = collections.Counter(record.get("status_code") for record in self.ended)
        self.slow = sum(bool(record.get("slow")) for record in self.ended)
        self.routes = collections.defaultdict(list)
        for record in self.ended:
            self.routes[self.route(record)].append(record)

    @staticmethod
    def route(record):
        return "unmatched" if record["view_name"] == "unknown" and not record.get("route") else record["view_name"]

    @staticmethod
    def quantile(records, share):
        """The lowest duration that such a share of them did not exceed."""
        durations = sorted(record["duration"] for record in records)
        return durations[max(math.ceil(share * len(durations)), 1) - 1] if durations else None
