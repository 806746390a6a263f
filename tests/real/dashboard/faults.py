"""Whether the tests would notice: a page on which everything is wrong, and each of them complains of it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import looks
import sources
from browser import Visitor
from hostile import MADE
from peers import Checks

PAGE = b"""<!doctype html><html><head><title>x</title><base target=_self></head><body style="background:#fff"><main>
<p style="color:#bbb;background:#ccc">Nobody can read this.</p><button></button>
<a href="javascript:window.ran=1" style="outline:none">x</a><input aria-hidden=true>
<div style="width:3000px;height:1px"></div>
<img src=x onerror="window.ran=1"><img src="http://127.0.0.1:9/elsewhere.png">
<script>console.error('said'); setTimeout(() => alert('dialog'), 0); setTimeout(() => { throw new Error('thrown') }, 1);</script>
</main></body></html>"""


class Everything(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE if self.path == "/" else b"")

    def log_message(self, *_):
        pass


class Silent(Checks):
    """Counts and remembers, and says nothing."""

    def __init__(self):
        super().__init__()
        self.told = []

    def that(self, held, what, detail=""):
        self.told += [] if held else [f"{what}: {detail}"]
        return bool(held)


def check(checks, chromium):
    server, silent = ThreadingHTTPServer(("127.0.0.1", 0), Everything), Silent()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Visitor(silent, chromium, f"http://127.0.0.1:{server.server_address[1]}", "faulty") as visitor:
        visitor.goto("/")
        visitor.wait("window.ran === 1")
        visitor.axe("faulty")
        visitor.fits("faulty")
        looks.walk_all(silent, visitor, "faulty")
        silent.that(not visitor.page.evaluate(MADE), "made of values", visitor.page.evaluate(MADE))
    server.shutdown()
    told = "\n".join(silent.told)
    for word in ("said", "thrown", "dialog", "127.0.0.1:9/", "was run", "color-contrast", "button-name", "3008 px", "focus", "no name", "leads to the content", "javascript:"):
        checks.that(word in told, f"the tests notice: {word}", told)
    for kind, texts in BAD.items():
        for text in texts:
            checks.that(sources.faults(kind, text), f"the tests notice: {text}")
    for kind, text in GOOD:
        checks.equal(sources.faults(kind, text), [], f"the tests let through: {text}")


BAD = {
    "js": (
        "it.innerHTML = x", "it['outerHTML'] = x", "it.insertAdjacentHTML('x', y)", "document.write(x)", "eval(x)", "new Function(x)",
        "setTimeout('x()', 1)", "location = 'javascript:x'", "fetch('https://elsewhere.example/')", "import '//elsewhere.example/x.js'",
        "new DOMParser()", "range.createContextualFragment(x)", "frame.srcdoc = x",
    ),
    "html": ("<script>x()</script>", "<p style='x'>", "<p onclick=x()>", "<link href=https://elsewhere.example/x.css>", "<style>x</style>"),
    "css": ("@import 'x.css'", "p { background: url(//elsewhere.example/x.png) }"),
}  # fmt: skip
GOOD = (
    ("js", "document.createElementNS('http://www.w3.org/2000/svg', 'path'); setTimeout(() => x(), 1); retrieval(x)"),
    ("html", '<script type="module" src="/assets/js/app.js"></script><link rel="icon" href="data:,">'),
    ("css", "p { color: var(--text); background: url(data:image/svg+xml,x) }"),
)
