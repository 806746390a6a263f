"""The search and the request, clicked through: what is completed, counted, listed, narrowed, zoomed, opened, copied and taken
away is what the records say.
"""

import csv
import io
import json
import re
import subprocess
from urllib.parse import parse_qs, urlsplit

from browser import Visitor, value
from playwright.sync_api import expect
from scene import Count

FACETS = ("level", "view_name", "status_code", "method", "upstream", "user_id", "ip_address")


def check(checks, chromium, scene, since, until):
    records = list(scene.records(since, until))
    span = f"since={since}&until={until}"
    settings = {"permissions": ["clipboard-read", "clipboard-write"], "accept_downloads": True}
    with Visitor(checks, chromium, scene.url, "overview, zoomed") as visitor:
        zoom_overview(checks, visitor, span)
    with Visitor(checks, chromium, scene.url, "ranges") as visitor:
        ranges(checks, visitor)
    with Visitor(checks, chromium, scene.url, "search", **settings) as visitor:
        complete(checks, visitor, span)
        found(checks, visitor, records, span)
        facets(checks, visitor, records, span)
        zoom_hits(checks, visitor, records, span)
        pages(checks, visitor, records, span)
        wrong(checks, visitor, span)
        take_away(checks, visitor, records, span)
        back_and_forth(checks, visitor, span)
    with Visitor(checks, chromium, scene.url, "request", **settings) as visitor:
        whole_request(checks, visitor, scene, span)


def parameters(visitor):
    return {name: values[0] for name, values in parse_qs(urlsplit(visitor.page.url).query).items()}


