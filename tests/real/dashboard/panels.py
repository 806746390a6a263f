"""Each panel of the overview beside the API and beside a count of the log's own lines: they say the same."""

import math
import threading

from browser import Visitor, value
from playwright.sync_api import expect
from scene import Application, Count, until

EXACT = 0.009  # quantiles are at most 0.8 % more than exact
CLASSES = ("2xx", "3xx", "4xx", "5xx")


def check(checks, chromium, scene, since, until_):
    span = {"since": since, "until": until_}
    checks.that(scene.is_counted(**span), "the store has what the log has")
    count = Count(scene.records(**span))
    the_api(checks, scene.api, count, span)
    with Visitor(checks, chromium, scene.url, "overview") as visitor:
        visitor.goto(f"/?since={since}&until={until_}")
        tiles(checks, visitor, count)
        routes(checks, visitor, count)
        charts(checks, visitor, count)
        lists(checks, visitor, count)
        elsewhere(checks, visitor, scene.api)
        links(checks, visitor, scene.api, count)
        compared(checks, visitor)
    with Visitor(checks, chromium, scene.url, "in flight") as visitor:
        in_flight(checks, visitor, scene)


def near(seen, exact):
    """Whether a quantile is what it is said to be: no less, and hardly more."""
    return (seen is None) == (exact is None) and (exact is None or exact - 2e-6 <= seen <= exact * (1 + EXACT) + 2e-6)


def the_api(checks, api, count, span):
    """The numbers that the panels are made of."""
    stats, performance = api.get("/api/stats", **span), api.get("/api/performance", **span)
    checks.equal(stats["total_requests"], count.requests, "/api/stats: requests")
    checks.equal(stats["total_errors"], len(count.errors), "/api/stats: errors")
    checks.equal({name: stats["by_status_class"].get(name, 0) for name in CLASSES}, {name: count.by_class[name] for name in CLASSES}, "/api/stats: classes")
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        seen = performance[f"{name}_response_time"]
        checks.that(near(seen, count.quantile(count.ended, share)), f"/api/performance: {name}", seen)
    series = api.get("/api/series", points=200, **span)["points"]
    checks.equal(sum(point["requests"] for point in series), count.requests, "/api/series: requests")
    checks.equal(sum(point["records"] for point in series), count.records, "/api/series: records")
    checks.equal(sum(sum(point["heat"]) for point in series), count.requests, "/api/series: heat")
    checks.equal(sum(point["slow"] for point in series), count.slow, "/api/series: slow")
    levels = {level: sum(point["by_level"].get(level, 0) for point in series) for level in count.by_level}
    checks.equal(levels, dict(count.by_level), "/api/series: levels")
    hits = api.get("/api/hits", **span)
    checks.equal((hits["total"], sum(point["count"] for point in hits["points"])), (count.records, count.records), "/api/hits")
    for route in api.get("/api/routes", **span)["routes"]:
        ended = count.routes[route["route"]]
        seen = [route["requests"], route["client_errors"], route["server_errors"], route["slow"], route["response_bytes"], sum(route["series"]["requests"])]
        checks.equal(seen, by_hand(ended), f"/api/routes: {route['route']}")
        checks.that(near(route["p95_response_time"], count.quantile(ended, 0.95)), f"/api/routes: p95 of {route['route']}", route)


