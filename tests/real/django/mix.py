"""Some three hundred requests, no two alike: which, is decided by a seed; what must be recorded of each, is known beforehand.

The paths are of two kinds: what the table of patterns suggests, and the views that misbehave. All else that a request can
carry is drawn for each of them.
"""

import random
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import paths
from wire import Request

SECRET = "s3cr3t-7c1e"
SLOW = 0.4  # seconds; `log.slow` of the configuration
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EXACT = "/;=!$'()*,:@-._~"


@dataclass
class Case:
    """A request, and what is known before it is sent."""

    name: str
    request: Request
    status: int | None = None
    at_least: float = 0.0  # seconds that the application takes
    broken: bool = False  # the application breaks off inside the body
    early: bool = False  # it answers before it has read the body
    record: dict = field(default_factory=dict)  # fields; `None`: absent
    head: dict = field(default_factory=dict)  # headers of the answer; `None`: absent
    secrets: list = field(default_factory=list)  # what must not be in the log


# Query parameters as sent and as recorded.
PARAMETERS = [
    *[(text, text) for text in ("page=2", "q=a%20b", "q=%C3%A4%e2%82%ac", "flag", "empty=", "x=1%2B1", "tokens=9", "=", "a[b]=c", "q=%FF")],
    *[
        (f"{key}={SECRET}", f"{key}=REDACTED")
        for key in ("token", "Password", "api_key", "api-key", "X-Amz-Signature", "sig", "code", "session", "%74oken", "user[password]", "token[]")
    ],
    (f"next=%2Fa%3Fcode%3D{SECRET}", "next=REDACTED"),
    (f"a=1;token={SECRET}", "a=1;token=REDACTED"),
]

REPLIES = [
    *[(f"cache={quote(sent)}", {"cache_hit": seen}) for sent, seen in (("HIT", "hit"), ("miss", "miss"), ("Hit from edge", "hit"), ("EXPIRED", "expired"))],
    *[
        (f"cache-status={quote(sent)}", {"cache_hit": seen})
        for sent, seen in (
            ("edge; hit; ttl=30", "hit"),
            ("edge; fwd=uri-miss; stored", "miss"),
            ("origin; hit, edge; fwd=stale", "stale"),
            ('origin; fwd=miss, edge; hit; detail="a, b"', "hit"),
            ('"edge; one, two"; fwd=bypass', "bypass"),
            ("edge", "unknown"),
        )
    ],
    ("age=12", {"cache_hit": "hit"}),
    ("cache=MISS&age=3&cache-status=edge%3Bhit", {"cache_hit": "miss"}),
    ("timing=db%3Bdur%3D53.5%2C%20tpl%3Bdur%3D7", {"server_timing": {"db": 0.0535, "tpl": 0.007}}),
    ("timing=cache%3Bdesc%3D%22a%2C%20b%3Bc%22%3Bdur%3D2.25%2C%20miss", {"server_timing": {"cache": 0.00225}}),
    ("timing=nothing", {"server_timing": None}),
    *[(f"user={quote(user)}", {"user_id": user}) for user in ("7", "ada@shop.example", "0", "a b")],
    ("user=%C3%A9", {"user_id": "\ufffd"}),
]

AGENTS = [
    *["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/8.5.0", 'a "quoted\\ agent', "tab\there", "x" * 4000, "{\"json\": [1]}", "a\u00b2"],
    *[text.encode().decode("latin-1") for text in ("caf\u00e9 \u2615", "\U0001f600 agent", "line\u2028separator", "\u0085next", "\ufeffmarked")],
    *["\xff\xfe", "caf\xe9", "\xc3(", "cut \xe2\x82", "\xed\xa0\x80 surrogate", "\xf4\x90\x80\x80", "\xc0\xaf\xc1\x81", "\xe2\x82\xac\xe2\x82"],
]

REFERERS = [
    *[(text, text) for text in ("https://elsewhere.example/a?b=c#d", "/relative?x=1", "android-app://com.example/", "not a url at all", "https://h/\xe9\xff")],
    (f"https://u:{SECRET}@host.example/a?x=1", "https://REDACTED@host.example/a?x=1"),
    (f"https://host.example/?token={SECRET}&b=2#access_token={SECRET}", "https://host.example/?token=REDACTED&b=2#access_token=REDACTED"),
]

FORWARDED = [
    *["203.0.113.9", "203.0.113.9, 10.1.2.3", "6.6.6.6, 203.0.113.9,10.9.9.9", "10.9.9.9, 127.0.0.9", "2001:db8::1", "[2001:db8::2]:4711, 10.0.0.1"],
    *["198.51.100.7:5555", "unknown, 10.0.0.2", "1.1.1.1, nonsense, 10.1.2.3", "::ffff:203.0.113.77", "2001:DB8:0:0::9, fd00::1", "999.1.1.1", "_hidden"],
]

TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-8", "multipart/form-data; boundary=x", "x/\xe9", None]
PARENTS = [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-more", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", "garbage"]


