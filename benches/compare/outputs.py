#!/usr/bin/env python3
"""What further outputs cost a request: processor time of gatelog's whole process, with one JSON file and with more.

    dist/build
    benches/compare/outputs.py --gatelog target/dist/gatelog --runs 9

The cases of CASES run in turn, forth and back, as in compare.py. The processor's own counters are asked with perf where
there is one: instructions per request move by a few in a thousand between runs, cycles and time by several in a hundred,
or double for seconds while somebody else is in the caches. So the first ratio printed is that of instructions, the second
that of cycles, the third that of time, each of the lowest figures of all runs: what disturbs only ever adds. Several
binaries (--gatelog A B) are compared with each other in the same turns.

With --rate N the load is N requests a second instead of as many as there can be, and the latencies are printed, too: the
lowest p50 and p99 of all runs. Where there is a live view or a store, it is printed how many of the records it has taken.

The case `ten` has ten dashboards open and tailing, on the load's core: a program that asks and follows as they do or, with
--browsers, ten times Chromium (tests/real/dashboard/ten). What it costs the threads of the proxy is in the parentheses.
"""

import argparse
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from compare import HERE, TARGET, TREE, fill, free_port, load, machine, which

EVENTS = ["instructions:u", "instructions:k", "cycles:u", "cycles:k"]
CONNECTIONS = 64
GENERATOR = ["wrk", "-t1", f"-c{CONNECTIONS}"]

FILE = """
[[log.output]]
name = "first"
type = "file"
path = "@dir@/first.jsonl"
format = "json"
"""

OFF = """
[admin]
address = "off"
"""

LIVE = """
[admin]
address = "127.0.0.1:@admin@"
"""

STORE = """
[store]
path = "@dir@/store"
"""

