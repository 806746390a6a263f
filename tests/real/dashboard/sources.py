"""What the dashboard's files may not say, and how they are served: nothing makes elements of text, runs text, or names another
origin; each file is there by its name, compressed, and not sent twice to whoever has it.
"""

import gzip
import re
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[3] / "src/dashboard/assets"
# Ways by which text becomes elements or code.
BANNED = {
    "js": r"\b(?:inner|outer)HTML\b|\binsertAdjacentHTML\b|\bdocument\s*\.\s*write|\beval\b|\bnew\s+Function\b|\bFunction\s*\("
    r"|\bDOMParser\b|\bcreateContextualFragment\b|\bsetHTML\w*\b|\bparseHTML\w*\b|\bsrcdoc\b|\bset(?:Timeout|Interval)\s*\(\s*[\"'`]"
    r"|[\"'`]javascript:",
    "html": r"<script(?![^>]*\bsrc=)|<style\b|\sstyle\s*=|\son\w+\s*=|javascript:|<iframe\b|<base\b",
    "css": r"@import|expression\s*\(|url\(\s*['\"]?(?:https?:)?//",
}
ELSEWHERE = re.compile(r"""["'(=]\s*((?:https?:|wss?:)?//[a-z0-9-]+\.[^"')\s]*)""", re.IGNORECASE)
NAMESPACES = re.compile(r"^https?://www\.w3\.org/(?:2000/svg|1999/xhtml|1999/xlink|1998/Math/MathML)$")
FIRST_VIEW = 150 * 1024


def files():
    return sorted(path for path in ASSETS.rglob("*") if path.is_file())


def check_texts(checks):
    """The files by themselves."""
    sources = [path for path in files() if path.suffix[1:] in BANNED]
    checks.that(len(sources) > 10, "there are sources", sources)
    for path in sources:
        found = faults(path.suffix[1:], path.read_text(encoding="utf-8"))
        checks.equal(found, [], f"{path.relative_to(ASSETS)}: makes nothing of text, and names nobody else")


def faults(kind, text):
    """What a text of such a kind may not say."""
    text = without_comments(kind, text)
    foreign = [match[1] for match in ELSEWHERE.finditer(text) if not NAMESPACES.match(match[1])]
    return [match[0] for match in re.finditer(BANNED[kind], text)] + foreign


def without_comments(kind, text):
    if kind == "html":
        return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r"(?m)^\s*//.*$", "", text) if kind == "js" else text


def check_served(checks, scene):
    """The same over HTTP."""
    for path in files():
        name = path.relative_to(ASSETS).as_posix()
        if path.suffix not in (".js", ".css", ".svg") or name.startswith("."):
            continue
        status, headers, content = scene.api.ask(f"/assets/{name}", {"Accept-Encoding": "gzip"})
        if not checks.equal(status, 200, f"/assets/{name} is there"):
            continue
        content = gzip.decompress(content) if headers["Content-Encoding"] == "gzip" else content
        checks.equal(content, path.read_bytes(), f"/assets/{name}: as it is")
        again = scene.api.ask(f"/assets/{name}", {"If-None-Match": headers["ETag"] or "", "Accept-Encoding": "gzip"})[0]
        checks.equal(again, 304, f"/assets/{name}: not sent twice")
    for path in ("/assets/nobody.js", "/assets/../Cargo.toml", "/assets/%2e%2e/mod.rs", "/assets/", "/assets/js"):
        checks.equal(scene.api.ask(path)[0], 404, f"{path} is not there")


POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "base-uri": "'none'",
    "frame-ancestors": "'none'",
}  # fmt: skip


def check_headers(checks, scene):
    """What browsers are told to forbid."""
    for page in ("/", "/search", "/tail", "/requests/x", "/login"):
        status, headers, _ = scene.api.ask(page, {"Accept": "text/html"})
        checks.that(status in (200, 303), f"{page} is there", status)
        if status != 200:
            continue
        policy = dict(part.strip().split(" ", 1) for part in (headers["Content-Security-Policy"] or "").split(";") if " " in part.strip())
        wrong = {name: policy.get(name) for name, rule in POLICY.items() if policy.get(name) != rule}
        checks.equal(wrong, {}, f"{page}: its policy")
        others = [headers[name] for name in ("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")]
        checks.equal(others, ["nosniff", "no-referrer", "same-origin"], f"{page}: other rules")
        checks.that(headers["Permissions-Policy"], f"{page}: nothing of the machine is asked for")
