"""What must agree: of one request the client's side, the witness's, and the records. Each difference is a line of text."""

import hashlib
import ipaddress
import re

from mix import SLOW, decoded

TRUSTED = [ipaddress.ip_network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "fd00::/8")]
PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}((?:-.*)?)")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
OUTCOMES = {2: "success", 3: "redirect", 4: "client_error", 5: "server_error"}
LEVELS = {2: "INFO", 3: "INFO", 4: "WARNING", 5: "ERROR"}

# The fields of a request's record and the one type that each has (RECORD.md, version 1).
TYPES = {
    **dict.fromkeys(("schema", "seq", "content_length", "request_size", "status_code", "response_size", "attempts"), int),
    **dict.fromkeys(("timing", "server_timing", "view_kwargs"), dict),
    **dict.fromkeys(("slow", "in_flight", "reused_connection"), bool),
    "duration": float,
    "view_args": list,
}
TEXTS = set(
    "timestamp level event message logger instance service environment request_id request_id_origin trace_id span_id parent_span_id method"
    " scheme host path query http_version view_name route user_id ip_address peer_address user_agent referer content_type"
    " response_content_type cache_hit outcome phase responder upstream upstream_address exception_type exception_message".split()
)


class Table:
    """How the routes of Django's own patterns are shown in a record; and where the application is."""

    def __init__(self, patterns, upstream):
        self.upstream, self.shown = upstream, {}
        for chain in chains(patterns, ()):
            self.shown.setdefault(joined(chain), set()).update("/" + shown for shown in renderings(chain))


def chains(patterns, above):
    """For each endpoint, the patterns that lead to it."""
    for pattern in patterns:
        here = (*above, pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from chains(pattern.url_patterns, here)
        else:
            yield here


def joined(chain):
    """As Django's `ResolverMatch.route` has it: what stands behind something loses its anchor."""
    whole = ""
    for pattern in reversed([str(pattern) for pattern in chain]):
        whole = pattern + whole.removeprefix("^") if pattern else whole
    return whole


def renderings(chain):
    """`posts/{pk}/`: the names alone; several where the exporter writes several patterns for one of Django's.

    None where a part is optional, repeated or a choice: how to show that is a matter of taste.
    """
    from django.urls.resolvers import RoutePattern
    from export_routes import spellings

    shown = [""]
    for pattern in chain:
        written = str(pattern)
        if isinstance(pattern, RoutePattern):
            parts = [re.sub(r"<(?:[^>:]+:)?([^>]+)>", r"{\1}", spelling) for spelling in spellings(written)]
        else:
            parts = plain(written)
        shown = [above + part for above in shown for part in parts]
    return shown


def plain(regex):
    """Text and groups one after another, with the groups' names; nothing for any other expression."""
    # A set of characters is nothing to read into a group, and no plain text outside of one.
    inside = re.sub(r"\[[^]]*\]", "^", regex.removeprefix("^").removesuffix("$").removesuffix("?"))
    groups = r"\((?:\?P<(\w+)>)?(?!\?)[^()|]*\)"
    bare = re.sub(groups, lambda group: f"{{{group[1] or 'var'}}}", inside)
    text = re.sub(r"\\([.])", r"\1", bare)
    return [] if re.search(r"[\\()|*+?^$]|\{\d", text) or re.search(r"\}[?*+]", text) else [text]


def differences(case, answer, witnessed, records, table):
    """All that does not agree, as text."""
    if answer.trouble:
        yield f"no answer: {answer.trouble}"
        return
    if len(witnessed) != 1:
        yield f"the application saw it {len(witnessed)} times; the client got {answer.status}"
        return
    if [record["event"] for record in records].count("request_completed") != 1:
        yield f"events: {[record['event'] for record in records]}"
        return
    malformed = [line for one in records for line in in_form(one)]
    yield from malformed
    if malformed:
        return
    seen, record = witnessed[0], records[-1]
    yield from unequal("record's", record, {**expected(case, answer, seen, table.upstream), **case.record})
    yield from unequal("application's", seen, application(case))
    yield from in_route(seen["match"], record, table)
    yield from in_early(case, record)
    yield from in_client(case, answer, seen)
    yield from in_identity(case, seen, record)
    yield from in_events(case, answer, seen, records)
    yield from in_times(case, answer, record)


def unequal(whose, seen, wanted):
    for name, value in wanted.items():
        got = seen.get(name)
        if typed(got) != typed(value):
            yield f"{whose} {name}: {got!r:.300} is not {value!r:.300}"


def typed(value):
    """With its type: in Python `1 == True == 1.0`, in a log they are three things."""
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value).__name__, value)


