"""Who gets in: by the form, with a cookie that no script reads, until he leaves; a guess is refused, told, and held off; where
it goes afterwards is never elsewhere.
"""

import re
from urllib.parse import quote

from browser import PHONE, Visitor
from playwright.sync_api import expect
from scene import TOKEN, Scene

ELSEWHERE = ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:window.ran=1", "/%09/evil.example", "%2F%2Fevil.example")
REFUSED = re.compile(r"40[13]|429")


def check(checks, chromium, folder):
    with Scene(folder / "guessed", token=TOKEN) as scene:
        nothing_without(checks, scene)
        held_off(checks, chromium, scene)
    with Scene(folder / "locked", token=TOKEN) as scene:
        with Visitor(checks, chromium, scene.url, "login") as visitor:
            enter_and_leave(checks, visitor, scene)
            come_back(checks, visitor)
        with Visitor(checks, chromium, scene.url, "login in Korean, dark", locale="ko-KR", color_scheme="dark", viewport=PHONE) as visitor:
            visitor.goto("/login", settle=False)
            form(visitor)
            expect(visitor.page.locator("html")).to_have_attribute("lang", "ko")
            visitor.axe("login in Korean, dark")
            visitor.fits("login on a phone")
        for target in ELSEWHERE:
            with Visitor(checks, chromium, scene.url, f"login for {target}") as visitor:
                visitor.goto(f"/login?next={quote(target)}", settle=False)
                enter(visitor)
                visitor.at("logout").wait_for()
                checks.that(visitor.page.url.startswith(scene.url + "/"), f"{target} is not gone to", visitor.page.url)


def nothing_without(checks, scene):
    open_door = dict(scene.api.headers)
    scene.api.headers = {}
    for path in ("/api/stats", "/api/logs", "/api/series", "/api/hits", "/api/export", "/api/status", "/metrics", "/api/logs/tail", "/api/outputs"):
        checks.equal(scene.api.ask(path)[0], 401, f"{path} is shut")
    for path in ("/", "/search?q=a%20b", "/tail", "/requests/x"):
        status, headers, content = scene.api.ask(path, {"Accept": "text/html"})
        target = f"/login?next={quote(path, safe='')}"
        checks.equal((status, quote(headers["Location"] or "", safe="/?=%"), len(content) < 500), (303, target, True), f"{path} leads to the login")
    checks.equal(scene.api.ask("/login")[0], 200, "the login is open")
    scene.api.headers = open_door


def form(visitor):
    """The token's box and the button of the form."""
    box = visitor.page.locator("form input[type=password]")
    box.wait_for()
    return box, visitor.page.locator("form button[type=submit], form button:not([type])").first


def enter(visitor, token=TOKEN):
    box, button = form(visitor)
    box.fill(token)
    button.click()


def enter_and_leave(checks, visitor, scene):
    visitor.goto("/search?q=status%3A404&last=1h", settle=False)
    visitor.address(r"/login\?next=")
    form(visitor)
    visitor.axe("login")
    visitor.fits("login")
    visitor.expected = REFUSED
    enter(visitor, "a token that nobody has given")
    expect(visitor.page.locator("[role=alert]")).not_to_be_empty()
    checks.that("/login" in visitor.page.url and "token" not in visitor.page.url, "a wrong one stays", visitor.page.url)
    visitor.expected = re.compile("(?!)")
    enter(visitor)
    visitor.address(r"/search\?q=status(:|%3A)404&last=1h$")
    visitor.settle()
    cookies = visitor.context.cookies()
    checks.equal([(it["name"], it["httpOnly"], it["sameSite"], it["path"]) for it in cookies], [("gatelog_session", True, "Strict", "/")], "the cookie")
    checks.that(0 < cookies[0]["expires"] and TOKEN not in cookies[0]["value"], "it ends, and is not the token", cookies)
    checks.equal(visitor.page.evaluate("document.cookie"), "", "no script reads it")
    stored = visitor.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    checks.that(TOKEN not in stored, "the token is kept nowhere", stored)
    leave(checks, visitor, scene, f"gatelog_session={cookies[0]['value']}")


def leave(checks, visitor, scene, cookie):
    token, scene.api.headers = scene.api.headers, {"Cookie": cookie}
    checks.equal(scene.api.ask("/api/stats")[0], 200, "the cookie is as good as the token")
    cross_site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    checks.equal(scene.api.ask("/api/reload", cross_site, b"")[0], 403, "for nobody else's page")
    visitor.expected = re.compile("401")
    visitor.at("logout").click()
    visitor.address(r"/login")
    checks.equal(scene.api.ask("/api/stats")[0], 401, "it is worth nothing afterwards")
    checks.equal(visitor.context.cookies(), [], "and is gone")
    visitor.page.go_back()
    visitor.address(r"/login")
    scene.api.headers = token
    visitor.expected = re.compile("(?!)")


def come_back(checks, visitor):
    """Whose session ends while he looks on is asked to log in, gets in at once, and is where he was."""
    visitor.goto("/login?next=/%3Flast%3D5m", settle=False)
    enter(visitor)
    visitor.address(r"/\?last=5m$")
    visitor.settle()
    visitor.expected = REFUSED
    visitor.context.clear_cookies()
    visitor.address(r"/login\?next=")
    enter(visitor)
    visitor.address(r"/\?last=5m$")
    visitor.settle()
    visitor.expected = re.compile("(?!)")


def held_off(checks, chromium, scene):
    """Guesses end, and the log tells of them without a word of what was guessed."""
    with Visitor(checks, chromium, scene.url, "guesses") as visitor:
        visitor.expected = REFUSED
        visitor.goto("/login", settle=False)
        for number in range(12):
            with visitor.page.expect_response("**/api/login") as answer:
                enter(visitor, f"guess number {number} of the test")
            form(visitor)[1].wait_for()
        checks.equal(answer.value.status, 429, "who guesses is made to wait")
        expect(visitor.page.locator("[role=alert]")).not_to_be_empty()
    told = [record for record in scene.records() if record["logger"] == "gatelog.security"]
    checks.that(told, "guesses are told in the log")
    checks.that("guess number" not in str(told), "but not what was guessed", told[:2])
