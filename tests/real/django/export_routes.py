"""Writes the URL patterns of a Django project as gatelog's `[[route]]` tables.

    export_routes.py [--settings MODULE] [--path DIRECTORY] > routes.toml

It walks the resolver and writes down the patterns, in order, as the project has them; it asks it for no answers.
"""

import argparse
import importlib
import json
import os
import re
import sys
from pathlib import Path

BUILT_IN = {"int", "path", "slug", "str", "uuid"}
SUFFIX = "drf_format_suffix"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", default="realapp.settings", help="the project's settings module")
    parser.add_argument("--path", default=str(Path(__file__).resolve().parent), help="the directory it is imported from")
    options = parser.parse_args()
    setup(options.settings, options.path)
    sys.stdout.write(export())


def setup(settings="realapp.settings", path=None):
    """Makes the project importable, and Django ready."""
    sys.path.insert(0, path or str(Path(__file__).resolve().parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    importlib.import_module("django").setup()


def export():
    """The whole table as TOML."""
    from django.urls import get_resolver

    routes = "".join(f"[[route]]\n{body(route)}\n" for route in tables(get_resolver().url_patterns))
    return "".join(converter_lines(routes)) + routes


def converter_lines(routes):
    """The project's own converters, those that a route uses."""
    from django.urls.converters import get_converters

    used = {name: converter for name, converter in get_converters().items() if f"<{name}:" in routes}
    own = {name: converter for name, converter in used.items() if name not in BUILT_IN}
    if own:
        yield "[converters]\n"
    for name, converter in own.items():
        kind = getattr(converter, "gatelog_type", "str")
        regex = bare_suffix(converter.regex) if name.startswith(SUFFIX) else converter.regex
        yield f"{text(name)} = {{ regex = {text(regex)}, type = {text(kind)} }}\n"
    if own:
        yield "\n"


def tables(patterns):
    """Each pattern as a dictionary with gatelog's keys."""
    from django.urls import URLResolver
    from django.urls.resolvers import RoutePattern

    for pattern in patterns:
        simple = isinstance(pattern.pattern, RoutePattern)
        source = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            nested = list(tables(pattern.url_patterns))
            if nested:
                table = {"prefix" if simple else "regex": source, "namespace": pattern.namespace}
                yield {**table, "kwargs": pattern.default_kwargs, "route": nested}
        else:
            # Without a name, Django takes the view's place in the code for one.
            name = pattern.name or function_path(pattern.callback)
            for written in spellings(source) if simple else [source]:
                yield {"name": name, "path" if simple else "regex": written, "kwargs": pattern.default_args}


def spellings(source):
    """The REST framework's suffix converter matches `.json` or `.json/` and strips both signs from the value in Python.

    The same without code: two patterns, each with a dot before the bare suffix.
    """
    if f"<{SUFFIX}" not in source:
        return [source]
    dotted = source.replace(f"<{SUFFIX}", f".<{SUFFIX}")
    return [dotted, dotted + "/"]


def bare_suffix(regex):
    return regex.removeprefix(r"\.").removesuffix("/?")


def function_path(callback):
    """As `ResolverMatch` names a view."""
    callback = getattr(callback, "view_class", callback)
    owner = callback if hasattr(callback, "__name__") else callback.__class__
    return f"{callback.__module__}.{owner.__name__}"


def body(route):
    return "".join(f"{key} = {value(item)}\n" for key, item in route.items() if item not in (None, {}, []))


def value(item):
    if isinstance(item, dict):
        pairs = ", ".join(f"{text(key)} = {value(inner)}" for key, inner in item.items() if inner is not None)
        return f"{{ {pairs} }}"
    if isinstance(item, list):
        return "[\n" + "".join(f"    {{ {inline(inner)} }},\n" for inner in item) + "]"
    return scalar(item)


def inline(route):
    """A nested route: inline tables stand on one line."""
    parts = []
    for key, item in route.items():
        if item in (None, {}, []):
            continue
        if key == "route":
            parts.append("route = [" + ", ".join(f"{{ {inline(inner)} }}" for inner in item) + "]")
        else:
            parts.append(f"{key} = {value(item)}")
    return ", ".join(parts)


def scalar(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return repr(item)
    return text(str(item))


def text(string):
    """A TOML string: literal where it can be, so that a regular expression stays readable."""
    if "'" not in string and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", string):
        return f"'{string}'"
    return json.dumps(string).replace("\x7f", "\\u007f")


if __name__ == "__main__":
    main()