def cases(patterns, seed):
    """The cases, dressed, in the order in which they are to be sent."""
    source = random.Random(seed)
    plain = [*table(source, patterns, seed), *statuses(), *packages(), *answers(), *bodies(source), *transports()]
    source.shuffle(plain)
    return [dress(source, number, case) for number, case in enumerate(plain)]


def table(source, patterns, seed):
    """Requests for the patterns: all methods, and no status known beforehand."""
    sendable = [path for path in paths.generate(patterns, 700, seed) if path != "*" and "\\" not in path and not is_endless(path)]
    methods = ["GET"] * 9 + ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
    for path in source.sample(sendable, 170):
        yield Case("table", Request(path, source.choice(methods), version=source.choice(["1.1"] * 5 + ["1.0", "2"])))


def is_endless(path):
    """Whether it asks for as many seconds or bytes as the number in it: those are asked for below, within reason."""
    return unquote(path).split("/")[1] in ("sleep", "stream", "broken-stream", "large", "chunked")


def statuses():
    """Every status that an application may give, exceptions, redirects."""
    for status in (200, 201, 202, 204, 206, 300, 304, 307, 400, 401, 403, 404, 405, 409, 410, 412, 418, 422, 429, 451, 499, 500, 501, 502, 503, 504, 507, 599):
        yield Case(f"status-{status}", Request(f"/status/{status}/", "HEAD" if status % 3 == 0 else "GET"), status)
    for kind in ("ValueError", "KeyError", "ZeroDivisionError", "AssertionError", "unicode", "Something%20else"):
        yield Case(f"fail-{kind}", Request(f"/fail/{kind}/"), 500)
    yield Case("fail-h2", Request("/fail/", version="2"), 500)
    yield Case("fail-post", Request("/fail/", "POST", body=b"x" * 5000), 500)
    yield Case("missing", Request("/missing/"), 404)
    yield Case("redirect", Request("/redirect/shop/cart/"), 302, head={"location": "/shop/cart/"})
    yield Case("redirect-permanent", Request("/redirect/a?permanent=1"), 301, record={"query": "permanent=1"}, head={"location": "/a"})
    yield Case("append-slash", Request("/echo?a=b"), 301, record={"view_name": "unknown"}, head={"location": "/echo/?a=b"})


def packages():
    """What Django's admin and the REST framework answer."""
    yield Case("admin-login", Request("/admin/login/?next=/admin/"), 200, record={"query": "next=/admin/", "view_name": "admin:login"})
    yield Case("admin-not-logged-in", Request("/admin/auth/user/"), 302, record={"view_name": "admin:auth_user_changelist"})
    yield Case("admin-catch-all", Request("/admin/nope/"), 302, record={"view_name": "admin:django.contrib.admin.sites.catch_all_view"})
    yield Case("rest-created", Request("/api/things/", "POST", body=b"{}"), 201, record={"view_name": "thing-list"})
    yield Case("rest-deleted", Request("/api/v2/boxes/3", "DELETE"), 204, record={"view_kwargs": {"pk": 3}, "view_name": "v2:box-detail"})
    yield Case("rest-not-allowed", Request("/api/parts/", "POST", body=b""), 405)


def answers():
    """Streams, large answers, delays."""
    for version in ("1.1", "1.0", "2"):
        yield Case(f"stream-{version}", Request("/stream/20/?pause=0.002", version=version), 200, 0.04, record={"query": "pause=0.002"})
        yield Case(f"large-{version}", Request("/large/3000000/", version=version), 200, record={"response_size": 3_000_000})
        yield Case(f"chunked-{version}", Request("/chunked/1234567/", version=version), 200, record={"response_size": 1_234_567})
        # The pause is for curl, which loses what it has not looked at yet when the stream is reset.
        yield Case(f"broken-stream-{version}", Request("/broken-stream/3/?pause=0.2", version=version), 200, 0.2, True, record={"query": "pause=0.2"})
    yield Case("large-5MB", Request("/large/5000000/"), 200, record={"response_size": 5_000_000})
    yield Case("large-head", Request("/large/5000000/", "HEAD"), 200, record={"response_size": 0}, head={"content-length": "5000000"})
    yield Case("chunked-nothing", Request("/chunked/0/"), 200, record={"response_size": 0})
    for milliseconds in (20, 500, 600, 900):
        yield Case(f"sleep-{milliseconds}", Request(f"/sleep/{milliseconds}/"), 200, milliseconds / 1000)
    yield Case("sleep-h2", Request("/sleep/500/", version="2"), 200, 0.5)
    yield Case("slow-stream", Request("/stream/3/?pause=0.2"), 200, 0.6, record={"query": "pause=0.2"})