# name: (what stands in the configuration behind the first output, what it is)
CASES = {
    "one": ("", "one JSON file"),
    "file": (
        """
        [[log.output]]
        name = "second"
        type = "file"
        path = "@dir@/second.jsonl"
        format = "json"
        """,
        "a second JSON file",
    ),
    "pipe": (
        """
        [[log.output]]
        name = "second"
        type = "stdout"
        format = "json"
        """,
        "and JSON on stdout, a pipe that is read",
    ),
    "broken": (
        """
        [[log.output]]
        name = "pipe"
        type = "stdout"
        format = "json"
        [[log.output]]
        name = "disk"
        type = "file"
        path = "/dev/full"
        format = "json"
        [[log.output]]
        name = "http"
        type = "http"
        endpoint = "http://127.0.0.1:@nobody@/"
        body = "ndjson"
        retry_at_most = "1s"
        spool = { path = "@dir@/spool", max = "24MB" }
        [[log.output]]
        name = "syslog"
        type = "syslog"
        address = "tcp://127.0.0.1:@hanging@"
        """,
        "and four outputs that refuse: a pipe nobody reads, a full disk, a dead collector with a full spool, a syslog that hangs",
    ),
    "live": (LIVE, "and the newest records in memory, for the admin listener"),
    "store": (LIVE + STORE, "and the store beside them"),
    "ten": (LIVE + STORE, "and ten dashboards that tail"),
}
DASHBOARDS = TREE / "tests/real/dashboard/ten"


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="gatelog-outputs-") as folder, contextlib.ExitStack() as stack:
        report = measure(stack, Path(folder), options)
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
        print(f"written: {options.out}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gatelog", nargs="+", default=[str(TREE / "target/dist/gatelog")], help="binaries (%(default)s)")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(CASES), help=",".join(CASES))
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each case (%(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run (%(default)s)")
    parser.add_argument("--rate", type=int, help="requests a second; as many as there can be without it")
    parser.add_argument("--warm-up", type=int, default=4, help="seconds before the first run: queues and spools fill (%(default)s)")
    parser.add_argument("--proxy-core", default="0")
    parser.add_argument("--load-core", default="1")
    parser.add_argument("--browsers", action="store_true", help="the dashboards of `ten` are Chromium's")
    parser.add_argument("--out", help="JSON file for the figures")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    missing = [tool for tool in ("nginx", "wrk", "h2load", "taskset", *options.gatelog) if not which(tool)]
    if unknown or missing:
        parser.error(f"unknown cases: {sorted(unknown)}; not found: {missing}")
    return options


def measure(stack, folder, options):
    upstream = stack.enter_context(Upstream(folder, options.load_core))
    hanging = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    values = {"upstream": upstream.port, "nobody": free_port(), "hanging": hanging.getsockname()[1]}
    servers = [
        stack.enter_context(Server(binary, case, folder, values, options))
        for binary in options.gatelog
        for case in options.cases
    ]
    for server in servers:
        server.run(options.warm_up)
    taken = {server: [] for server in servers}
    for turn in range(options.runs):
        for server in servers[:: -1 if turn % 2 else 1]:
            taken[server].append(server.run(options.seconds))
    return report(servers, taken, options)


def report(servers, taken, options):
    figures = {server: lowest(runs) for server, runs in taken.items()}
    for server in servers:
        base = figures[next(it for it in servers if it.binary == server.binary)]
        print(row(server, figures[server], base))
    runs = {f"{server.binary} {server.case}": figures[server] for server in servers}
    return {"machine": machine(), "runs": options.runs, "seconds": options.seconds, "cases": runs}


def lowest(runs):
    """Of every figure the lowest of all runs; threads as they were in the shortest one."""
    figures = {key: min(run[key] for run in runs) for key in runs[0] if key not in ("threads", "rate", "taken")}
    figures["taken"] = [run["taken"] for run in runs if run["taken"] is not None]
    shortest = min(runs, key=lambda run: run["us"])
    return {**figures, "rate": max(run["rate"] for run in runs), "threads": shortest["threads"]}


def row(server, own, base):
    ratio = lambda key: f"{own[key] / base[key]:.3f}" if own.get(key) else "-"
    counted = f"{own['instructions'] / 1e3:.1f}k instructions, {own['cycles'] / 1e3:.1f}k cycles" if "cycles" in own else "no perf"
    threads = ", ".join(f"{name} {micros:.2f}" for name, micros in own["threads"].items() if micros >= 0.01)
    ratios = f"/ {ratio('instructions')} / {ratio('cycles')} / {ratio('us')}"
    latency = f", p50 {own['p50']} us, p99 {own['p99']} us" if "p99" in own else ""
    taken = f", {min(own['taken']):.1%} of the records taken at least" if own["taken"] else ""
    figures = f"{counted}, {own['us']:.2f} us a request, {own['rate']:.0f}/s {ratios}{latency}{taken}"
    return f"{Path(server.binary).name:14} {server.case:7} {figures}  ({threads})"


class Upstream:
    """The application: an nginx that answers from memory, on the load's core."""

    def __init__(self, folder, core):
        self.port, own = free_port(), folder / "upstream"
        own.mkdir()
        config = own / "upstream.conf"
        config.write_text(fill((HERE / "templates/upstream.conf").read_text(), {"upstream": self.port, "dir": own}))
        command = [which("nginx"), "-p", str(own), "-c", str(config), "-e", str(own / "error"), "-g", "daemon off;"]
        self.process = subprocess.Popen(["taskset", "-c", core, *command])

    def __enter__(self):
        wait_until_open(self.port, self.process)
        return self

    def __exit__(self, *_):
        stop(self.process)


class Server:
    """A gatelog on a core of its own, with the outputs of a case."""

    def __init__(self, binary, case, folder, values, options):
        self.binary, self.case, self.load_core, self.rate = binary, case, options.load_core, options.rate
        self.watching = [] if options.browsers else ["--plain"]
        self.folder = Path(tempfile.mkdtemp(dir=folder, prefix=case))
        self.port, self.admin = free_port(), free_port()
        values = {**values, "plain": self.port, "admin": self.admin, "dir": self.folder}
        text = fill((HERE / "templates/gatelog.toml").read_text().replace(TLS, ""), values)
        outputs = CASES[case][0]
        outputs += "" if LIVE in outputs else OFF
        (self.folder / "gatelog.toml").write_text(text + fill(FILE + outputs, values))
        command = ["taskset", "-c", options.proxy_core, binary, "run", "--config", str(self.folder / "gatelog.toml")]
        with open(self.folder / "stderr", "ab") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        self.reader = None
        if case == "pipe":
            self.reader = subprocess.Popen(["taskset", "-c", self.load_core, "cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)

    def __enter__(self):
        wait_until_open(self.port, self.process)
        return self

    def __exit__(self, *_):
        self.process.stdout.close()
        stop(self.process)
        if self.reader:
            stop(self.reader)

    def run(self, seconds):
        """Figures of one load, each for one request."""
        with self.watched(), Counters(self.process.pid) as counters:
            before, taken, began = self.threads(), self.taken(), time.monotonic()
            answers, errors, latencies = self.load(seconds)
            elapsed, after = time.monotonic() - began, self.threads()
        if errors or not answers:
            sys.exit(f"{self.binary} {self.case}: {answers} answers, {errors} errors")
        for log in self.folder.glob("*.jsonl"):
            # A log of a few hundred MB a run is not what is measured. It is appended to.
            open(log, "r+b").truncate(0)
        threads = {name: (ran - before.get(name, 0)) / 1e3 / answers for name, ran in after.items()}
        counted = {name: count / answers for name, count in counters.read().items()}
        figures = {"us": sum(threads.values()), "rate": answers / elapsed, "threads": threads, **counted, **latencies}
        return {**figures, "taken": self.share(taken)}

    @contextlib.contextmanager
    def watched(self):
        """With those open who look on, if there are any."""
        if self.case != "ten":
            yield
            return
        command = ["taskset", "-c", self.load_core, str(DASHBOARDS), f"http://127.0.0.1:{self.admin}", "--seconds", "600"]
        process = subprocess.Popen([*command, *self.watching], stdout=subprocess.PIPE, text=True)
        try:
            if "tailing" not in process.stdout.readline():
                sys.exit("the dashboards did not open")
            yield
        finally:
            stop(process)
            process.stdout.close()

    def load(self, seconds):
        """Answers, errors and, where the rate is given, latencies in microseconds."""
        url = f"http://127.0.0.1:{self.port}{TARGET}"
        if not self.rate:
            return *load(GENERATOR, url, seconds, self.load_core), {}
        log = self.folder / "latencies"
        log.unlink(missing_ok=True)
        generator = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"--rps={self.rate / CONNECTIONS}", f"--log-file={log}"]
        answers, errors = load(generator, url, seconds, self.load_core)
        taken = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
        return answers, errors, {"p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]}

    def taken(self):
        """Records that were written by what keeps them, and records that were dropped; None where nothing does."""
        if LIVE not in CASES[self.case][0]:
            return None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            text = answer.read().decode()
        total = lambda name: sum(float(it) for it in re.findall(name + r'{output="(?:store|recent)"[^}]*} (\S+)', text))
        return total("gatelog_log_records_written_total"), total("gatelog_log_records_dropped_total")

    def share(self, before):
        """Which part of the records of a load was taken, once nothing waits any more."""
        if before is None:
            return None
        last = None
        while (now := self.taken()) != last:
            last = now
            time.sleep(1)
        taken, dropped = (after - earlier for earlier, after in zip(before, now))
        return taken / max(taken + dropped, 1)

    def threads(self):
        """Nanoseconds that threads have run, by name."""
        ran = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            ran[name] = ran.get(name, 0) + int((task / "schedstat").read_text().split()[0])
        return ran


# The second listener of the template, for which there is no certificate here.
TLS = """[[listen]]
address = "127.0.0.1:@tls@"
tls = { certificate = "@certificate@", key = "@key@", min_version = "1.3" }
"""


class Counters:
    """The processor's counters while the context is open, of all threads of a process; none without perf."""

    def __init__(self, pid):
        self.output, self.process = tempfile.NamedTemporaryFile("r", prefix="gatelog-perf-"), None
        if which("perf"):
            command = [which("perf"), "stat", "-x,", "-e", ",".join(EVENTS), "-p", str(pid), "-o", self.output.name]
            self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()

    def read(self):
        """User and kernel together, by name."""
        counts = {}
        for line in self.output:
            fields = line.split(",")
            if len(fields) > 2 and fields[0].isdigit():
                name = fields[2].partition(":")[0]
                counts[name] = counts.get(name, 0) + int(fields[0])
        return counts


def wait_until_open(port, process):
    for _ in range(200):
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), 1).close()
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"{process.args[-1]} did not start")


def stop(process):
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
