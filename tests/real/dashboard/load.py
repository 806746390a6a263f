"""How long the page takes to be there with many records in the store, and how much it is.

GATELOG_DASHBOARD_RECORDS  how many records are made for it (40000)
GATELOG_DASHBOARD_STORE    a folder that `cargo bench --bench store -- make FOLDER RECORDS` has filled, in their place
GATELOG_DASHBOARD_BOUND    seconds within which the page has its numbers (5; the promise is 1 on a machine with nothing else
                           to do and a binary for production)
"""

import os
import statistics
from datetime import datetime, timedelta, timezone
from pathlib import Path

from browser import Visitor
from scene import Scene, history, moment
from sources import FIRST_VIEW

RECORDS = int(os.environ.get("GATELOG_DASHBOARD_RECORDS", "40000"))
STORE = os.environ.get("GATELOG_DASHBOARD_STORE")
BOUND = float(os.environ.get("GATELOG_DASHBOARD_BOUND", "5"))
TIMES = 5
# The day of benches/traffic.
DAY = (datetime(2026, 11, 22, tzinfo=timezone.utc), datetime(2026, 11, 23, tzinfo=timezone.utc))
# Milliseconds since the page was asked for: its first words, and its last file or answer.
MARKS = """() => ({
  paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
  load: performance.getEntriesByType('navigation')[0].loadEventEnd,
  answers: performance.getEntriesByType('resource').filter((it) => it.name.includes('/api/')).map((it) => it.responseEnd),
})"""


def check_first_view(checks, chromium, scene, span):
    """What somebody fetches who has never been here."""
    for name, path in (("overview", f"/?{span}"), ("search", f"/search?{span}"), ("tail", "/tail")):
        with Visitor(checks, chromium, scene.url, f"first view of {name}") as visitor:
            sizes = {}
            watch_sizes(visitor, sizes)
            visitor.goto(path, settle=name != "tail")
            visitor.page.wait_for_load_state("load")
            files = sum(size for url, size in sizes.items() if "/api/" not in url)
            print(f"first view of {name}: {files / 1024:.1f} KB in {len(sizes)} answers, {sum(sizes.values()) / 1024:.1f} KB with the numbers")
            checks.that(0 < files < FIRST_VIEW, f"first view of {name}: below {FIRST_VIEW // 1024} KB", sizes)


def watch_sizes(visitor, sizes):
    """Bytes of each answer as they were on the wire, by its address."""
    session, urls = visitor.context.new_cdp_session(visitor.page), {}
    session.on("Network.responseReceived", lambda it: urls.setdefault(it["requestId"], it["response"]["url"]))
    session.on("Network.loadingFinished", lambda it: sizes.__setitem__(urls.get(it["requestId"], it["requestId"]), it["encodedDataLength"]))
    session.send("Network.enable")


def check_many(checks, chromium, folder):
    """A page with everything on it, of a store with many records."""
    if STORE:
        lines, (since, until), store = (), DAY, Path(STORE).resolve() / "store"
    else:
        since, until, store = DAY[0], DAY[1], None
        lines = history(RECORDS // 2, since, until - timedelta(seconds=2))
    with Scene(folder / "many", lines, store=store) as scene:
        records = scene.api.get("/api/stats", since=moment(since), until=moment(until))["total_records"]
        checks.that(records >= (1 if STORE else RECORDS // 2 * 2), "many records are stored", records)
        for name, path in (("overview", "/"), ("search", "/search")):
            times = [one_load(checks, chromium, scene, f"{path}?since={moment(since)}&until={moment(until)}", name) for _ in range(TIMES)]
            told(checks, name, records, times)


def one_load(checks, chromium, scene, path, name):
    with Visitor(checks, chromium, scene.url, f"{name} of many records") as visitor:
        visitor.goto(path)
        return visitor.page.evaluate(MARKS)


def told(checks, name, records, times):
    full = statistics.median(max(it["answers"] + [it["load"]]) for it in times) / 1000
    paint, load = (statistics.median(it[mark] for it in times) / 1000 for mark in ("paint", "load"))
    print(f"{name} of {records} records: first words after {paint:.2f} s, loaded {load:.2f} s, all numbers {full:.2f} s (median of {TIMES})")
    checks.that(full < BOUND, f"{name} is there within {BOUND:g} s", full)