def drag(visitor, canvas, start, end):
    """Over a part of a chart, from left to right."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = box["y"] + box["height"] / 2
    mouse = visitor.page.mouse
    mouse.move(box["x"] + box["width"] * start, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * (start + end) / 2, middle, steps=4)
    mouse.move(box["x"] + box["width"] * end, middle, steps=4)
    mouse.up()


def zoom_overview(checks, visitor, span):
    """A part of a chart that is drawn over becomes the range of the page, for all panels; back is back."""
    visitor.goto(f"/?{span}")
    before, requests = parameters(visitor), number(visitor, "tile-requests")
    drag(visitor, visitor.at("chart-rate").locator(".u-over, canvas, svg").first, 0.5, 0.9)
    visitor.page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("since", [""])[0] != before["since"])
    visitor.settle()
    after = parameters(visitor)
    checks.that(before["since"] < after["since"] < after["until"] <= before["until"], "zoomed into a part", (before, after))
    fewer = number(visitor, "tile-requests")
    checks.that(0 < fewer < requests, "with fewer requests in it", (fewer, requests))
    visitor.page.go_back()
    visitor.address(re.escape(before["since"]).replace(":", "(:|%3A)"))
    visitor.settle()
    expect(visitor.at("tile-requests").locator("[data-value]").first).to_have_attribute("data-value", str(int(requests)))


def number(visitor, hook):
    return value(visitor.at(hook).locator("[data-value]").first)


def ranges(checks, visitor):
    """From five minutes to thirty days."""
    visitor.goto("/")
    picker = visitor.at("range")
    select = picker if picker.evaluate("(it) => it.tagName") == "SELECT" else picker.locator("select").first
    if select.count():
        names = [it.get_attribute("value") for it in select.locator("option").all()]
        choose = select.select_option
    else:
        names = [it.get_attribute("data-value") or it.get_attribute("value") for it in picker.locator("button").all()]
        choose = lambda name: picker.locator(f'[data-value="{name}"], [value="{name}"]').first.click()
    checks.that({"5m", "1h", "24h", "7d", "30d"} <= set(names), "ranges to choose from", names)
    for name in ("5m", "30d", "1h"):
        choose(name)
        visitor.address(f"last={name}")
        visitor.settle()
        visitor.at("tile-requests").wait_for()


def type_in(visitor, text):
    box = visitor.at("search-box")
    box = box if box.evaluate("(it) => ['INPUT', 'TEXTAREA'].includes(it.tagName)") else box.locator("input, textarea").first
    box.fill("")
    box.press_sequentially(text)
    return box


def search(visitor, text):
    type_in(visitor, text)
    visitor.page.keyboard.press("Escape")
    visitor.at("search-go").click()
    visitor.page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("q", [""])[0] == text)
    visitor.settle()


def complete(checks, visitor, span):
    """Fields as they are begun, then values of the field, then operators; by the mouse, too."""
    visitor.goto(f"/search?{span}")
    options = visitor.at("completions").locator("[role=option]")
    for begun, expected in (("statu", "status"), ("view_n", "view_name"), ("level:err", "ERROR"), ("outcome:client_e", "client_error"), ("view_name:pro", "product"), ("status>=500 AND meth", None), ("status>=500 meth", "method")):
        box = type_in(visitor, begun)
        if expected is None:
            continue
        expect(options.filter(has_text=re.compile(re.escape(expected), re.IGNORECASE)).first).to_be_visible()
        checks.equal(box.get_attribute("aria-expanded"), "true", f"{begun}: completions are announced")
    options.first.click()
    expect(box).to_have_value(re.compile(r"^status>=500 method"))
    type_in(visitor, "level:err")
    options.first.wait_for()
    visitor.page.keyboard.press("ArrowDown")
    active = box.get_attribute("aria-activedescendant")
    checks.that(active and visitor.page.locator(f'[id="{active}"]').get_attribute("aria-selected") == "true", "the one that is meant is announced", active)
    visitor.page.keyboard.press("Escape")
    expect(options).to_have_count(0)


def found(checks, visitor, records, span):
    """As many as there are, the newest first, and a histogram of them."""
    visitor.goto(f"/search?{span}")
    for text, holds in (
        ("event:request_completed status>=500", lambda it: it["event"] == "request_completed" and (it.get("status_code") or 0) >= 500),
        ("view_name:cart event:request_completed", lambda it: it["event"] == "request_completed" and it.get("view_name") == "cart"),
        ("level:warning", lambda it: it["level"] == "WARNING"),
    ):
        search(visitor, text)
        expected = [record for record in records if holds(record)]
        checks.equal(value(visitor.at("hits").locator("[data-value]").first), len(expected), f"{text}: hits")
        expected = newest_first(expected)
        shown = [it.get_attribute("data-id") for it in visitor.at("result").all()]
        checks.equal(shown[:10], [record["request_id"] for record in expected[:10]], f"{text}: the newest first")
    row = visitor.at("result").first
    row.locator("button[aria-expanded]").first.click()
    fields = visitor.at("result-fields")
    record = expected[0]
    for name, content in record.items():
        if isinstance(content, str) and content:
            expect(fields.locator(f'[data-field="{name}"]').first).to_contain_text(content)
    checks.that(fields.locator("[data-field]").count() >= len(record) - 2, "all fields are there", (fields.locator("[data-field]").count(), len(record)))


def newest_first(records):
    """Of those of one moment, what was written last."""
    return sorted(records, key=lambda record: record["timestamp"])[::-1]


def facets(checks, visitor, records, span):
    """Each value with its count, and a click that adds it to the question."""
    visitor.goto(f"/search?q=event:request_completed&{span}")
    ended = Count(records).ended
    for field in FACETS:
        buttons = visitor.at(f"facet-{field}").locator("button[data-value][data-count]")
        buttons.first.wait_for()
        for button in buttons.all()[:3]:
            name, shown = button.get_attribute("data-value"), int(button.get_attribute("data-count"))
            counted = sum(str(record.get(field)) == name for record in ended)
            checks.equal(shown, counted, f"facet {field}: {name}")
    visitor.at("facet-status_code").locator('button[data-value="404"]').first.click()
    visitor.address(r"404")
    visitor.settle()
    missing = sum(record.get("status_code") == 404 for record in ended)
    checks.equal(value(visitor.at("hits").locator("[data-value]").first), missing, "after a facet is clicked")
    visitor.at("facet-method").locator('button[data-value="GET"]').first.click()
    visitor.address(r"GET")
    visitor.settle()
    missing = sum(record.get("status_code") == 404 and record["method"] == "GET" for record in ended)
    checks.equal(value(visitor.at("hits").locator("[data-value]").first), missing, "after another one")


def zoom_hits(checks, visitor, records, span):
    visitor.goto(f"/search?q=event:request_completed&{span}")
    before = parameters(visitor)
    drag(visitor, visitor.at("hits").locator("[role=slider]"), 0.2, 0.6)
    visitor.page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("since", [""])[0] != before["since"])
    visitor.settle()
    after = parameters(visitor)
    expected = sum(after["since"] <= it["timestamp"] < after["until"] and it["event"] == "request_completed" for it in records)
    checks.equal(value(visitor.at("hits").locator("[data-value]").first), expected, "hits of a part of the time")


def pages(checks, visitor, records, span):
    """Further pages hold further records, none of them twice."""
    visitor.goto(f"/search?q=event:request_completed&{span}")
    seen = []
    for _ in range(3):
        visitor.at("result").first.wait_for()
        seen += [it.get_attribute("data-id") for it in visitor.at("result").all()]
        following = visitor.at("pager").locator("button, a").last
        before = visitor.at("result").first.get_attribute("data-id")
        following.click()
        expect(visitor.at("result").first).not_to_have_attribute("data-id", before)
        visitor.settle()
    ended = newest_first(Count(records).ended)
    checks.equal(len(set(seen)), len(seen), "no record is on two pages")
    expected = [record["request_id"] for record in ended[: len(seen)]]
    wrong = [pair for pair in zip(seen, expected) if pair[0] != pair[1]]
    checks.equal(wrong[:3], [], "pages go on where the one before ended")


def wrong(checks, visitor, span):
    """A mistake is told where it was made, and the page goes on."""
    visitor.goto(f"/search?{span}")
    visitor.expected = re.compile("400")
    type_in(visitor, "statsu:500")
    visitor.page.keyboard.press("Escape")
    visitor.at("search-go").click()
    told = visitor.page.locator("main [role=alert], main [aria-live]:not(:empty)").filter(has_text=re.compile("status"))
    expect(told.first).to_be_visible()
    visitor.expected = re.compile("(?!)")
    search(visitor, "status:500")
    visitor.at("result").first.wait_for()


def take_away(checks, visitor, records, span):
    """The permanent address, the same for curl, and the records as a file."""
    visitor.goto(f"/search?q=event:request_completed status:404&{span}")
    expected = [record["request_id"] for record in records if record["event"] == "request_completed" and record.get("status_code") == 404]
    visitor.at("result").first.wait_for()
    shown = [it.get_attribute("data-id") for it in visitor.at("result").all()]
    checks.equal(by_shell(copied(visitor, "copy-curl")), shown, "what curl finds")
    link = copied(visitor, "permalink")
    checks.that(link.startswith(visitor.url + "/search?") and "since=" in link and "until=" in link, "the permanent address", link)
    for kind in ("ndjson", "csv"):
        content = exported(visitor, kind)
        lines = [json.loads(line) for line in content.splitlines()] if kind == "ndjson" else list(csv.DictReader(io.StringIO(content)))
        checks.equal(sorted(line["request_id"] for line in lines), sorted(expected), f"export as {kind}")


def copied(visitor, hook):
    """What a button puts into the clipboard."""
    visitor.page.evaluate("navigator.clipboard.writeText('')")
    visitor.at(hook).click()
    visitor.wait("navigator.clipboard.readText().then((it) => it !== '')")
    return visitor.page.evaluate("navigator.clipboard.readText()")


def by_shell(line):
    """The requests that a copied command finds, run as it is."""
    answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False).stdout
    return [record["request_id"] for record in json.loads(answer)["logs"]]


def exported(visitor, kind):
    area = visitor.at("export")
    way = area.locator(f'[data-format="{kind}"], [href*="format={kind}"], [value="{kind}"]').first
    if not way.count() or not way.is_visible():
        (area if area.evaluate("(it) => it.matches('button, a')") else area.locator("summary, button").first).click()
        way = visitor.page.locator(f'[data-format="{kind}"], a[href*="format={kind}"]').first
    with visitor.page.expect_download() as download:
        way.click()
    with open(download.value.path(), encoding="utf-8", newline="") as content:
        return content.read()


def back_and_forth(checks, visitor, span):
    """The browser's own buttons go through what was asked."""
    visitor.goto(f"/search?{span}")
    search(visitor, "status:500")
    search(visitor, "status:404")
    visitor.page.go_back()
    visitor.address("500")
    visitor.settle()
    box = visitor.at("search-box")
    box = box if box.evaluate("(it) => ['INPUT', 'TEXTAREA'].includes(it.tagName)") else box.locator("input, textarea").first
    expect(box).to_have_value("status:500")
    visitor.page.reload()
    visitor.settle()
    expect(box).to_have_value("status:500")


