"""The overview goes on by itself: at its pace while somebody looks, not at all behind other windows; an answer that comes late
changes nothing any more; where gatelog does not answer, that is said, and the last numbers stay. The page's own clock is in
the test's hand, so that nothing here waits for time.
"""

import re
import threading

from browser import Visitor, value
from playwright.sync_api import expect
from scene import until

HIDE = """(hidden) => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => hidden ? 'hidden' : 'visible'});
  document.dispatchEvent(new Event('visibilitychange')); }"""


def check(checks, chromium, scene):
    with Visitor(checks, chromium, scene.url, "live") as visitor:
        asked = []
        visitor.page.on("request", lambda request: "/api/" in request.url and asked.append(request.url))
        visitor.page.clock.install()
        visitor.goto("/?last=15m")
        goes_on(checks, visitor, scene, asked)
        keeps_the_place(checks, visitor)
        stops_behind_others(checks, visitor, asked)
        says_what_it_lacks(checks, visitor, asked)
    with Visitor(checks, chromium, scene.url, "late answers") as visitor:
        late(checks, visitor)


def requests(visitor):
    return value(visitor.at("tile-requests").locator("[data-value]").first)


def after(visitor, seconds):
    """That much later, with all that was asked in the meantime answered."""
    visitor.page.clock.run_for(1000 * seconds)
    visitor.settle()


def goes_on(checks, visitor, scene, asked):
    before = requests(visitor)
    for _ in range(40):
        scene.request("/cart/")
    for _ in range(4):
        after(visitor, 5)
        if requests(visitor) >= before + 20:
            break
    # Some of the past are too old by now.
    checks.that(before + 20 <= requests(visitor) <= before + 40, "what has come since is counted", (before, requests(visitor)))
    asked.clear()
    after(visitor, 20)
    most = max((sum(url == other for other in asked) for url in asked), default=0)
    paths = {url.split("?")[0] for url in asked}
    often = max((sum(url.split("?")[0] == path for url in asked) for path in paths), default=0)
    checks.that(1 <= often <= 8 and most <= 8, "about every five seconds", (often, sorted(paths)))


def keeps_the_place(checks, visitor):
    """Whoever walks the page with the keyboard is where he was when new numbers have come."""
    for hook in ("routes", "slow", "errors", "upstreams", "tile-requests"):
        link = visitor.at(hook).locator("tbody a, li a, a").last
        link.focus()
        words = visitor.page.evaluate("document.activeElement.closest('[data-test]')?.dataset.test")
        after(visitor, 6)
        now = visitor.page.evaluate("document.activeElement.closest('[data-test]')?.dataset.test")
        checks.equal(now, words, f"{hook}: the focus stays while numbers come")


def stops_behind_others(checks, visitor, asked):
    visitor.page.evaluate(HIDE, True)
    visitor.settle()
    asked.clear()
    visitor.page.clock.run_for(120_000)
    checks.equal(asked, [], "nothing is asked behind other windows")
    with visitor.page.expect_request(lambda request: "/api/" in request.url):
        visitor.page.evaluate(HIDE, False)
        visitor.page.clock.run_for(5_000)
    visitor.settle()


def says_what_it_lacks(checks, visitor, asked):
    before = requests(visitor)
    visitor.expected = re.compile("Failed to load resource|ERR_FAILED")
    visitor.page.route("**/api/**", lambda route: route.abort())
    with visitor.page.expect_event("requestfailed"):
        visitor.page.clock.run_for(15_000)
    told = visitor.page.locator("[role=alert]:visible, [role=status]:visible, [aria-live]:visible").filter(has_text=re.compile(r"\w{3}"))
    expect(told.first).to_be_visible()
    checks.equal(requests(visitor), before, "the last numbers stay")
    words = told.first.inner_text()
    visitor.page.unroute("**/api/**")
    with visitor.page.expect_response(lambda answer: "/api/" in answer.url and answer.ok):
        visitor.page.clock.run_for(90_000)
    visitor.settle()
    expect(visitor.page.get_by_text(words, exact=True).locator("visible=true")).to_have_count(0)
    visitor.expected = re.compile("(?!)")


def late(checks, visitor):
    """The answers of a range that is left come after those of the one that it was left for."""
    held, holding = [], threading.Event()
    visitor.goto("/?last=5m")
    few = requests(visitor)
    visitor.page.route("**/api/**", lambda route: held.append(route) if holding.is_set() else route.continue_())
    holding.set()
    choose(visitor, "7d")
    visitor.wait("location.search.includes('7d')")
    expect(visitor.page.locator("[aria-busy=true]").first).to_be_attached()
    until(lambda: visitor.page.evaluate("1") and held)
    holding.clear()
    choose(visitor, "1h")
    visitor.address("last=1h")
    visitor.settle()
    shown = requests(visitor)
    for route in held:
        finish(route)
    visitor.page.unroute_all(behavior="ignoreErrors")
    visitor.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    checks.that(few <= shown == requests(visitor), "late answers change nothing", (few, shown, requests(visitor)))


def finish(route):
    """The page may have given it up itself, which is as good."""
    try:
        route.continue_()
    except Exception as error:  # noqa: BLE001: whichever way Playwright says that nobody waits for it
        if "closed" in str(error):
            raise


def choose(visitor, name):
    picker = visitor.at("range")
    select = picker if picker.evaluate("(it) => it.tagName") == "SELECT" else picker.locator("select").first
    if select.count():
        select.select_option(name)
    else:
        picker.locator(f'[data-value="{name}"], [value="{name}"]').first.click()
