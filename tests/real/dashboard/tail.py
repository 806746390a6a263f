"""The tail of the log in a browser: whatever comes is shown or told as missed, at a thousand records a second, while the page
goes on answering its user and does not grow; it can be stopped, narrowed, and left alone.

GATELOG_DASHBOARD_TAIL  seconds of a thousand records each (10)
"""

import os
import re
import subprocess
import threading
import time
from http.client import HTTPConnection

from browser import Visitor, value
from peers import nginx, program
from playwright.sync_api import expect
from scene import until

SECONDS = int(os.environ.get("GATELOG_DASHBOARD_TAIL", "10"))
RECORDS = 1000  # a second; a request has two
# Bounds for a machine that does other things as well.
LONGEST_SILENCE = 1000  # milliseconds between two frames of the page
ELEMENTS, HEAP = 30_000, 48 << 20

# How long the page does not get to draw: the longest, and how many of its frames there were.
WATCH = """() => { window.watch = {longest: 0, frames: 0, last: performance.now()};
  const step = () => { const now = performance.now(), it = window.watch;
    it.longest = Math.max(it.longest, now - it.last); it.last = now; it.frames += 1; requestAnimationFrame(step); };
  requestAnimationFrame(step); }"""


def check(checks, chromium, scene):
    with Visitor(checks, chromium, scene.url, "tail") as visitor:
        follow(checks, visitor, scene)
        narrow(checks, visitor, scene)
    with Visitor(checks, chromium, scene.url, "tail at full speed") as visitor:
        keeps_up(checks, visitor, scene)
    with Visitor(checks, chromium, scene.url, "tail of a full house") as visitor:
        crowded(checks, visitor, scene)
    with Visitor(checks, chromium, scene.url, "tail across a restart") as visitor:
        comes_back(checks, visitor, scene)


def is_live(visitor):
    expect(visitor.at("tail")).to_have_attribute("data-state", "live")


def line(visitor, request_id):
    return visitor.at("tail").locator(f'[data-id="{request_id}"]')


def follow(checks, visitor, scene):
    """What comes is shown; not while it is paused, and then all of it."""
    visitor.goto("/tail", settle=False)
    is_live(visitor)
    scene.request("/cart/", headers={"X-Request-ID": "seen-1"})
    expect(line(visitor, "seen-1")).to_have_count(2)
    visitor.at("tail-pause").click()
    expect(visitor.at("tail")).to_have_attribute("data-state", "paused")
    scene.request("/cart/", headers={"X-Request-ID": "paused-1"})
    expect(line(visitor, "paused-1")).to_have_count(0)
    visitor.at("tail-pause").click()
    is_live(visitor)
    expect(line(visitor, "paused-1")).to_have_count(2)
    line(visitor, "paused-1").last.locator("a").first.wait_for()
    visitor.axe("tail")
    visitor.fits("tail")


def narrow(checks, visitor, scene):
    """A filter lets through what it means, and one that is wrong is told where."""
    visitor.goto("/tail?q=status>=500", settle=False)
    is_live(visitor)
    for number, status in enumerate((200, 500, 404, 503)):
        scene.request("/cart/", headers={"X-Request-ID": f"narrow-{number}"}, do={"status": status})
    expect(line(visitor, "narrow-3")).to_have_count(1)
    shown = [line(visitor, f"narrow-{number}").count() for number in range(4)]
    checks.equal(shown, [0, 1, 0, 1], "what the filter means is shown")


def crowded(checks, visitor, scene):
    """One follower too many is told so, and let in once there is room."""
    others = fill(scene)
    checks.that(len(others) > 10, "there is room for some", len(others))
    visitor.expected = re.compile("503")
    visitor.goto("/tail", settle=False)
    expect(visitor.at("tail")).not_to_have_attribute("data-state", "live")
    with visitor.page.expect_response(lambda answer: answer.status == 503 and "/tail" in answer.url):
        pass
    expect(visitor.at("tail")).to_contain_text("too many follow")
    for other in others:
        other.leave()
    is_live(visitor)
    expect(visitor.at("tail")).not_to_contain_text("too many follow")


def fill(scene):
    """Takes all places, also those of visitors who are just leaving."""
    others, refusals = [], 0
    while refusals < 10:
        other = Follower(scene)
        others += [other] * other.is_in
        refusals = 0 if other.is_in else refusals + 1
        threading.Event().wait(0 if other.is_in else 0.1)
    return others


