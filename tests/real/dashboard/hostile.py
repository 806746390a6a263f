"""Records whose values are made to do harm in whoever's browser shows them: each stands as text where it is shown, and nothing
of it is run, asked for or navigated to. Most are in the store beforehand, in every field there is, also where gatelog itself
would never let them in; some come by the front door.
"""

import json
import re
from datetime import timedelta
from urllib.parse import quote

from browser import Visitor
from playwright.sync_api import expect
from scene import Scene, moment

RUN = "window.ran=1"
PAYLOADS = [
    f"<script>{RUN};alert(1)</script>",
    f"<img src=x onerror={RUN}>",
    f'"><svg onload="{RUN}">',
    f"'-({RUN})-'",
    f"`${{{RUN}}}`",
    f"javascript:{RUN}",
    f"</title></textarea></style><script>{RUN}</script>",
    f"<a href='javascript:{RUN}' autofocus onfocus={RUN}>x</a>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    "<style>*{background:url(//evil.example/)}</style><link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'><base href=//evil.example/>",
    "\u202egpj.exe\u202c \u2066x\u2069",
    "&lt;b&gt;&amp;quot;",
    'a" OR -b:* (c',
    "back\\slash\\",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "=cmd|' /C calc'!A0",
    "\u0000\u0007\u001b[31m\r\nX-Injected: 1",
    "\ud55c\uae00 \U0001f600 e\u0301",
    "w" * 20_000,
    "//evil.example/%2e%2e/",
]
# What shows as something else by itself: HTML collapses white space, and has no NUL.
PLAIN = [payload for payload in PAYLOADS if payload.isprintable() or "\u202e" in payload]
EVERYWHERE = (
    "path", "query", "host", "referer", "user_agent", "user_id", "view_name", "route", "upstream", "upstream_address",
    "content_type", "response_content_type", "exception_type", "exception_message", "response_excerpt", "instance",
    "cache_hit", "ip_address", "peer_address", "trace_id", "span_id", "closed_by", "responder", "phase",
)  # fmt: skip


def lines(now):
    """Two records of a request for each value, and a business event; then records of which nothing has the right type."""
    for number, payload in enumerate(PAYLOADS):
        yield from map(json.dumps, records(now - timedelta(seconds=60 + number), number, payload))
    yield from map(json.dumps, mistyped(now - timedelta(seconds=50)))


def records(at, number, payload):
    head = {"logger": "gatelog.request", "schema": 1, "service": payload, "environment": payload}
    fields = dict.fromkeys(EVERYWHERE, payload) | {
        "request_id": f"hostile-{number}", "method": "GET", "view_kwargs": {payload: payload}, "view_args": [payload],
        "labels": {payload: payload},
    }  # fmt: skip
    end = {
        "status_code": 500, "duration": 2.5, "request_size": 1, "response_size": 2, "outcome": "server_error",
        "slow": True, "timing": {"wait": 2.4, payload: 0.1}, "server_timing": {payload: 0.5}, "tls": {"sni": payload},
    }  # fmt: skip
    started = {"timestamp": moment(at), "level": "INFO", "event": "request_started", "message": payload}
    completed = {"timestamp": moment(at + timedelta(seconds=2.5)), "level": "ERROR", "event": "request_completed", "message": payload}
    business = {"timestamp": moment(at), "level": "INFO", "event": payload, "message": payload, "fields": {payload: payload}}
    yield started | head | fields
    yield completed | head | fields | end
    yield business | head | {"logger": f"gatelog.business.{payload}", "request_id": f"hostile-{number}"}


def mistyped(at):
    """Lines that another program has written, or nobody has ever meant."""
    base = {"timestamp": moment(at), "level": "ERROR", "logger": "x", "schema": 1, "request_id": "mistyped-1"}
    yield base | {"event": "request_completed", "message": "m", "status_code": PAYLOADS[1], "duration": "long", "timing": "none", "labels": 7}
    yield base | {"event": "request_completed", "message": "m", "status_code": 99999, "duration": -1e300, "timing": {"wait": "x"}, "path": 7}
    yield base | {"event": "request_completed", "message": "m", "method": {}, "path": [], "view_kwargs": [1], "user_id": {"a": 1}, "slow": "no"}
    yield base | {"event": "request_completed", "message": "m", "duration": 1e300, "timing": {"wait": 1e300}, "request_id": "endless-1", "request_size": 1e300}
    yield {"timestamp": moment(at), "level": "INFO", "event": PAYLOADS[0], "message": PAYLOADS[0], "logger": PAYLOADS[0], "request_id": PAYLOADS[0]}


def check(checks, chromium, folder, now):
    with Scene(folder / "hostile", lines(now)) as scene:
        span = f"since={moment(now - timedelta(minutes=10))}&until={moment(now + timedelta(hours=1))}"
        with Visitor(checks, chromium, scene.url, "hostile records") as visitor:
            visitor.goto(f"/?{span}")
            is_harmless(checks, visitor, "overview")
            visitor.fits("overview of hostile records")
            rows_are_text(checks, visitor, span)
            facets_are_text(checks, visitor, span)
            requests_are_text(checks, visitor)
            by_the_front_door(checks, visitor, scene)


# Elements and links that only a value could have made.
MADE = """() => [...document.querySelectorAll(
    'script:not([src]), img[src=x], iframe, object, embed, base, meta[http-equiv=refresh], link[href*=evil], [onerror], [onload], [onfocus]')]
  .map((it) => it.outerHTML.slice(0, 100)).concat([...document.querySelectorAll('[href], [src], [action]')]
  .map((it) => it.href || it.src || it.action).map((it) => it.animVal ?? it)
  .filter((it) => !it.startsWith(location.origin + '/') && !it.startsWith('data:')).map((it) => it.slice(0, 100)))"""


def is_harmless(checks, visitor, what):
    checks.equal(visitor.page.evaluate(MADE), [], f"{what}: nothing of a value is an element or a link elsewhere")
    polluted = "[({}).ran, ({}).constructor === Object, Object.keys(Object.prototype).length]"
    checks.equal(visitor.page.evaluate(polluted), [None, True, 0], f"{what}: prototypes are as they were")
    visitor.is_content()


def rows_are_text(checks, visitor, span):
    for number, payload in enumerate(PAYLOADS):
        visitor.goto(f"/search?q=request_id:hostile-{number} event:request_completed&{span}")
        result = visitor.at("result")
        expect(result).to_have_count(1)
        result.locator("button[aria-expanded]").first.click()
        fields = visitor.at("result-fields")
        for name in ("user_agent", "path", "exception_message", "user_id", "view_name"):
            # The whole of it may be behind a button where it is long, never something else.
            shown = fields.locator(f'[data-field="{name}"]').first.text_content()
            if payload in PLAIN:
                checks.that(alike(payload, shown), f"{name} of {payload[:40]!r} is text", repr(shown[:80]))
        is_harmless(checks, visitor, f"a row with {payload[:40]!r}")


def alike(payload, shown):
    """Whether a value stands there as it is; a huge one may be cut."""
    return payload in shown or (len(payload) > 1000 and payload[:100] in shown)


def facets_are_text(checks, visitor, span):
    visitor.goto(f"/search?q=hostile* OR event:request_completed&{span}")
    is_harmless(checks, visitor, "facets of hostile values")
    for payload in (PAYLOADS[0], PAYLOADS[2], 'a" OR -b:* (c', "back\\slash\\", "__proto__"):
        visitor.goto(f"/search?q=event:request_completed view_name:{quoted(payload)}&{span}")
        button = visitor.at("facet-user_id").locator("button[data-value]").first
        expect(button).to_have_attribute("data-value", payload)
        button.click()
        visitor.address(r"user")
        visitor.settle()
        expect(visitor.at("result")).to_have_count(1)
        is_harmless(checks, visitor, f"a search for {payload[:40]!r}")


def quoted(value):
    """As a link writes a value of the filter language."""
    return '%22' + value.replace("\\", "\\\\").replace('"', '\\"').translate({ord(it): f"%{ord(it):02x}" for it in '%"#&+<>\\'}) + '%22'


def requests_are_text(checks, visitor):
    for number, payload in enumerate(PAYLOADS):
        visitor.goto(f"/requests/hostile-{number}")
        visitor.at("waterfall").wait_for()
        is_harmless(checks, visitor, f"the request of {payload[:40]!r}")
    for path in ("mistyped-1", "endless-1", "%3Cscript%3Ewindow.ran=1;alert(1)%3C%2Fscript%3E", "nobody%22%3E%3Cimg%20src=x%20onerror=window.ran=1%3E"):
        visitor.expected = re.compile(r"404")
        visitor.goto(f"/requests/{path}")
        is_harmless(checks, visitor, f"the page of a request called {path}")
    visitor.expected = re.compile("(?!)")
    for query in ("/search?q=%3Cimg%20src=x%20onerror=window.ran=1%3E(", "/search?since=%3Cscript%3Ewindow.ran=1%3C/script%3E", "/?last=%3Cscript%3E"):
        visitor.expected = re.compile(r"400")
        visitor.goto(query)
        is_harmless(checks, visitor, query)
    visitor.expected = re.compile("(?!)")


def by_the_front_door(checks, visitor, scene):
    """What a visitor sends is seen while it comes."""
    visitor.goto("/tail", settle=False)
    expect(visitor.at("tail")).to_have_attribute("data-state", "live")
    sent = [payload for payload in PLAIN if payload.isprintable() and len(payload) < 1000]
    for number, payload in enumerate(sent):
        scene.request(
            "/products/1/?" + quote(payload), headers={"User-Agent": payload, "X-Request-ID": f"door-{number}", "Referer": payload},
            do={"status": 500, "user": payload, "exception": (payload, payload)},
        )  # fmt: skip
    scene.raw(f"GET /{PAYLOADS[0]} HTTP/1.1\r\nHost: {PAYLOADS[0]}\r\n\r\n".encode())
    expect(visitor.at("tail").locator(f'[data-id="door-{len(sent) - 1}"]').last).to_be_visible()
    is_harmless(checks, visitor, "tail")