def expected(case, answer, seen, upstream):
    """The completed record, field by field; `None` is absent."""
    reported = dict(seen["response_headers"])
    kind, message = exception(case, seen) or (None, None)
    return {
        **of_request(case.request, answer, seen),
        "event": "request_completed",
        "message": "Request completed",
        "level": "ERROR" if case.broken else LEVELS[answer.status // 100],
        "user_id": text(reported.get("x-user-id")),
        "status_code": answer.status,
        "response_size": len(answer.body),
        "response_content_type": reported.get("content-type"),
        "cache_hit": "unknown",
        "server_timing": None,
        "outcome": "upstream_incomplete" if case.broken else OUTCOMES[answer.status // 100],
        "phase": "receive" if case.broken else "done",
        "responder": "upstream",
        "upstream": "app",
        "upstream_address": upstream,
        "attempts": 1,
        "exception_type": kind,
        "exception_message": message,
        **({} if case.early else {"request_size": seen["body_length"]}),
    }


def of_request(request, answer, seen):
    """The fields that the request's head decides."""
    match = seen["match"] or {"view_name": "unknown", "args": [], "kwargs": {}}
    path, _, query = request.target.partition("?")
    return {
        "logger": "gatelog.request",
        "schema": 1,
        "service": "realapp",
        "environment": "test",
        "method": request.method,
        "scheme": "http",
        "host": request.host,
        "path": path,
        "query": query or None,
        "http_version": request.version,
        "view_name": match["view_name"],
        "view_args": match["args"],
        "view_kwargs": match["kwargs"],
        "ip_address": client_ip(seen["headers"]["x-forwarded-for"]),
        "peer_address": answer.address,
        "user_agent": text(request.value("user-agent")),
        "referer": text(request.value("referer")),
        "content_type": text(request.value("content-type")),
        "content_length": None if request.chunked or request.body is None else len(request.body),
    }


def in_route(match, record, table):
    """The pattern for people to read."""
    route = record.get("route")
    shown = table.shown[match["route"]] if match else {None}
    if shown and route not in shown:
        yield f"record's route: {route!r} is not one of {shown}"
    beginning = "/" + re.match(r"\^?([\w/-]*(?![*+?]))", match["route"])[1] if match else ""
    if not shown and not route.startswith(beginning):
        yield f"record's route: {route!r} does not begin with {beginning!r}"


def text(latin1):
    """Header bytes as a record shows them; empty is absent."""
    return decoded(latin1.strip(" \t")) or None if latin1 is not None else None


def exception(case, seen):
    """Type and message: what the application reported, or that it broke off (RFC 9209 section 2.3)."""
    if case.broken:
        return "http_response_incomplete", "the response body ended early: the last chunk is missing"
    reported = dict(seen["response_headers"])
    return (reported["x-exception-type"], text(reported["x-exception-message"])) if "x-exception-type" in reported else None


def application(case):
    """What the application must have seen of the request."""
    request = case.request
    return {
        "method": request.method,
        "target": request.target,
        "query": request.target.partition("?")[2],
        "content_type": request.value("content-type"),
        "content_length": None if request.chunked or request.body is None else str(len(request.body)),
        "protocol": "HTTP/1.1",
        **({} if case.early else {"body_length": len(request.body or b"")}),
        **({} if case.status is None else {"status": case.status}),
    }


def in_early(case, record):
    """An answer before the body was read: as much of the body as there was time for."""
    if case.early and not 0 <= record["request_size"] <= len(case.request.body):
        yield f"record's request_size: {record['request_size']}"


def in_client(case, answer, seen):
    """The answer that the client got is the one that the application gave, without what is for the proxy alone."""
    request, bodiless = case.request, case.request.method == "HEAD" or answer.status in (204, 304)
    if answer.status != seen["status"]:
        yield f"the client got {answer.status}, the application gave {seen['status']}"
    if not bodiless and len(answer.body) != seen["sent_length"] or digest(answer.body) != seen["sent_sha256"] and not bodiless:
        yield f"the client got {len(answer.body)} bytes, the application sent {seen['sent_length']}, or others"
    if not case.early and digest(request.body or b"") != seen["body_sha256"]:
        yield "the request's body arrived changed"
    if answer.whole == case.broken and not (case.broken and request.version == "1.0"):
        yield f"the body came {'whole' if answer.whole else 'broken'} to the client"
    given = dict(seen["response_headers"])
    for name in ("content-type", "location", "cache-status", "x-cache-status", "age", "server-timing", "vary", "allow"):
        if answer.value(name) != given.get(name):
            yield f"client's {name}: {answer.value(name)!r} is not {given.get(name)!r}"
    for name in ("x-user-id", "x-exception-type", "x-exception-message"):
        if answer.value(name) is not None:
            yield f"the client is told {name}"
    for name, value in case.head.items():
        if answer.value(name) != value:
            yield f"client's {name}: {answer.value(name)!r} is not {value!r}"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def in_identity(case, seen, record):
    """Request id, trace, forwarded addresses, and headers that reach the application as they were sent."""
    request, headers = case.request, seen["headers"]
    given = request.value("x-request-id")
    believed = given is not None and REQUEST_ID.fullmatch(given)
    origin = "client" if believed else "generated" if given is None else "replaced"
    yield from unequal("record's", record, {"request_id_origin": origin, "request_id": seen["request_id"]})
    if believed and seen["request_id"] != given or not believed and not UUID7.fullmatch(seen["request_id"]):
        yield f"request id {seen['request_id']!r} for {given!r}"
    yield from in_trace(request, headers, record)
    sent = [hop.strip() for name, value in request.headers if name == "X-Forwarded-For" for hop in value.split(",")]
    if [hop.strip() for hop in headers["x-forwarded-for"].split(",")] != [*sent, "127.0.0.1"]:
        yield f"application's X-Forwarded-For: {headers['x-forwarded-for']!r} after {sent}"
    for name in ("user-agent", "referer", "cookie", "authorization", "accept"):
        wanted = request.value(name)
        if headers.get(name) != (wanted if wanted is None else wanted.strip(" \t")):
            yield f"application's {name}: {headers.get(name)!r:.200} is not {wanted!r:.200}"
    for name in ("x-hop", "te", "keep-alive"):
        if name in headers:
            yield f"{name} reached the application"


def in_trace(request, headers, record):
    """A valid trace of the client is continued, any other is begun anew, without its state."""
    given, sent = parent(request.value("traceparent")), parent(headers.get("traceparent"))
    if sent != (record.get("trace_id"), record.get("span_id")):
        yield f"application's traceparent: {headers.get('traceparent')!r}; recorded {record.get('trace_id')}, {record.get('span_id')}"
    if given and sent and given[0] != sent[0] or given and given[1] != record.get("parent_span_id"):
        yield f"trace {given} is continued as {sent}, recorded after {record.get('parent_span_id')}"
    if not given and "parent_span_id" in record:
        yield f"parent_span_id {record['parent_span_id']} of {request.value('traceparent')!r}"
    if headers.get("tracestate") != (request.value("tracestate") if given else None):
        yield f"application's tracestate: {headers.get('tracestate')!r}"


def parent(value):
    """Trace and span of a valid `traceparent`; only later versions may have more behind them."""
    match = PARENT.fullmatch(value or "")
    return (match[2], match[3]) if match and not (match[1] == "00" and match[4]) else None


def client_ip(chain):
    """The rightmost address that is not a trusted proxy's; an unreadable one ends the walk."""
    client = None
    for hop in reversed(chain.split(",")):
        address = parse(hop.strip())
        if address is None:
            break
        client = address
        if not any(address in net for net in TRUSTED if net.version == address.version):
            break
    return str(client)


def parse(hop):
    """An address with or without a port."""
    bare = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+", hop)
    try:
        address = ipaddress.ip_address((bare[1] or bare[2]) if bare else hop)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def in_events(case, answer, seen, records):
    """One started first, one completed last; failed where there was an exception, slow where the line was crossed."""
    events = [record["event"] for record in records]
    failed = ["request_failed"] if exception(case, seen) else []
    slow = ["request_slow"] if records[-1].get("slow") else []
    if events[0] != "request_started" or events[-1] != "request_completed" or sorted(events[1:-1]) != failed + slow:
        yield f"events: {events}, where {failed + slow} should be between start and end"
    for record in records:
        in_flight = record["event"] in ("request_started", "request_slow")
        if bool(record.get("in_flight")) != in_flight:
            yield f"in_flight of {record['event']}: {record.get('in_flight')}"
        if record["event"] == "request_failed":
            wanted = exception(case, seen) or (None, None)
            yield from unequal("request_failed's", record, {"level": "ERROR", "exception_type": wanted[0], "exception_message": wanted[1]})
        if record["event"] == "request_slow":
            yield from unequal("request_slow's", record, {"level": "WARNING", "message": "Slow request detected"})
    same = ("request_id", "trace_id", "span_id", "method", "path", "query", "view_name", "view_args", "view_kwargs", "route", "ip_address", "user_agent")
    for name in same:
        if any(typed(record.get(name)) != typed(records[-1].get(name)) for record in records):
            yield f"{name} is not the same in all of {events}"


def in_times(case, answer, record):
    """Durations between what the application took and what the client waited; slow exactly from the threshold on."""
    duration = record["duration"]
    if not case.at_least - 0.001 <= duration <= answer.seconds + 0.5:
        yield f"duration {duration}, where the application took {case.at_least} and the client waited {answer.seconds}"
    if bool(record.get("slow")) != (duration >= SLOW):
        yield f"slow: {record.get('slow')} after {duration} s"
    if abs(sum(record["timing"].values()) - duration) > 0.0005:
        yield f"timing {record['timing']} is not {duration}"


def in_form(record):
    """Names and types are those of the contract; what a completed record always has is there."""
    always = ("timestamp", "seq", "duration", "timing", "request_size", "phase") if record["event"] == "request_completed" else ()
    for name in always:
        if name not in record:
            yield f"{name} is missing"
    for name, value in record.items():
        if name not in TYPES and name not in TEXTS:
            yield f"unknown field {name}"
        elif not isinstance(value, TYPES.get(name, str)) or isinstance(value, bool) and TYPES.get(name) is not bool:
            yield f"{name} is a {type(value).__name__}"
        elif value == "" or value == "-":
            yield f"{name} is {value!r}"
