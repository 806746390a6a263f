"""client -> gatelog -> gunicorn -> Django, and the same story from four sides.

    records_differential.py [--seed N]        (GATELOG_BIN names the binary)

What was sent, what the client got, what the witness around the application saw and what the log says are laid side by
side for each request, and nothing may differ. Exits 1 on any difference.
"""

import argparse
import collections
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import agreement  # noqa: E402
import export_routes  # noqa: E402
import mix  # noqa: E402
from peers import Checks, Gatelog, Log, Process, free_port, workplace  # noqa: E402
from wire import Client, Request  # noqa: E402

CLIENTS = 4
PASSWORD = "correct horse battery"

CONFIG = """
routes = ["routes.toml"]
[[listen]]
address = "127.0.0.1:{port}"
[identity]
trusted_proxies = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"]
user = [{{ response_header = "X-User-ID", strip = true }}]
[[upstream]]
name = "app"
servers = ["http://127.0.0.1:{upstream}"]
[log]
service = "realapp"
environment = "test"
slow = "{slow}ms"
[[log.output]]
type = "stdout"
format = "json"
when_full = "block"
block_at_most = "10s"
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    checks = Checks()
    with workplace() as folder:
        prepare(folder)
        from django.urls import get_resolver

        patterns = get_resolver().url_patterns
        port, upstream = free_port(), free_port()
        config = CONFIG.format(port=port, upstream=upstream, slow=round(mix.SLOW * 1000))
        with gunicorn(folder, upstream):
            with Gatelog(folder, config, port) as gatelog:
                client = Client(port, folder)
                told = [*admin_session(client), *in_parallel(mix.cases(patterns, options.seed), port, folder)]
                slow_is_told_at_once(checks, client, gatelog.log)
                what_runs_is_finished(checks, Client(port, folder), gatelog)
        check_log(checks, gatelog)
        secrets = [mix.SECRET, PASSWORD, *(value for case, _ in told for value in case.secrets)]
        check_secrets(checks, gatelog.log, secrets)
        compare(checks, told, folder, gatelog.log, agreement.Table(patterns, f"127.0.0.1:{upstream}"))
    checks.finish()


def prepare(folder):
    """A database with somebody in it, and the table of routes."""
    os.environ["REALAPP_DATA"] = str(folder)
    export_routes.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create_superuser("ada", "ada@shop.example", PASSWORD)
    (folder / "routes.toml").write_text(export_routes.export(), encoding="utf-8")


def gunicorn(folder, port):
    command = [sys.executable, "-B", "-m", "gunicorn", "realapp.wsgi", "--chdir", str(HERE), "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "30", "--graceful-timeout", "5"]
    command += ["--limit-request-line", "8190", "--no-control-socket", "--log-level", "warning", "--env", f"REALAPP_DATA={folder}"]
    return Process(command, port, folder / "gunicorn.stdout", folder / "gunicorn.stderr")


def in_parallel(cases, port, folder):
    """Sends the cases from several clients, each with a connection of its own; (case, answer) as they were asked for."""

    def client(number):
        own = folder / f"client-{number}"
        own.mkdir()
        sender = Client(port, own)
        told = [(case, sender.send(case.request)) for case in cases[number::CLIENTS]]
        sender.close()
        return told

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [pair for told in pool.map(client, range(CLIENTS)) for pair in told]


def admin_session(client):
    """Logs in to Django's admin and looks around there: (case, answer) of each step."""
    jar, form = {}, [("Content-Type", "application/x-www-form-urlencoded")]

    def step(status, view, target, body=None, user=None):
        request = Request(target, "GET" if body is None else "POST", form[:] if body else [], body)
        case = mix.Case(f"admin {view}", request, status, record={"view_name": f"admin:{view}", "user_id": user})
        return case, visit(client, case, jar)

    yield step(200, "login", "/admin/login/")
    yield step(403, "login", "/admin/login/", b"username=ada")
    login = f"csrfmiddlewaretoken={jar.get('csrftoken')}&username=ada&password={PASSWORD.replace(' ', '+')}"
    yield step(302, "login", "/admin/login/", login.encode())
    for status, view, target in (
        (200, "index", "/admin/"),
        (200, "auth_user_changelist", "/admin/auth/user/?q=ada"),
        (200, "auth_user_change", "/admin/auth/user/1/change/"),
        (302, "django.views.generic.base.RedirectView", "/admin/auth/user/1/"),
        (200, "auth_user_history", "/admin/auth/user/1/history/"),
        (302, "auth_user_change", "/admin/auth/user/77/change/"),
        (200, "app_list", "/admin/auth/"),
        (404, "django.contrib.admin.sites.catch_all_view", "/admin/nope/"),
    ):
        yield step(status, view, target, user="1")


