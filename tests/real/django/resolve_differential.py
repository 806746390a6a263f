"""Asks Django and gatelog what 500 paths resolve to, and compares.

    resolve_differential.py --gatelog BINARY [--count N] [--seed N]

Django is asked as a request under gunicorn would ask it: gunicorn's own functions split and decode the request target,
Django's WSGIRequest makes the path of it, and `resolve()` answers. Exits 1 on any difference.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import export_routes
import paths

UPSTREAM = '[[upstream]]\nname = "app"\nservers = ["http://127.0.0.1:9"]\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gatelog", required=True, help="the binary")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    os.environ["REALAPP_URLS"] = "realapp.irreversible"
    export_routes.setup()
    from django.urls import get_resolver

    asked = paths.generate(get_resolver().url_patterns, options.count, options.seed)
    expected = [django_answer(path) for path in asked]
    found = gatelog_answers(options.gatelog, export_routes.export(), asked)
    failures = [case for case in zip(asked, expected, found, strict=True) if not same(case[1], case[2])]
    for path, wanted, got in failures:
        print(f"{path}\n  Django:  {brief(wanted)}\n  gatelog: {brief(got)}")
    matched = sum(answer["matched"] for answer in expected)
    print(f"{matched} of {len(asked)} paths match a route")
    print(f"{len(asked) - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


def django_answer(target):
    """What Django resolves a request target to, in gatelog's words."""
    from django.core.handlers.wsgi import WSGIRequest
    from django.urls import Resolver404, resolve
    from gunicorn.util import split_request_uri, unquote_to_wsgi_str

    path_info = unquote_to_wsgi_str(split_request_uri(target).path)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path_info, "SCRIPT_NAME": "", "wsgi.input": io.BytesIO()}
    try:
        match = resolve(WSGIRequest(environ).path_info)
    except Resolver404:
        return {"matched": False, "view_name": "unknown", "view_args": [], "view_kwargs": {}}
    kwargs = {name: plain(value) for name, value in match.kwargs.items()}
    return {"matched": True, "view_name": match.view_name, "view_args": [plain(value) for value in match.args], "view_kwargs": kwargs}


def plain(value):
    """A value as JSON has it: UUIDs are text there."""
    return str(value) if isinstance(value, uuid.UUID) else value


def gatelog_answers(binary, routes, asked):
    """What gatelog says, a line of JSON for each path."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "gatelog.toml"
        config.write_text(routes + UPSTREAM, encoding="utf-8")
        command = [binary, "routes", "match", "-", "--json", "--config", str(config)]
        lines = "".join(f"{path}\n" for path in asked)
        run = subprocess.run(command, input=lines, capture_output=True, text=True, encoding="utf-8", timeout=60)
    if run.returncode not in (0, 1) or run.stdout.count("\n") != len(asked):
        sys.exit(f"gatelog answered {run.stdout.count(chr(10))} of {len(asked)} lines, exit code {run.returncode}:\n{run.stderr}")
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]]


def same(wanted, got):
    """Whether all agrees, types included: in Python `1 == True == 1.0`, in a log they are three things."""
    keys = ("matched", "view_name", "view_args", "view_kwargs")
    return all(typed(wanted[key]) == typed(got[key]) for key in keys)


def typed(value):
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value).__name__, value)


def brief(answer):
    text = json.dumps({key: answer[key] for key in ("view_name", "view_args", "view_kwargs")})
    return text if len(text) < 300 else text[:300] + "…"


if __name__ == "__main__":
    main()
