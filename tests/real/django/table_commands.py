"""What `gatelog check` and `gatelog routes list` say of Django's exported patterns.

    table_commands.py        (GATELOG_BIN names the binary)

Django's admin ends in a pattern that takes whatever is left, and repeats its names: neither is a mistake. A pattern that
an earlier one really hides is. Exits 1 on any difference.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import agreement  # noqa: E402
import export_routes  # noqa: E402
import peers  # noqa: E402

UPSTREAM = '\n[[upstream]]\nname = "app"\nservers = ["http://127.0.0.1:9"]\n'
HIDDEN = "\n[[route]]\nname = 'hidden'\npath = 'shop/cart/'\n"


def main():
    checks = peers.Checks()
    os.environ["REALAPP_URLS"] = "realapp.irreversible"
    export_routes.setup()
    with peers.workplace() as folder:
        routes = export_routes.export()
        code, said = gatelog(folder, routes, "check")
        checks.equal(code, 0, "check: exit code")
        checks.that("warning" not in said, "check: warns of nothing", said)
        checks.that(f"{len(expected())} routes" in said, "check: counts the routes", said)
        code, said = gatelog(folder, routes + HIDDEN, "check")
        checks.that(code == 0 and said.count("warning: ") == 1 and "shop/cart/" in said, "check: warns of the hidden route alone", said)
        check_list(checks, gatelog(folder, routes, "routes", "list")[1])
    checks.finish()


def check_list(checks, said):
    """Each of Django's endpoints has its line, in Django's order, with Django's name."""
    wanted, lines = expected(), said.splitlines()
    checks.equal(len(lines), len(wanted), "routes list: lines")
    for line, (name, shown) in zip(lines, wanted, strict=False):
        pattern, _, listed = line.rpartition(" ")
        checks.equal(listed, name, f"routes list: name of {pattern.strip()}")
        checks.that(shown is None or pattern.strip() == shown, f"routes list: pattern of {name}", f"{pattern.strip()!r} is not {shown!r}")


def expected():
    """(name, pattern as shown) of each endpoint; no pattern where showing it is a matter of taste."""
    from django.urls import get_resolver

    return list(endpoints(get_resolver().url_patterns, (), ()))


def endpoints(patterns, above, namespaces):
    """As `expected`; several times where the exporter writes several patterns for one of Django's."""
    from django.urls.resolvers import ResolverMatch

    for pattern in patterns:
        chain = (*above, pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from endpoints(pattern.url_patterns, chain, inner)
        else:
            name = ResolverMatch(pattern.callback, (), {}, pattern.name, namespaces=namespaces).view_name
            shown = agreement.renderings(chain) or [None]
            yield from ((name, None if one is None else f"/{one}") for one in shown)


def gatelog(folder, routes, *command):
    """(exit code, output) of a command with these routes."""
    config = folder / "gatelog.toml"
    config.write_text(routes + UPSTREAM, encoding="utf-8")
    # Its own variables are configuration: those of the tests would be warned of.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATELOG_")}
    done = subprocess.run([peers.GATELOG, *command, "--config", str(config)], capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    main()
