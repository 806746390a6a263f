#!/usr/bin/env python3
"""The store beside what people search logs with: the same questions about the same day of records, asked of the store, of
jq, of lnav (headless, with config/lnav) and of a Python scan, one line each of the printed table.

    python3 benches/compare/questions.py [--records 5000000] [--folder DIR] [--with jq,python,lnav] [--questions 0,1,2]

The store and the log (0.75 GB a million records) are made in DIR, or in a temporary folder that is removed; where DIR has
them, they are used as they are. "cold" is the first time after the store's files have left the page cache, in a new process
(clean pages only: no privilege is needed); "warm" is the median of nine. The others read a log that is in the page cache,
and their time is that of the whole process. Where an answer differs from the store's, it is marked.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAST_HOUR, NOON = "2026-11-22T23:00:00", "2026-11-22T12:00:00"
# A few requests of the day end on the next one.
DAY_END = "2026-11-23T00:00:00"
TEXTS = ("message", "path", "exception_message", "user_agent")
DAY, SLOWEST = "24 h of statistics", "slowest 20"


def words(text):
    in_jq = f'([.message,.path,.exception_message,.user_agent]|map(select(.)|ascii_downcase|contains("{text}"))|any)'
    in_python = f"any('{text}' in (r.get(n) or '').lower() for n in {TEXTS!r})"
    in_sql = "(" + " OR ".join(f"{name} LIKE '%{text}%'" for name in ("log_body", *TEXTS[1:])) + ")"
    return in_jq, in_python, in_sql


def both(one, other):
    return tuple(f"{a} {word} {b}" for a, word, b in zip(one, ("and", "and", "AND"), other))


def route_5xx():
    return ('.view_name=="section1:detail" and .status_code>=500',
            "r.get('view_name') == 'section1:detail' and (r.get('status_code') or 0) >= 500",
            "view_name = 'section1:detail' AND status_code >= 500")


def equal(name, value):
    return f'.{name}=="{value}"', f"r.get({name!r}) == {value!r}", f"{name} = '{value}'"


def since(moment):
    return f'.timestamp>="{moment}"', f"r['timestamp'] >= {moment!r}", f"log_time >= '{moment.replace('T', ' ')}'"


def conditions(name, asked):
    """What a record must be, for jq, Python and SQL."""
    by_name = {
        "route + 5xx, last hour": lambda: both(route_5xx(), since(LAST_HOUR)),
        "one request id": lambda: equal("request_id", asked.split(":", 1)[-1]),
        "one user, newest 50": lambda: equal("user_id", "u1234"),
        "a frequent user, newest 50": lambda: equal("user_id", "u1"),
        "rare text": lambda: words("section7/19999"),
        "common text, total to 10 000": lambda: words("section"),
        "route + 5xx, 24 hours": route_5xx,
        "text in errors": lambda: words("deadlock"),
        "no text at all": lambda: words("nowhere-to-be-found"),
        "slower than 4.9 s": lambda: (".duration>4.9", "(r.get('duration') or 0) > 4.9", "duration > 4.9"),
        "newest 50": lambda: ("true", "True", "1 = 1"),
        "errors since noon, newest 50": lambda: both(
            ('(.level=="ERROR" or .level=="CRITICAL")', "r['level'] in ('ERROR', 'CRITICAL')",
             "log_level IN ('error', 'critical')"), since(NOON)),
    }
    return by_name[name]()


# jq alone takes more than fifteen minutes to gather five million durations in an array: it takes out, others count.
JQ_DAY = f"""jq -r 'select(.timestamp < "{DAY_END}") |
  [.level, .logger, .timestamp[0:13], .event, .view_name // "-", .status_code // "-", .duration // "-"] | @tsv' "$1" |
awk -F'\\t' '{{ level[$1]++; logger[$2]++; hour[$3]++ }}
  $4 == "request_completed" {{ route[$5]++; status[$6]++; print $7 | "sort -g > " folder "/durations" }}
  END {{ for (name in level) sum += level[name]; print sum }}' folder="$2" &&
awk '{{ took[NR] = $1 }} END {{ print took[int(NR * 0.95)] > "/dev/null" }}' "$2/durations"
"""

PYTHON_SLOWEST = """
import heapq, json, sys
records = map(json.loads, open(sys.argv[1]))
slowest = heapq.nlargest(20, (r for r in records if r['event'] == 'request_completed'), key=lambda r: r['duration'])
print(len(slowest))
"""

PYTHON_DAY = f"""
import json, sys
from collections import Counter
level, logger, hour, route, status, durations = Counter(), Counter(), Counter(), Counter(), Counter(), []
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r['timestamp'] >= '{DAY_END}':
        continue
    level[r['level']] += 1; logger[r['logger']] += 1; hour[r['timestamp'][:13]] += 1
    if r['event'] == 'request_completed':
        route[r['view_name']] += 1; status[r['status_code']] += 1; durations.append(r['duration'])
durations.sort()
print(level.total())
"""

PYTHON_PAGE = """
import json, sys
from collections import deque
count, newest = 0, deque(maxlen=50)
for line in open(sys.argv[1]):
    r = json.loads(line)
    if CONDITION:
        count += 1; newest.append(line)
print(count)
"""

SQL_DAY = ("SELECT count(*) AS n FROM (SELECT log_level, view_name, status_code, count(*), avg(duration), max(duration) "
           "FROM gatelog GROUP BY 1, 2, 3)")


def command(tool, name, asked, log, folder):
    """What is run, and how to get the count out of what it says."""
    if name == DAY:
        jq, python, sql = "", PYTHON_DAY, SQL_DAY
    elif name == SLOWEST:
        # Every request's duration first, which sort makes into the greatest.
        jq, python = 'select(.event=="request_completed")|[.duration,.]', PYTHON_SLOWEST
        sql = "SELECT count(*) AS n FROM (SELECT * FROM gatelog ORDER BY duration DESC LIMIT 20)"
    else:
        jq, python, sql = conditions(name, asked)
        jq = f"select({jq})"
        python = PYTHON_PAGE.replace("CONDITION", python)
        sql = f"SELECT count(*) AS n FROM gatelog WHERE {sql}"
    if tool == "jq":
        if name == DAY:
            return ["bash", "-c", JQ_DAY, "jq", str(log), str(folder)], lambda out: out.strip()
        if name == SLOWEST:
            return ["bash", "-c", 'jq -c "$1" "$2" | LC_ALL=C sort -t, -k1.2,1rg | head -n 20 | wc -l', "jq", jq, str(log)], lambda out: out.strip()
        # The newest fifty, and how many there are.
        shell = 'jq -c "$1" "$2" | { tee >(wc -l >&2) | tail -n 50 >/dev/null; } 2>&1'
        return ["bash", "-c", shell, "jq", jq, str(log)], lambda out: out.strip()
    if tool == "python":
        return [sys.executable, "-c", python, str(log)], lambda out: out.strip()
    formats = ["-I", str(folder / "formats-of-lnav")]
    ran = ["lnav", "-n", "-q", *formats, "-c", f";{sql}", "-c", ":write-json-to -", str(log)]
    return ran, lambda out: "" if name == DAY else str(json.loads(out)[0]["n"])


def ask_other(tool, name, asked, log, folder, patience):
    if not shutil.which("python3" if tool == "python" else tool):
        return "not here", ""
    ran, count = command(tool, name, asked, log, folder)
    environment = dict(os.environ, HOME=str(folder), XDG_CONFIG_HOME=str(folder))
    start = time.monotonic()
    # A group of its own, so that all of a pipe ends when the time is up.
    with subprocess.Popen(ran, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          env=environment, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"> {patience} s", ""
    took = time.monotonic() - start
    try:
        return f"{took:.1f} s", count(out)
    except (ValueError, KeyError, IndexError):
        return f"{took:.1f} s", f"? {(errors.strip() or '?').splitlines()[0][:80]}"


def bench():
    """The compiled bench of the store."""
    built = subprocess.run(["cargo", "bench", "--bench", "store", "--no-run", "--message-format=json"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return next(it["executable"] for it in messages if it.get("executable") and it["target"]["name"] == "store")


def evict(folder):
    os.sync()
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ask_store(program, folder):
    """Number, name, cold, warm, count and question, of each."""
    rows = []
    warm = subprocess.run([program, "ask", str(folder)], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in warm.splitlines():
        number, name, _, median, found, asked = line.split("\t")
        evict(folder / "store")
        once = subprocess.run([program, "ask", str(folder), number], check=True, stdout=subprocess.PIPE, text=True).stdout
        rows.append((int(number), name.strip(), float(once.split("\t")[2]), float(median), found.strip(), asked.strip()))
    return rows


def differs(ours, theirs):
    if not theirs:
        return ""
    same = int(theirs) >= int(ours[:-1]) if ours.endswith("+") and theirs.isdigit() else ours == theirs
    return "" if same else f" (!= {theirs})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--records", type=int, default=5_000_000)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--with", dest="tools", default="jq,python,lnav")
    arguments.add_argument("--questions", default="0,1,2,3,4,5,6")
    arguments.add_argument("--patience", type=int, default=900, help="seconds for each answer of the others")
    given = arguments.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="gatelog-questions-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        compare(given, folder)
    finally:
        if not given.folder:
            shutil.rmtree(folder)


def compare(given, folder):
    program = bench()
    if not (folder / "log.json").exists():
        print(subprocess.run([program, "make", str(folder), str(given.records)], check=True, stdout=subprocess.PIPE,
                             text=True).stdout, flush=True)
    formats = folder / "formats-of-lnav/formats/gatelog"
    formats.mkdir(parents=True, exist_ok=True)
    (formats / "gatelog.json").write_bytes((ROOT / "config/lnav/gatelog.json").read_bytes())
    rows = ask_store(program, folder)
    tools = [tool for tool in given.tools.split(",") if tool]
    chosen = {int(number) for number in given.questions.split(",") if number}
    print(f"{'question':36} {'cold ms':>9} {'warm ms':>9} {'found':>9}  " + "  ".join(f"{tool:>9}" for tool in tools))
    for number, name, cold, warm, found, asked in rows:
        line = f"{name:36} {cold:9.1f} {warm:9.2f} {found:>9}"
        print(line, end="", flush=True)
        for tool in tools if number in chosen else []:
            took, count = ask_other(tool, name, asked, folder / "log.json", folder, given.patience)
            print(f"  {took:>9}{differs(found, count)}", end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
