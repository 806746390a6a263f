"""What the tests against real peers share: an nginx, a gatelog under test, its log, and a count of what held.

Everything is on the loopback and in a temporary folder, and ends with the test.
"""

import collections
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GATELOG = os.environ.get("GATELOG_BIN") or str(Path(__file__).resolve().parents[3] / "target/release/gatelog")


class Checks:
    """Counts what held and says what did not."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def that(self, held, what, detail=""):
        if held:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED  {what}{': ' if detail else ''}{detail}", flush=True)
        return bool(held)

    def equal(self, seen, expected, what):
        return self.that(seen == expected, what, f"{seen!r} is not {expected!r}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


@contextlib.contextmanager
def workplace():
    """A temporary folder; it stays, and is named, when the test dies of an exception."""
    folder = Path(tempfile.mkdtemp(prefix="gatelog-real-"))
    try:
        yield folder
    except Exception:
        print(f"kept: {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not found:
        sys.exit(f"{name}: not found (tests/run installs it)")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def certificate(folder):
    """A self-signed certificate for localhost: (certificate, key)."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key


class Process:
    """A server that is stopped when the `with` block ends."""

    def __init__(self, command, port, stdout, stderr):
        self.port, self.stderr = port, stderr
        with open(stdout, "ab") as out, open(stderr, "ab") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def __enter__(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            time.sleep(0.02)
        raise RuntimeError(f"did not start: {self.stderr.read_text()[-2000:]}")

    def __exit__(self, *_):
        self.stop()

    def signal_end(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, patience=20):
        """Asks it to end and gives its exit code; kills it when it does not."""
        if self.process.poll() is None:
            self.signal_end()
        return self.wait(patience)

    def wait(self, patience):
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def nginx(folder, http_section, port, more=""):
    """An nginx whose `http { … }` holds the given lines; `@dir@` and `@port@` are filled in. `more` is said beside it."""
    folder.mkdir(exist_ok=True)
    temporary = " ".join(f"{kind}_temp_path {folder}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    http_section = http_section.replace("@dir@", str(folder)).replace("@port@", str(port))
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn; {user} {more}\n"
        f"events {{ worker_connections 4096; }}\nhttp {{\n{temporary}\n{http_section}\n}}\n"
    )
    command = [program("nginx"), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log"), "-g", "daemon off;"]
    return Process(command, port, folder / "stdout", folder / "stderr")


class Gatelog(Process):
    """The binary under test, its records in a file."""

    def __init__(self, folder, config, port, name="gatelog"):
        self.log = folder / f"{name}.log"
        path = folder / f"{name}.toml"
        path.write_text(config)
        super().__init__([GATELOG, "run", "--config", str(path)], port, self.log, folder / f"{name}.stderr")

    def verify(self):
        """(exit code, output) of `gatelog verify` over the log."""
        done = subprocess.run([GATELOG, "verify", str(self.log)], capture_output=True, text=True, timeout=120)
        return done.returncode, (done.stdout + done.stderr).strip()


class Log:
    """A finished log, read line by line: the promises are checked on the way, and only what `keep` wants is kept."""

    def __init__(self, path, keep=lambda record: True):
        self.records, self.broken, self.gaps, self.lost, self.internal = [], [], [], [], []
        self.open, self.unpaired = set(), []
        self.completed = collections.Counter()  # (user agent, outcome)
        seq = None
        with open(path, "rb") as lines:
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    self.broken.append(line[:200])
                    continue
                if seq is not None and record["seq"] != seq + 1:
                    self.gaps.append((seq, record["seq"]))
                seq = record["seq"]
                self.pair(record)
                if keep(record):
                    self.records.append(record)

    def pair(self, record):
        """Each start is followed by one end, and nothing ends that did not start."""
        event, request = record["event"], record.get("request_id")
        if event == "request_started":
            if request in self.open:
                self.unpaired.append(f"{request} started twice")
            self.open.add(request)
        elif event == "request_completed":
            self.completed[record.get("user_agent"), record["outcome"]] += 1
            if request not in self.open:
                self.unpaired.append(f"{request} ended without or after its end")
            self.open.discard(request)
            if record["outcome"] == "internal":
                self.internal.append(request)
        elif event == "log_loss":
            self.lost.append(record)

    def of(self, event):
        return [record for record in self.records if record.get("event") == event]

    def count(self, agent=None, outcome=None):
        """Completed requests of a user agent, of an outcome, or of both."""
        matches = lambda key: agent in (None, key[0]) and outcome in (None, key[1])
        return sum(number for key, number in self.completed.items() if matches(key))

    def check_promises(self, checks, name):
        """One started and one completed for each request, `seq` without a gap, nothing lost, every line JSON."""
        checks.equal(self.broken[:3], [], f"{name}: every line is JSON")
        checks.that(self.completed, f"{name}: requests were logged")
        checks.equal(self.unpaired[:5], [], f"{name}: requests start once and end once")
        checks.equal(sorted(self.open)[:5], [], f"{name}: what started is completed")
        checks.equal(self.lost, [], f"{name}: nothing was lost")
        checks.equal(self.gaps[:3], [], f"{name}: seq has no gap")
        checks.equal(self.internal[:3], [], f"{name}: no fault of gatelog's own")