def whole_request(checks, visitor, scene, span):
    """From a row to its request: what happened when, in proportion, and on to the others of its user, address and route."""
    visitor.goto(f"/search?q=request_id:seen-slow event:request_completed&{span}")
    visitor.at("result").first.locator("button[aria-expanded]").first.click()
    visitor.page.locator('a[href^="/requests/seen-slow"]').first.click()
    visitor.address("/requests/seen-slow$")
    visitor.at("waterfall").wait_for()
    story = scene.api.get("/api/logs/seen-slow")["logs"]
    end = next(record for record in story if record["event"] == "request_completed")
    shown = {it.get_attribute("data-phase"): value(it) for it in visitor.at("waterfall").locator("[data-phase][data-value]").all()}
    for phase, seconds in end["timing"].items():
        checks.that(abs(shown.get(phase, -1) - seconds) < 1e-6, f"waterfall: {phase}", (shown.get(phase), seconds))
    for name, content in (("user_id", end["user_id"]), ("ip_address", end["ip_address"]), ("view_name", end["view_name"])):
        ways = [it.get_attribute("href") for it in visitor.page.locator("main a[href^='/search']").all()]
        leads = [way for way in ways if content in parse_qs(urlsplit(way).query).get("q", [""])[0]]
        checks.that(leads, f"leads to the others of {name}", (content, ways[:8]))
    told = visitor.at("result").all()
    checks.equal(len(told), len(story), "each of its records is there")