def visit(client, case, jar):
    """Sends the cookies of the jar, and keeps what comes."""
    if jar:
        case.request.headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
    answer = client.send(case.request)
    for header, value in answer.headers:
        name, _, secret = value.partition(";")[0].partition("=")
        if header == "set-cookie" and len(secret) > 8:
            jar[name] = secret
            case.secrets.append(secret)
    return answer


def slow_is_told_at_once(checks, client, log):
    """The slow request is in the log while it runs."""
    runner = threading.Thread(target=client.send, args=[Request("/sleep/3000/", headers=[("X-Request-ID", "told-while-running")])])
    runner.start()
    found = wait_for(log, "told-while-running", "request_slow", runner.is_alive)
    checks.that(found and runner.is_alive(), "request_slow is written while the request runs")
    checks.that(found and found["in_flight"] and mix.SLOW <= found["duration"] < 3, "request_slow tells its time so far", found)
    runner.join()


def what_runs_is_finished(checks, client, gatelog):
    """SIGTERM while a request runs: it ends as if nothing were."""
    answers = []
    runner = threading.Thread(target=lambda: answers.append(client.send(Request("/sleep/1200/", headers=[("X-Request-ID", "at-shutdown")]))))
    runner.start()
    checks.that(wait_for(gatelog.log, "at-shutdown", "request_started", runner.is_alive), "the last request has started")
    gatelog.signal_end()
    runner.join()
    checks.equal([(answer.status, answer.whole) for answer in answers], [(200, True)], "the last request is answered after SIGTERM")
    checks.equal(gatelog.wait(20), 0, "gatelog ends with exit code 0")


def wait_for(log, request_id, event, goes_on):
    """The record, as soon as it is there; `None` when it is not there in time."""
    while goes_on():
        for line in log.read_text().splitlines():
            if request_id in line and f'"event":"{event}"' in line:
                return json.loads(line)
        time.sleep(0.02)
    return None


def check_log(checks, gatelog):
    code, said = gatelog.verify()
    checks.that(code == 0, "gatelog verify is clean", said)
    Log(gatelog.log).check_promises(checks, "log")


def check_secrets(checks, log, secrets):
    text = log.read_text()
    checks.equal([secret for secret in secrets if secret in text], [], f"none of {len(secrets)} secrets is in the log")


def compare(checks, told, folder, log, table):
    """One check for each request: that all four agree."""
    records = collections.defaultdict(list)
    # What is suspicious about a request is told beside its own records.
    of_requests = lambda record: "request_id" in record and record["event"] != "security_event"
    for record in Log(log, of_requests).records:
        records[record["request_id"]].append(record)
    witnessed = collections.defaultdict(list)
    for line in (folder / "witness.jsonl").read_text().splitlines():
        seen = json.loads(line)
        witnessed[seen["request_id"]].append(seen)
    for case, answer in told:
        request, request_id = case.request, answer.value("x-request-id")
        views = (case, answer, witnessed[request_id], records[request_id])
        differences = list(agreement.differences(*views, table))
        name = f"{case.name} ({request.method} {request.target[:80]} HTTP/{request.version})"
        checks.that(not differences, name, "".join(f"\n    {line}" for line in differences))
        if case.name.endswith("fail-post"):
            any_lie_is_noticed(checks, *views, table)
    outcomes = collections.Counter(events[-1].get("outcome") for events in records.values() if events)
    print(f"{len(told)} requests, each seen from four sides: {dict(outcomes)}")


def any_lie_is_noticed(checks, case, answer, witnessed, records, table):
    """The comparison itself: whichever field is altered, left out or of another type, it says so."""
    *before, honest = records
    checked = set(honest) - {"timestamp", "seq", "instance", "reused_connection"}
    for name in checked:
        others = [value for value in (f"{honest[name]}x", 77, True, None, {}) if value != honest[name]]
        lies = [{**honest, name: value} for value in others]
        unnoticed = [lie[name] for lie in lies if not list(agreement.differences(case, answer, witnessed, [*before, lie], table))]
        checks.equal(unnoticed, [], f"a lie about {name} is noticed")
    checks.that(len(checked) > 35, "a record of many fields is tried", sorted(checked))
    checks.that(list(agreement.differences(case, answer, witnessed, records[1:], table)), "a missing record is noticed")
    checks.that(list(agreement.differences(case, answer, witnessed, [*records, honest], table)), "a record too many is noticed")


if __name__ == "__main__":
    main()
