#!/usr/bin/env python3
"""A minute of 20 000 records a second before ten rules: what the analyzer costs, whether its memory stays as it is, and whether
anything waits or is lost.

    dist/build
    benches/compare/alerts.py [--gatelog PROGRAM] [--seconds 60] [--rate 10000]

h2load sends so many requests a second, two records each; one in a hundred fails and has three. The proxy has one core, the load
and the application the other. First without rules, then with ten of all kinds, of which some fire. Printed: CPU time of each thread by record, memory every few seconds, what rules could not look at, and
what outputs lost.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/real/support"))
import peers  # noqa: E402
from peers import free_port, nginx, program, workplace  # noqa: E402

SITE = """
access_log off; keepalive_requests 1000000000;
server {
  listen 127.0.0.1:@port@;
  location / { return 200 "fine\\n"; }
  location /broken { return 500 "no\\n"; }
}
"""

CONFIGURATION = """
workers = 1
[[listen]]
address = "127.0.0.1:{port}"
[[upstream]]
name = "app"
servers = ["http://127.0.0.1:{upstream}"]
[admin]
address = "127.0.0.1:{admin}"
[[route]]
name = "order"
path = "orders/<int:pk>/"
[[route]]
name = "broken"
path = "broken"
"""

# Of each kind that people write, those that tell apart among them.
RULES = [
    'filter = "level>=error -event:request_failed"\nabove = 10',
    'filter = "level:critical"\nabove = 0',
    'filter = "event:request_slow"\nabove = 50',
    'filter = "status>=500"\nof = "event:request_completed"\nabove = "50%"\nper = "5m"\nat_least = 50',
    'quantile = { field = "duration", q = 0.95 }\nabove = "10s"\nper = "5m"',
    'slo = { target = 99.9, window = "30d" }',
    'filter = "event:request_completed"\nbelow = 1\nper = "5m"',
    'filter = "status>=500"\nabove = 10\nby = "route"',
    'filter = "status>=500"\nof = "event:request_completed"\nabove = "90%"\nper = "5m"\nat_least = 50\nby = "ip_address"',
    'quantile = { field = "duration", q = 0.99 }\nabove = "10s"\nper = "5m"\nby = "route"',
]
RECORDS_A_REQUEST = 2
CLIENTS = 32


def rules():
    return '[alerts]\nstate = "off"\n' + "".join(f'[[alerts.rule]]\nname = "r{at}"\n{rule}\n' for at, rule in enumerate(RULES))


def threads(pid):
    """CPU seconds by the name of a thread."""
    tick, spent = os.sysconf("SC_CLK_TCK"), {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, rest = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        user, system = rest.split()[11:13]
        spent[name] = spent.get(name, 0) + (int(user) + int(system)) / tick
    return spent


def resident(pid):
    """MiB of memory that is there."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def asked(admin, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}{path}", timeout=20) as answer:
        return answer.read().decode()


def lost(admin):
    """Records that outputs dropped, of all reasons."""
    lines = asked(admin, "/metrics").splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("gatelog_log_records_dropped_total"))


def load(folder, port, given):
    """Sends the requests, and gives the process that does."""
    targets = [f"http://127.0.0.1:{port}/{'broken' if at == 7 else f'orders/{at}/'}" for at in range(100)]
    (folder / "targets").write_text("\n".join(targets))
    command = ["taskset", "-c", given.load_core, program("h2load"), "--h1", "-t1", f"-c{CLIENTS}", f"-D{given.seconds}"]
    command += [f"--rps={given.rate / CLIENTS}", "-i", str(folder / "targets")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def answered(said):
    """How many answers the load generator counted."""
    line = next(line for line in said.splitlines() if line.startswith("status codes:"))
    return sum(int(part.split()[0]) for part in line.split(":", 1)[1].split(","))


def run(folder, name, more, given):
    port, upstream, admin = (free_port() for _ in range(3))
    config = folder / f"{name}.toml"
    config.write_text(CONFIGURATION.format(port=port, upstream=upstream, admin=admin) + more)
    command = ["taskset", "-c", given.proxy_core, given.gatelog, "run", "--config", str(config)]
    with nginx(folder / f"nginx-{name}", SITE, upstream) as application:
        subprocess.run(["taskset", "-acp", given.load_core, str(application.process.pid)], check=True, capture_output=True)
        with peers.Process(command, port, "/dev/null", folder / f"{name}.err") as proxy:
            return measure(folder, name, proxy.process.pid, port, admin, given)


def measure(folder, name, pid, port, admin, given):
    loading, before, memory = load(folder, port, given), threads(pid), []
    while loading.poll() is None:
        time.sleep(5)
        memory.append(resident(pid))
    requests = answered(loading.stdout.read())
    records = requests * RECORDS_A_REQUEST
    after = threads(pid)
    spent = {thread: (after[thread] - before.get(thread, 0)) / records * 1e6 for thread in after}
    said = json.loads(asked(admin, "/api/alerts"))
    print(f"{name}: {requests} requests in {given.seconds} s, {records / given.seconds:.0f} records a second")
    print("  CPU us a record: " + ", ".join(f"{thread} {cost:.3f}" for thread, cost in sorted(spent.items()) if cost > 0.001))
    print(f"  memory, MiB: {' '.join(f'{size:.1f}' for size in memory)}")
    firing = sorted(alert["rule"] for alert in said["alerts"] if alert["state"] == "firing")
    print(f"  records that rules could not look at: {said['unseen_records']}; lost by outputs: {lost(admin):.0f}; firing: {firing}")
    return sum(spent.values()), spent.get("alerts", 0), said["unseen_records"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--gatelog", default=str(ROOT / "target/dist/gatelog"))
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--rate", type=int, default=10_000, help="requests a second")
    arguments.add_argument("--proxy-core", default="0")
    arguments.add_argument("--load-core", default="1")
    given = arguments.parse_args()
    with workplace() as folder:
        without = run(folder, "no-rules", "", given)
        ruled = run(folder, "ten-rules", rules(), given)
    print(f"ten rules: {ruled[0] - without[0]:+.3f} us a record in all, of which {ruled[1]:.3f} on the thread that watches")
    sys.exit(1 if ruled[2] else 0)


if __name__ == "__main__":
    main()
