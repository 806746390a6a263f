"""tests/corpus as Python reads it: texts become bytes, requests become what an upstream has to read."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "corpus"


class Case(dict):
    """The keys of one case as in the file; `send` in bytes."""

    def __init__(self, table, raw):
        super().__init__(raw, send=text(raw["send"]).encode("latin-1"))
        self.table = table

    @property
    def slow(self):
        """It takes a client that is waited for in vain."""
        return 408 in self.get("refused", []) + self.get("broken", []) if self.table.startswith("requests") else False

    def requests(self, key):
        return [Expected.of(raw) for raw in self.get(key, [])]


@dataclass
class Expected:
    """A request as a strict upstream has to read it."""

    method: str
    target: str
    body: bytes = b""
    has: dict = field(default_factory=dict)
    lacks: list = field(default_factory=list)

    @staticmethod
    def of(raw):
        raw = raw if isinstance(raw, dict) else {"request": raw}
        method, _, target = text(raw["request"]).partition(" ")
        return Expected(method, target, text(raw.get("body", "")).encode("latin-1"), raw.get("has", {}), raw.get("lacks", []))

    def fault(self, message):
        """Why this is another request; None if it is this one."""
        if (message.start[0], message.start[1], message.body) != (self.method, self.target, self.body):
            return f"read as {message.start[0]} {message.start[1][:60]} with {message.body[:60]!r}"
        for name, value in self.has.items():
            if message.all(name) != [value]:
                return f"{name} is {message.all(name)}, not {value}"
        return next((f"{name} passed" for name in self.lacks if message.all(name)), None)


def text(raw):
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        return "".join(text(raw["repeat"]).replace("{n}", str(number)) for number in range(raw["times"]))
    return "".join(map(text, raw))


def read(folder):
    for path in sorted((CORPUS / folder).glob("*.toml")):
        with open(path, "rb") as file:
            for raw in tomllib.load(file)["cases"]:
                yield Case(f"{folder}/{path.stem}", raw)


def requests():
    return list(read("requests"))


def answers():
    """The names of answers are their own: two of them may be those of requests."""
    cases = list(read("answers"))
    for case in cases:
        case["name"] = f"answer: {case['name']}"
    return cases