def by_hand(ended):
    of_class = lambda number: sum(record["status_code"] // 100 == number for record in ended)
    size = sum(record["response_size"] for record in ended)
    return [len(ended), of_class(4), of_class(5), sum(bool(record["slow"]) for record in ended), size, len(ended)]


def tile(visitor, name):
    return value(visitor.at(f"tile-{name}").locator("[data-value]").first)


def tiles(checks, visitor, count):
    checks.equal(tile(visitor, "requests"), count.requests, "tile: requests")
    failed = count.by_class["5xx"]
    shown = tile(visitor, "errors")
    checks.that(shown in (failed, len(count.errors)) or math.isclose(shown, failed / count.requests, rel_tol=1e-6), "tile: errors", (shown, failed, len(count.errors)))
    checks.that(near(tile(visitor, "p95"), count.quantile(count.ended, 0.95)), "tile: p95", tile(visitor, "p95"))


def routes(checks, visitor, count):
    """All routes, and by each column that they are sorted by."""
    rows = visitor.at("routes").locator("[data-route]")
    names = [row.get_attribute("data-route") for row in rows.all()]
    checks.equal(sorted(names), sorted(count.routes), "routes: all of them")
    for row in rows.all():
        ended = count.routes[row.get_attribute("data-route")]
        cell = lambda column: value(row.locator(f'[data-column="{column}"]').first)
        requests, _, server_errors, _, size, _ = by_hand(ended)
        name = row.get_attribute("data-route")
        checks.equal((cell("requests"), cell("bytes")), (requests, size), f"routes: {name}")
        checks.that(near(cell("p95"), count.quantile(ended, 0.95)), f"routes: p95 of {name}", cell("p95"))
        errors = cell("errors")
        checks.that(errors == server_errors or math.isclose(errors, server_errors / requests, rel_tol=1e-6), f"routes: errors of {name}", (errors, server_errors))
    for head in visitor.at("routes").locator("th button").all():
        sorted_by(checks, visitor, head)


def sorted_by(checks, visitor, head):
    head.click()
    sort = head.locator("xpath=ancestor::th").get_attribute("aria-sort")
    column = head.locator("xpath=ancestor::th").get_attribute("data-column")
    cells = visitor.at("routes").locator(f'tbody [data-column="{column}"]')
    shown = [cell.get_attribute("data-value") for cell in cells.all()]
    if shown and all(shown):
        shown = [float(it) if it.replace(".", "", 1).replace("e-", "", 1).isdigit() else it for it in shown]
        checks.equal(shown, sorted(shown, reverse=sort == "descending"), f"routes: sorted by {column}, {sort}")
    checks.that(sort in ("ascending", "descending"), f"routes: {column} says how it is sorted", sort)


def table(panel):
    """What a chart says to whoever does not see it: {column: [numbers, None where there is none]}."""
    columns = panel.evaluate("""(it) => { const heads = [...it.querySelectorAll('thead th')].map((head) => head.dataset.column);
      const rows = [...it.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell) =>
        cell.dataset.value ?? cell.querySelector('[data-value]')?.dataset.value ?? cell.querySelector('time')?.dateTime ?? cell.textContent));
      return Object.fromEntries(heads.map((head, index) => [head ?? index, rows.map((row) => row[index])])); }""")
    return {name: [number(cell) for cell in cells] for name, cells in columns.items()}


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def charts(checks, visitor, count):
    """Their tables add up to the count; the curves are those of the API."""
    for name in ("rate", "status", "latency", "heat"):
        panel = visitor.at(f"chart-{name}")
        panel.wait_for()
        drawn = panel.evaluate("(it) => [...it.querySelectorAll('canvas, svg')].some((it) => it.getBoundingClientRect().width > 100)")
        checks.that(drawn, f"chart {name} is drawn")
        open_table(panel)
    numbers = {name: table(visitor.at(f"chart-{name}")) for name in ("rate", "status", "latency", "heat")}
    for name, columns in numbers.items():
        checks.that(columns and any(len(it) > 1 for it in columns.values()), f"chart {name}: in words, too", columns)
    points = visitor.answer("/api/series")["points"]
    as_answered(checks, numbers, points)
    shown = {name: sum(numbers["status"].get(name, ())) for name in CLASSES}
    checks.equal(shown, {name: count.by_class[name] for name in CLASSES}, "chart status: adds up to the count")
    checks.equal(sum(point["requests"] for point in points), count.requests, "the page was told what was counted")


def as_answered(checks, numbers, points):
    """The tables of the charts beside what the page was told."""
    seen = numbers["rate"].get("rate", [])
    checks.equal(seen, [point["rate"] for point in points][-len(seen) :], "chart rate")
    for name in ("p50", "p95", "p99"):
        told = [point[f"{name}_response_time"] for point in points]
        seen = numbers["latency"].get(name, [])
        checks.equal(seen, told[-len(seen) :], f"chart latency: {name}")
        checks.that(seen and any(seen), f"chart latency: {name} is there", seen[:5])


def open_table(panel):
    """The table may be behind a button."""
    button = panel.locator("summary, button[aria-expanded=false]").first
    if not panel.locator("table").count() or not panel.locator("table").first.is_visible():
        if button.count():
            button.click()


def lists(checks, visitor, count):
    """The slowest, and the newest errors."""
    slowest = sorted(count.ended, key=lambda record: -record["duration"])[:5]
    shown = [it.get_attribute("data-id") for it in visitor.at("slow").locator("[data-id]").all()]
    checks.equal(shown[:5], [record["request_id"] for record in slowest], "slow requests, the slowest first")
    newest = sorted(count.errors, key=lambda record: record["timestamp"], reverse=True)[:3]
    shown = [it.get_attribute("data-id") for it in visitor.at("errors").locator("[data-id]").all()]
    checks.equal(shown[:3], [record.get("request_id") for record in newest], "recent errors, the newest first")


def elsewhere(checks, visitor, api):
    """Upstream servers, outputs, and alerts."""
    servers = {it["address"]: it["state"] for upstream in api.get("/api/upstreams")["upstreams"] for it in upstream["servers"]}
    rows = visitor.at("upstreams").locator("[data-server]").all()
    checks.equal({row.get_attribute("data-server"): row.get_attribute("data-state") for row in rows}, servers, "upstream servers")
    checks.that(len(set(servers.values())) > 1, "one of which is down", servers)
    outputs = {it["name"]: it["written"] for it in api.get("/api/outputs")["outputs"]}
    rows = visitor.at("outputs").locator("[data-output]").all()
    seen = {row.get_attribute("data-output"): value(row.locator('[data-column="written"]').first) for row in rows}
    checks.that({"everything", "failures"} <= set(seen) and set(seen) == set(outputs), "outputs", (seen, outputs))
    late = {name: (seen[name], outputs[name]) for name in set(seen) & set(outputs) if not 0 < seen[name] <= outputs[name]}
    checks.equal(late, {}, "outputs: what they have written")
    expect(visitor.at("alerts").locator('[data-rule="broken"]').first).to_be_visible()


def links(checks, visitor, api, count):
    """Each number leads to a search that finds as many."""
    for name, expected in (("requests", count.requests), ("errors", None), ("p95", None)):
        link = visitor.at(f"tile-{name}").locator("a[href^='/search']").first
        checks.that(link.count() == 1, f"tile {name} leads to what explains it")
        if expected and link.count():
            found = ask(visitor, api, link)
            checks.that(found["total_count"] == expected or not found["total_is_exact"], "as many are found", (found["total_count"], expected))
    row = visitor.at("routes").locator('[data-route="product"]').first
    found = ask(visitor, api, row.locator("a[href^='/search']").first)
    checks.equal(found["total_count"], len(count.routes["product"]), "as many of a route are found")
    visitor.at("tile-requests").locator("a[href^='/search']").first.click()
    visitor.address("/search")
    visitor.settle()
    visitor.at("result").first.wait_for()


def ask(visitor, api, link):
    """What the API finds where a link leads."""
    parameters = link.evaluate("(it) => Object.fromEntries(new URL(it.href).searchParams)")
    return api.get("/api/logs", **{name: parameters[name] for name in ("q", "since", "until") if name in parameters})


def compared(checks, visitor):
    """The period before, on demand."""
    visitor.page.go_back()
    visitor.settle()
    switch = visitor.at("compare")
    switch = switch if switch.evaluate("(it) => ['INPUT', 'BUTTON'].includes(it.tagName)") else switch.locator("input, button").first
    with visitor.page.expect_response(lambda it: "/api/" in it.url):
        switch.click()
    visitor.settle()
    checks.that(visitor.at("tile-requests").is_visible(), "a comparison leaves the page as it is")


def in_flight(checks, visitor, scene):
    """What runs now, while it runs."""
    Application.released.clear()
    threads = [threading.Thread(target=scene.request, args=("/cart/",), kwargs={"do": {"hold": True}}) for _ in range(5)]
    [thread.start() for thread in threads]
    checks.that(until(lambda: scene.api.get("/api/inflight")["total_count"] == 5), "five are in flight")
    visitor.goto("/?last=5m")
    shown = lambda: tile(visitor, "inflight")
    checks.that(until(lambda: shown() == 5, 20), "tile: in flight", shown())
    Application.released.set()
    [thread.join() for thread in threads]
    checks.that(until(lambda: shown() == 0, 20), "the page goes on by itself: none is in flight any more", shown())