def bodies(source):
    """Request bodies: none, empty, small and large, declared and in chunks, read by the view or not."""
    for size in (0, 1, 1000, 70_000, 1 << 20):
        for chunked in (False, True):
            body = source.randbytes(size)
            yield Case(f"body-{size}", Request("/echo/", source.choice(["POST", "PUT"]), body=body, chunked=chunked), 200)
            yield Case(f"body-h2-{size}", Request("/echo/h2", "POST", body=body, chunked=chunked, version="2"), 200)
        yield Case(f"body-unread-{size}", Request("/status/403/", "POST", body=body), 403)
        yield Case(f"body-1.0-{size}", Request("/echo/", "POST", body=body, version="1.0"), 200)
        yield Case(f"body-get-{size}", Request("/echo/", "GET", body=body), 200)
    for size in (10, 200_000):
        yield Case(f"continue-{size}", Request("/echo/", "POST", [("Expect", "100-continue")], source.randbytes(size)), 200)
    yield Case("early-answer", Request("/status/413/", "POST", [("X-Leave-Body", "1")], source.randbytes(40_000), keep=False), 413, early=True)


def transports():
    """What the request line and the connection can be."""
    for target in ("//shop/cart/", "/shop//cart/", "/shop/./cart/../cart/", "/%73hop/cart/", "/str/a%2Fb/", "/str/%FF/", "/path/a;b=c,d", "/echo/" + "x" * 3000):
        yield Case("target", Request(target, version="2" if target.startswith("/s") else "1.1"))
    yield Case("absolute", Request("/shop/cart/?a=b", absolute=True), 200, record={"query": "a=b", "path": "/shop/cart/", "host": "shop.example"})
    yield Case("absolute-port", Request("/shop/", host="shop.example:8080", absolute=True), 200, record={"host": "shop.example:8080"})
    yield Case("options-star", Request("*", "OPTIONS"), record={"path": "*", "view_name": "unknown"})
    yield Case("empty-query", Request("/echo/?"), 200, record={"query": None})
    yield Case("two-question-marks", Request(f"/echo/?a?b=c&token={SECRET}?x"), 200, record={"query": "a?b=c&token=REDACTED"})
    yield Case("hop-by-hop", Request("/echo/", headers=[("Connection", "X-Hop"), ("X-Hop", "1"), ("TE", "gzip")]), 200, record={"path": "/echo/"})
    yield Case("http10-keep-alive", Request("/echo/", headers=[("Connection", "keep-alive")], version="1.0"), 200)
    yield Case("no-host", Request("/echo/", version="1.0", host=None), 200)
    yield Case("many-headers", Request("/echo/", headers=[(f"X-Header-{n}", f"value {n}") for n in range(60)]), 200)
    yield Case("cookie", Request("/echo/", headers=[("Cookie", f"theme=dark; csrftoken={SECRET}"), ("Authorization", f"Bearer {SECRET}")]), 200)


def dress(source, number, case):
    """Gives a case what any request can carry, and notes what must be recorded of it."""
    request = case.request
    case.name = f"{number}-{case.name}"
    dress_query(source, case)
    dress_identity(source, number, request)
    for name, values, likely in (("User-Agent", AGENTS, 0.9), ("X-Forwarded-For", FORWARDED, 0.6), ("Traceparent", PARENTS, 0.4)):
        if source.random() < likely:
            request.headers.append((name, source.choice(values)))
    if request.value("traceparent"):
        request.headers.append(("Tracestate", "a=1,b=2"))
    if request.value("x-forwarded-for") and source.random() < 0.3:
        request.headers.append(("X-Forwarded-For", source.choice(FORWARDED)))
    if source.random() < 0.4:
        sent, seen = source.choice(REFERERS)
        request.headers.append(("Referer", sent))
        case.record["referer"] = decoded(seen)
    if request.body is not None and (kind := source.choice(TYPES)):
        request.headers.append(("Content-Type", kind))
    request.keep = request.keep and source.random() < 0.8
    return case


def dress_query(source, case):
    """Parameters, and those that the application answers with a header; not where the case has a query of its own."""
    request = case.request
    if "?" in request.target or request.target == "*" or source.random() < 0.3:
        return
    chosen = source.sample(PARAMETERS, source.randint(0, 3))
    sent, seen = [pair[0] for pair in chosen], [pair[1] for pair in chosen]
    if source.random() < 0.5:
        reply, effects = source.choice(REPLIES)
        sent.append(reply)
        seen.append(reply)
        case.record.update(effects)
    if sent:
        request.target += "?" + "&".join(sent)
        case.record["query"] = "&".join(seen)


def dress_identity(source, number, request):
    """A request id: one that is believed, none, or one that is not well formed."""
    draw = source.random()
    if draw < 0.6:
        request.headers.append(("X-Request-ID", f"case-{number}.{source.randrange(1 << 32):x}"))
    elif draw < 0.75:
        request.headers.append(("X-Request-ID", source.choice(["a b", "x" * 129, "caf\xe9", "", 'q"uote'])))


def decoded(latin1):
    """Header bytes as a record shows them."""
    return latin1.encode("latin-1").decode("utf-8", "replace")
