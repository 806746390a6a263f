#!/usr/bin/env python3
"""CPU time per request of gatelog beside nginx and HAProxy, on one machine with two cores. See README.md."""

import argparse
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
TARGET = "/api/v1/users/1042/orders?page=1&sort=desc"
HEADERS = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: application/json",
    "Accept-Language: en-GB,en;q=0.7",
    "Referer: https://shop.example/account/orders",
]

# name: (load generator's arguments before the URL, scheme, what it is)
SCENARIOS = {
    "h1": (["wrk", "-t1", "-c64"], "http", "HTTP/1.1, 64 kept connections"),
    "h1new": (["wrk", "-t1", "-c64", "-HConnection: close"], "http", "HTTP/1.1, a connection for each request, 64 at a time"),
    "tls": (["wrk", "-t1", "-c64"], "https", "HTTP/1.1 over TLS 1.3, 64 kept connections"),
    "h2": (["h2load", "-t1", "-c16", "-m8"], "https", "HTTP/2 over TLS 1.3, 16 connections with 8 streams each"),
}

# name: (template, command, lines it logs for a request)
PROXIES = {
    "nginx": ("nginx.conf", ["nginx", "-p", "@dir@", "-c", "@config@", "-e", "@dir@/nginx.error", "-g", "daemon off;"], 1),
    "haproxy": ("haproxy.cfg", ["haproxy", "-db", "-f", "@config@"], 1),
    "gatelog": ("gatelog.toml", ["@gatelog@", "run", "--config", "@config@"], 2),
}


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="gatelog-compare-") as folder:
        bench = Bench(Path(folder), options)
        try:
            bench.start()
            results = {name: bench.scenario(name) for name in options.scenario}
        finally:
            bench.stop()
    report = {"machine": machine(), "runs": options.runs, "seconds": options.seconds, "scenarios": results}
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
        print(f"\nwritten: {options.out}")
    sys.exit(1 if bench.complaints else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    names = lambda known: lambda text: [pick(name, known) for name in text.split(",")]
    parser.add_argument("--gatelog", default=str(TREE / "target/dist/gatelog"), help="the binary (%(default)s)")
    parser.add_argument("--scenario", type=names(SCENARIOS), default=list(SCENARIOS), help=",".join(SCENARIOS))
    parser.add_argument("--proxies", type=names(PROXIES), default=list(PROXIES), help=",".join(PROXIES))
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each proxy in each scenario (%(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run (%(default)s)")
    parser.add_argument("--proxy-core", default="0")
    parser.add_argument("--load-core", default="1")
    parser.add_argument("--out", help="JSON file for the figures, such as benches/compare/results/NAME.json")
    options = parser.parse_args()
    missing = [tool for tool in ("nginx", "haproxy", "wrk", "h2load", "taskset", "openssl", options.gatelog) if not which(tool)]
    if missing:
        parser.error(f"not found: {', '.join(missing)} (apt-get install nginx haproxy wrk nghttp2-client openssl; cargo build --release)")
    return options


def pick(name, known):
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
    return name


def which(tool):
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin")


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return {"cpu": model.group(1) if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()}


class Bench:
    """The upstream and all proxies side by side; one of them is under load at a time."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.values = {"upstream": free_port(), "gatelog": options.gatelog, **certificate(folder)}
        self.upstream, self.proxies = None, {}
        self.complaints = []

    def start(self):
        command = ["nginx", "-p", "@dir@", "-c", "@config@", "-e", "@dir@/upstream.error", "-g", "daemon off;"]
        self.upstream = Server("upstream", "upstream.conf", command, self.folder, self.values, self.options.load_core)
        for name in self.options.proxies:
            template, command, _ = PROXIES[name]
            values = {**self.values, "plain": free_port(), "tls": free_port()}
            self.proxies[name] = Server(name, template, command, self.folder, values, self.options.proxy_core)

    def stop(self):
        for name, server in self.proxies.items():
            server.stop()
            expected = PROXIES[name][2] * server.answers
            # A run cuts off what is in flight at its end: logged, but not counted by the load generator.
            if server.answers and not expected <= server.log_lines() <= expected * 1.02 + 2000:
                self.complain(f"{name}: {server.log_lines()} log lines for {server.answers} answers")
        if self.upstream:
            self.upstream.stop()

    def complain(self, text):
        self.complaints.append(text)
        print(f"!! {text}")

    def scenario(self, name):
        print(f"\n{name}: {SCENARIOS[name][2]}")
        for proxy in self.proxies:
            self.run(name, proxy, 1)
        taken = {proxy: [] for proxy in self.proxies}
        for number in range(self.options.runs):
            # There and back: a machine that warms up or slows down does so for everybody.
            for proxy in list(self.proxies)[:: -1 if number % 2 else 1]:
                taken[proxy].append(self.run(name, proxy, self.options.seconds))
        figures = {proxy: summary(runs) for proxy, runs in taken.items()}
        for proxy in figures:
            print(row(proxy, figures))
        return figures

    def run(self, name, proxy, seconds):
        server = self.proxies[proxy]
        generator, scheme, _ = SCENARIOS[name]
        url = f"{scheme}://127.0.0.1:{server.values['tls' if scheme == 'https' else 'plain']}{TARGET}"
        before, start = server.cpu_seconds(), time.monotonic()
        answers, errors = load(generator, url, seconds, self.options.load_core)
        elapsed, cpu = time.monotonic() - start, server.cpu_seconds() - before
        server.answers += answers
        if errors or not answers:
            self.complain(f"{name} {proxy}: {answers} answers, {errors} errors")
        return {"us": cpu * 1e6 / max(answers, 1), "per_second": answers / elapsed, "busy": cpu / elapsed}


class Server:
    """A pinned process whose stdout, its log, is a file."""

    def __init__(self, name, template, command, folder, values, core):
        self.folder = folder / name
        self.folder.mkdir()
        config = self.folder / template
        self.values = {**values, "dir": self.folder, "config": config}
        self.answers = 0
        config.write_text(fill((HERE / "templates" / template).read_text(), self.values))
        command = [fill(word, self.values) for word in command]
        command[0] = which(command[0])
        self.log = self.folder / "log"
        with open(self.log, "ab") as log, open(self.folder / "stderr", "ab") as errors:
            self.process = subprocess.Popen(["taskset", "-c", core, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=errors)
        self.wait_until_open(self.values.get("plain", self.values["upstream"]), name)

    def wait_until_open(self, port, name):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{name} did not start:\n{(self.folder / 'stderr').read_text()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_lines(self):
        with open(self.log, "rb") as log:
            return sum(1 for _ in log)

    def cpu_seconds(self):
        """User and system time of the process and everything below it."""
        children, ticks = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                ticks[int(entry.name)] = int(fields[11]) + int(fields[12])
        tree = [self.process.pid]
        for pid in tree:
            tree += children.get(pid, [])
        return sum(ticks.get(pid, 0) for pid in tree) / TICKS


def load(generator, url, seconds, core):
    """Answers and errors of one run of wrk or h2load."""
    headers = [word for header in HEADERS for word in ("-H", header)]
    if generator[0] == "wrk":
        output = run_pinned([*generator, f"-d{seconds}s", *headers, url], core)
        answers = int(re.search(r"(\d+) requests in", output).group(1))
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
        errors = int(bad.group(1)) if bad else 0
        return answers, errors + sum(map(int, sockets.groups())) if sockets else errors
    output = run_pinned([*generator, f"-D{seconds}", "--warm-up-time=0", *headers, url], core)
    return int(re.search(r"(\d+) 2xx", output).group(1)), int(re.search(r"(\d+) failed", output).group(1))


def run_pinned(command, core):
    done = subprocess.run(["taskset", "-c", core, *command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])}: {done.stderr or done.stdout}")
    return done.stdout


def summary(runs):
    micros = sorted(run["us"] for run in runs)
    return {
        "cpu_us_per_request": round(statistics.median(micros), 2),
        "lowest": round(micros[0], 2),
        "highest": round(micros[-1], 2),
        "requests_per_second": round(statistics.median(run["per_second"] for run in runs)),
        "busy": round(statistics.median(run["busy"] for run in runs), 2),
    }


def row(proxy, figures):
    own = figures[proxy]
    text = f"  {proxy:8} {own['cpu_us_per_request']:7.1f} us [{own['lowest']:.1f} - {own['highest']:.1f}]"
    text += f"  {own['requests_per_second']:7d}/s  busy {own['busy']:.2f}"
    for peer in ("nginx", "haproxy"):
        if peer in figures and peer != proxy:
            text += f"  / {peer} {own['cpu_us_per_request'] / figures[peer]['cpu_us_per_request']:.2f}"
    return text


def fill(text, values):
    return re.sub(r"@(\w+)@", lambda match: str(values[match.group(1)]), text)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def certificate(folder):
    certificate, key, both = folder / "certificate.pem", folder / "key.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        + ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both.write_text(certificate.read_text() + key.read_text())
    return {"certificate": certificate, "key": key, "certificate_and_key": both}


if __name__ == "__main__":
    main()
