"""Headless Chromium, and visitors who keep what a page complains about and whom it asks: a dashboard that works has no error
on the console, and asks nobody but the listener that it came from.
"""

import contextlib
import re
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from peers import program
from playwright.sync_api import expect, sync_playwright
from scene import until

PATIENCE = 20_000  # milliseconds that anything may take on a slow machine
# Beside the usual: sandboxes need privileges that a build machine has not, and frames of other visitors go on.
ARGUMENTS = ["--disable-dev-shm-usage", "--disable-background-timer-throttling", "--enable-precise-memory-info"]
GRAVE = ("serious", "critical")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        expect.set_options(timeout=PATIENCE)
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()


class Visitor:
    """A page of somebody who has nothing from before: no cookies, nothing cached, no settings."""

    def __init__(self, checks, chromium, url, name, **context):
        settings = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Asia/Seoul", "color_scheme": "light", **context}
        self.checks, self.url, self.name = checks, url, name
        self.context = chromium.new_context(**settings)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.complaints, self.foreign, self.refused, self.expected = [], [], [], re.compile("(?!)")
        self.answers = {}
        self.watch()

    def watch(self):
        page = self.page
        page.on("console", lambda said: said.type == "error" and self.complain(f"{said.text} ({said.location.get('url')})"))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("dialog", self.dismiss)
        page.on("request", lambda request: self.is_ours(request.url) or self.foreign.append(request.url))
        page.on("response", lambda answer: answer.status >= 400 and self.refused.append((answer.status, answer.url)))
        page.on("requestfinished", lambda request: "/api/" in request.url and self.answers.__setitem__(urlsplit(request.url).path, request))
        page.on("popup", lambda other: self.is_ours(other.url) or self.foreign.append(other.url))

    def complain(self, text):
        if not self.expected.search(text):
            self.complaints.append(text)

    def dismiss(self, dialog):
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def is_ours(self, url):
        return url.startswith(self.url + "/") or urlsplit(url).scheme in ("data", "about")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is None:
            self.is_content()
        self.context.close()

    def is_content(self):
        """Nothing was wrong with the page until now."""
        name = self.name
        self.checks.equal(self.complaints[:5], [], f"{name}: the console has no error")
        self.checks.equal(self.foreign[:5], [], f"{name}: nobody else is asked")
        self.checks.that(not self.page.evaluate("window.ran"), f"{name}: nothing of a record was run")
        self.complaints.clear(), self.foreign.clear()

    def goto(self, path, settle=True):
        self.page.goto(self.url + path)
        if settle:
            self.settle()
        return self

    def settle(self):
        """Until the page has its numbers: nothing of it says that it is still busy."""
        self.page.locator("main").first.wait_for()
        self.wait("document.readyState === 'complete' && document.querySelector('main > *') !== null")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def wait(self, expression):
        """Until it is true in the page, whose own policy lets nobody else evaluate anything."""
        if not until(lambda: self.page.evaluate(expression), PATIENCE / 1000):
            raise AssertionError(f"{self.name}: never became true: {expression}")

    def at(self, hook):
        return self.page.get_by_test_id(hook)

    def answer(self, path):
        """What the API has answered to the page itself, the last time."""
        return self.answers[path].response().json()

    def address(self, pattern):
        """Waits for the page's address, by a part of it."""
        self.page.wait_for_url(lambda url: re.search(pattern, url) is not None)
        return self

    def axe(self, what):
        """Nothing that keeps people out."""
        found = [it for it in Axe().run(self.page).response["violations"] if it["impact"] in GRAVE]
        told = [f"{it['id']}: {[node['target'] for node in it['nodes'][:4]]} {it['help']}" for it in found]
        return self.checks.equal(told, [], f"{what}: accessible to all")

    def fits(self, what):
        """Nothing of it is beyond the page's side."""
        wide = self.page.evaluate(WIDE)
        return self.checks.equal(wide, [], f"{what}: does not scroll sideways")


# What reaches beyond the right edge of the window while nothing around it scrolls by itself.
WIDE = """() => {
  const edge = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= edge) return [];
  const scrolls = (it) => it && it !== document.body && (/auto|scroll|hidden|clip/.test(getComputedStyle(it).overflowX) || scrolls(it.parentElement));
  const beyond = [...document.body.querySelectorAll('*')].filter((it) => it.getBoundingClientRect().right > edge + 1 && !scrolls(it));
  return [`${document.scrollingElement.scrollWidth} px`, ...beyond.slice(0, 5).map((it) => `${it.tagName}.${it.className} ${it.dataset.test || ''}`)];
}"""


def value(locator):
    """The number that an element shows, as it was before it was written for people."""
    return float(locator.get_attribute("data-value"))
