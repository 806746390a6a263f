"""How the pages look and how they are walked: light and dark, English and Korean, on a phone, with the keyboard alone, for who
has a screen reader or wants nothing to move, in the viewer's time.
"""

import re

from browser import DESKTOP, PHONE, Visitor
from playwright.sync_api import expect

# Relative luminance of what is behind the page's text (WCAG 2), from 0, black, to 1.
LUMINANCE = """() => { const behind = [document.body, document.documentElement].map((it) => getComputedStyle(it).backgroundColor);
  const [r, g, b] = behind.find((it) => !/, 0\\)$|transparent/.test(it)).match(/[\\d.]+/g).map((it) => it / 255)
    .map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; }"""
HANGUL = re.compile("[\uac00-\ud7a3]")


def pages(scene, span):
    """(name, path) of each page, of records that are there."""
    return [
        ("overview", f"/?{span}"),
        ("search", f"/search?q=event:request_completed&{span}"),
        ("search without a match", f"/search?q=user:nobody&{span}"),
        ("request", "/requests/seen-slow"),
        ("tail", "/tail"),
        ("alerts", "/alerts"),
        ("request that is not there", "/requests/nobody"),
    ]


def open_page(visitor, name, path):
    """With what can be opened on it open."""
    visitor.expected = re.compile("404") if "not there" in name else re.compile("(?!)")
    visitor.goto(path, settle=name != "tail")
    if name == "search":
        # Not by the mouse: the keyboard is to begin where the page begins.
        visitor.at("result").first.locator("button[aria-expanded]").first.evaluate("(it) => it.click()")
        visitor.at("result-fields").first.wait_for()
    if name == "tail":
        expect(visitor.at("tail")).to_have_attribute("data-state", "live")
    return visitor


def check(checks, chromium, scene, span):
    for scheme in ("light", "dark"):
        for viewport, device in ((DESKTOP, "desktop"), (PHONE, "phone")):
            with Visitor(checks, chromium, scene.url, f"{scheme}, {device}", color_scheme=scheme, viewport=viewport) as visitor:
                for name, path in pages(scene, span):
                    open_page(visitor, name, path)
                    visitor.axe(f"{name}, {scheme}, {device}")
                    visitor.fits(f"{name}, {scheme}, {device}")
                is_of_scheme(checks, visitor, scheme)
    with Visitor(checks, chromium, scene.url, "theme and language") as visitor:
        themes(checks, visitor, span)
        languages(checks, visitor, scene, span)
    with Visitor(checks, chromium, scene.url, "Korean", locale="ko-KR") as visitor:
        in_korean(checks, visitor, scene, span)
    with Visitor(checks, chromium, scene.url, "times") as visitor:
        times(checks, visitor, span)
    with Visitor(checks, chromium, scene.url, "nothing moves", reduced_motion="reduce") as visitor:
        nothing_moves(checks, visitor, scene, span)


def is_of_scheme(checks, visitor, scheme):
    seen = visitor.page.evaluate(LUMINANCE)
    checks.that(seen > 0.5 if scheme == "light" else seen < 0.1, f"it is {scheme}", seen)


def choose(visitor, hook, choice):
    """One of a switch's values, whether it is a list, one button that goes through them, or a button for each."""
    switch = visitor.at(hook)
    tag = switch.evaluate("(it) => it.tagName")
    select = switch if tag == "SELECT" else switch.locator("select")
    if tag == "SELECT" or select.count():
        select.select_option(choice)
    elif switch.locator(f'[value="{choice}"], [data-value="{choice}"]').count():
        switch.locator(f'[value="{choice}"], [data-value="{choice}"]').first.click()
    else:
        attribute = {"theme": "data-theme", "language": "lang"}[hook]
        for _ in range(3):
            if visitor.page.locator("html").get_attribute(attribute) != choice:
                switch.click()


def themes(checks, visitor, span):
    """The switch is stronger than the system, and is remembered."""
    visitor.goto(f"/?{span}")
    is_of_scheme(checks, visitor, "light")
    choose(visitor, "theme", "dark")
    expect(visitor.page.locator("html")).to_have_attribute("data-theme", "dark")
    is_of_scheme(checks, visitor, "dark")
    visitor.axe("overview after the switch to dark")
    visitor.goto(f"/search?{span}")
    is_of_scheme(checks, visitor, "dark")
    choose(visitor, "theme", "light")
    is_of_scheme(checks, visitor, "light")


def languages(checks, visitor, scene, span):
    """The same page in another language: each word of it, none of the numbers."""
    visitor.goto(f"/?{span}")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "en")
    before = visitor.at("tile-requests").locator("[data-value]").first.get_attribute("data-value")
    choose(visitor, "language", "ko")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "ko")
    visitor.settle()
    after = visitor.at("tile-requests").locator("[data-value]").first.get_attribute("data-value")
    checks.equal(after, before, "numbers are the same in Korean")
    words = visitor.page.evaluate(WORDS)
    for language in ("ko", "en"):
        checks.equal(words[language], [], f"words that are missing in {language}")
    choose(visitor, "language", "en")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "en")


# Keys of either language that the other has not, or that are empty.
WORDS = """async () => {
  const missing = {en: [], ko: []};
  for (const [one, other] of [['en', 'ko'], ['search.en', 'search.ko']]) {
    const tables = await Promise.all([one, other].map((name) => import(`/assets/js/words/${name}.js`)));
    const [english, korean] = tables.map((it) => it.default ?? Object.values(it)[0]);
    for (const key of Object.keys(english)) if (!korean[key]) missing.ko.push(key);
    for (const key of Object.keys(korean)) if (!english[key]) missing.en.push(key);
  }
  return missing; }"""