class Follower:
    """A program that follows, as long as it is let in."""

    def __init__(self, scene):
        self.connection = HTTPConnection("127.0.0.1", scene.admin, timeout=20)
        self.connection.request("GET", "/api/logs/tail")
        self.answer = self.connection.getresponse()
        self.is_in = self.answer.status == 200
        if not self.is_in:
            self.leave()

    def leave(self):
        self.answer.close(), self.connection.close()


def comes_back(checks, visitor, scene):
    """A gatelog that starts anew is followed anew, and that something may be missing is told."""
    visitor.goto("/tail", settle=False)
    is_live(visitor)
    scene.request("/cart/", headers={"X-Request-ID": "before-1"})
    expect(line(visitor, "before-1")).to_have_count(2)
    visitor.expected = re.compile("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY|ERR_CONNECTION_RESET")
    checks.equal(scene.stop(), 0, "gatelog leaves")
    expect(visitor.at("tail")).not_to_have_attribute("data-state", "live")
    scene.start()
    is_live(visitor)
    scene.request("/cart/", headers={"X-Request-ID": "after-1"})
    expect(line(visitor, "after-1")).to_have_count(2)
    expect(line(visitor, "before-1")).to_have_count(2)


def keeps_up(checks, visitor, scene):
    with nginx(scene.folder / "nginx", SITE, scene.fast):
        visitor.goto("/tail", settle=False)
        is_live(visitor)
        before = sum(1 for _ in scene.records())
        visitor.page.evaluate(WATCH)
        with Load(scene):
            seconds_of_work(checks, visitor)
        after = until(lambda: settled_count(scene)) - before
        told = lambda: value(visitor.at("tail-seen")) + value(visitor.at("tail-missed"))
        until(lambda: told() == after)
        seen, missed = value(visitor.at("tail-seen")), value(visitor.at("tail-missed"))
        print(f"tail: {after} records in {SECONDS} s, {seen:.0f} shown, {missed:.0f} told as missed")
        checks.that(after > 0.8 * SECONDS * RECORDS, "there was that much", after)
        checks.equal(seen + missed, after, "each record is shown or told as missed")
        checks.that(missed <= after / 10, "nearly all are shown", missed)


def settled_count(scene):
    """How many records there are once no more come."""
    count = sum(1 for _ in scene.records())
    threading.Event().wait(0.3)
    return count if count == sum(1 for _ in scene.records()) else 0


def seconds_of_work(checks, visitor):
    """The page draws, answers, and has stopped growing half way."""
    half = time.monotonic() + SECONDS / 2
    size = None
    while time.monotonic() < half + SECONDS / 2:
        begun = time.monotonic()
        visitor.page.evaluate("new Promise((done) => requestAnimationFrame(done))")
        checks.that(time.monotonic() - begun < 2, "the page answers")
        if size is None and time.monotonic() > half:
            size = measure(visitor)
    end = measure(visitor)
    watched = visitor.page.evaluate("window.watch")
    print(
        f"tail: longest silence {watched['longest']:.0f} ms, {watched['frames'] / SECONDS:.0f} frames a second, "
        f"{end[0]} elements, heap {end[1] / 1e6:.1f} MB (half way {size[0]}, {size[1] / 1e6:.1f} MB)"
    )
    checks.that(watched["longest"] < LONGEST_SILENCE, "the page is never silent for long", watched)
    checks.that(end[0] < ELEMENTS, "elements are bounded", end)
    checks.that(end[1] < HEAP and end[1] - size[1] < 8 << 20, "memory is bounded", (size, end))
    button = visitor.at("tail-pause")
    begun = time.monotonic()
    button.click(), button.click()
    checks.that(time.monotonic() - begun < 3, "it can be paused at any time")


def measure(visitor):
    """(elements, bytes of what is still held)."""
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return visitor.page.evaluate("document.querySelectorAll('*').length"), used


SITE = "access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:@port@; location / { return 200 ok; } }"


class Load:
    """So many requests a second, for as long as the block is."""

    def __init__(self, scene):
        clients = 10
        command = [program("h2load"), "--h1", f"-c{clients}", f"--rps={RECORDS // 2 // clients}", f"-D{SECONDS + 2}"]
        self.command = [*command, f"http://127.0.0.1:{scene.port}/fast/"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.process.wait(60)