def in_korean(checks, visitor, scene, span):
    """Whose browser is Korean sees Korean, without a choice; of what is for people, nothing is left in English."""
    for name, path in pages(scene, span):
        open_page(visitor, name, path)
        expect(visitor.page.locator("html")).to_have_attribute("lang", "ko")
        heads = visitor.page.locator("h1:visible, h2:visible, nav a:visible, label:visible").all_inner_texts()
        heads = [text.strip() for text in heads if re.search(r"[A-Za-z\uac00-\ud7a3]{3}", text)]
        english = [text for text in heads if not HANGUL.search(text) and not re.search(r"p\d\d|gatelog|URL|IP|UTC", text)]
        # Names of fields and requests' paths are the log's, and stay.
        checks.that(len(english) <= len(heads) / 4, f"{name}: is in Korean", english)
        visitor.fits(f"{name} in Korean")
        visitor.axe(f"{name} in Korean")


def times(checks, visitor, span):
    """Moments are in the viewer's zone, and in UTC on hover."""
    visitor.goto(f"/search?q=event:request_completed&{span}")
    moment = visitor.at("result").first.locator("time").first
    utc, title, shown = moment.get_attribute("datetime"), moment.get_attribute("title"), moment.inner_text()
    hour = (int(utc[11:13]) + 9) % 24
    checks.that(utc.endswith("Z") and utc[11:19] in title and "UTC" in title, "UTC on hover", (utc, title))
    checks.that(re.search(rf"\b0?{hour}:{utc[14:16]}", shown) is not None, "the viewer's own time is shown", (utc, shown))


def nothing_moves(checks, visitor, scene, span):
    for name, path in pages(scene, span)[:4]:
        open_page(visitor, name, path)
        moving = visitor.page.evaluate("document.getAnimations().filter((it) => it.effect.getComputedTiming().duration > 1).length")
        checks.equal(moving, 0, f"{name}: nothing moves where nothing should")


# The element that has the focus: what it is, what it is called, whether that is seen, and where it is.
FOCUS = """() => { const it = document.activeElement; if (!it || it === document.body) return null;
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  const label = it.getAttribute('aria-label') || (it.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent).join(' ').trim()
    || [...(it.labels || [])].map((label) => label.textContent).join(' ') || it.textContent.trim() || it.title || it.placeholder || '';
  it.dataset.walked = (+it.dataset.walked || 0) + 1;
  return {what: `${it.tagName} ${it.className} ${it.dataset.test || ''} ${label.slice(0, 30)}`, called: label !== '', walked: +it.dataset.walked,
    seen: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== 'none',
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight}; }"""
# Whatever can be clicked, and is seen.
CLICKABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((it) => !it.disabled && it.checkVisibility({visibilityProperty: true}) && !it.closest('[inert]') && it.tabIndex >= 0).length"""
MOST_STOPS = 400


def check_keyboard(checks, chromium, scene, span):
    with Visitor(checks, chromium, scene.url, "keyboard") as visitor:
        for name, path in pages(scene, span):
            open_page(visitor, name, path)
            walk_all(checks, visitor, name)
        by_hand_alone(checks, visitor, span)


def walk_all(checks, visitor, name):
    """Each stop of the tabulator key is seen and has a name, the first is the way past the head, and none is a trap."""
    stops = []
    for _ in range(MOST_STOPS):
        visitor.page.keyboard.press("Tab")
        stop = visitor.page.evaluate(FOCUS)
        if stop is None or stop["walked"] > 1:
            break
        stops.append(stop)
    checks.that(stops and re.search("skip", stops[0]["what"], re.IGNORECASE), f"{name}: the first stop leads to the content", stops[:1])
    for fault, good in (("cannot be seen to have the focus", "seen"), ("has no name", "called"), ("is out of sight", "inside")):
        checks.equal([stop["what"] for stop in stops if not stop[good]][:4], [], f"{name}: no stop {fault}")
    ways = visitor.page.evaluate(CLICKABLE)
    checks.that(len(stops) >= min(0.9 * ways, MOST_STOPS), f"{name}: the keyboard comes to all of it", f"{len(stops)} of {ways}")


def by_hand_alone(checks, visitor, span):
    """From the head of the page to the waterfall of a request, without a mouse."""
    press, page = visitor.page.keyboard.press, visitor.page
    visitor.goto(f"/search?{span}")
    press("Tab"), press("Enter")
    reach(checks, visitor, "document.activeElement.matches('[data-test=search-box], [data-test=search-box] *')", "the search box")
    page.keyboard.type("stat")
    visitor.at("completions").locator("[role=option]").first.wait_for()
    press("ArrowDown"), press("Enter")
    box = page.evaluate("document.activeElement.value")
    checks.that(box.startswith("status"), "a completion is taken with the keyboard", box)
    press("ControlOrMeta+A")
    page.keyboard.type("request_id:seen-slow event:request_completed")
    press("Escape"), press("Enter")
    visitor.address("seen-slow")
    visitor.settle()
    expect(visitor.at("result")).to_have_count(1)
    reach(checks, visitor, "document.activeElement.closest('[data-test=result]') && document.activeElement.hasAttribute('aria-expanded')", "the row")
    press("Enter")
    visitor.at("result-fields").wait_for()
    reach(checks, visitor, "document.activeElement.closest('a[href^=\"/requests/\"]') !== null", "the way to the whole request")
    press("Enter")
    visitor.address("/requests/seen-slow$")
    visitor.at("waterfall").wait_for()


def reach(checks, visitor, condition, what):
    """Goes on with the tabulator key until it is there."""
    for _ in range(MOST_STOPS):
        if visitor.page.evaluate(f"Boolean({condition})"):
            return
        visitor.page.keyboard.press("Tab")
    checks.that(False, f"the keyboard comes to {what}")
