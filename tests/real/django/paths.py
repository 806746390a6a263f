"""Request paths for a table of patterns: ones that match, near misses, and ones that nobody means well by."""

import random
import re._constants as sre
import re._parser as sre_parser
from urllib.parse import quote

SAMPLES = {
    "int": ["0", "7", "007", "42", "18446744073709551616", "9" * 60],
    "str": ["a", "caf\u00e9", "a b", "x.y", "\u6f22\u5b57", "100%", "a+b&c=d", "~!$'()*,;:@", "\u0663"],
    "slug": ["a", "new", "a-b_c", "Z9", "-", "17"],
    "uuid": ["01234567-89ab-cdef-0123-456789abcdef", "ffffffff-ffff-4fff-bfff-ffffffffffff"],
    "path": ["a", "a/b", "a//b/", "/", "\u00e9/x.y", "1/-/2", "a/raw/b", "-/-"],
    "yyyy": ["1999", "0001", "2026"],
    "signed": ["5", "-5", "+005", "-0", "\u0661\u0662", "-\u0966\u0967"],
    "lenient": ["12", " 12 ", "1_000", "1__0", "x", "\u0667", "-3", "\u00b2", "0x10", "\u00a05"],
    "lang": ["en", "de", "pt-br"],
    "anyuuid": ["01234567-89AB-CDEF-0123-456789ABCDEF"],
}

# Beside what the table suggests: what paths can be, whatever the table.
ODD = [
    "/", "//", "///", "*", "/%", "/%2", "/%zz/", "/%2F", "/%2f%2F", "/.", "/..", "/./", "/%00", "/%0A", "/\\", "/%5C",
    "//shop/cart/", "/shop//cart/", "/shop/cart//", "/shop/cart", "/SHOP/cart/", "/shop/cart/%0A", "/shop/cart/%20",
    "/shop%2Fcart%2F", "/%73%68%6F%70/cart/", "/shop/cart/;a=b", "/shop/./cart/", "/shop/x/../cart/",
    "/int/" + "1" * 4300 + "/", "/int/" + "1" * 4301 + "/", "/int/" + "0" * 4301 + "/", "/signed/-" + "1" * 4300 + "/",
    "/int/%D9%A3/", "/int/1%0A/", "/int/+1/", "/int/-1/", "/int/1.0/", "/same/" + "7" * 4301 + "/",
    "/str/%FF/", "/str/%C3%28/", "/str/%ED%A0%80/", "/str/%F0%9F%98/", "/str/%F0%9F%98%80/", "/str/%C3%A9%FF%25/",
    "/str/%25FF/", "/str/%E2%80%A8/", "/str/a%00b/", "/str/a%0Ab/", "/path/a%0Ab", "/path/%0A", "/slug/caf%C3%A9/",
    "/admin", "/admin/", "/admin/x", "/admin/auth/", "/admin/auth/user/1/password/", "/admin/auth/user/1/change/",
    "/admin/auth/user/a/b/history/", "/admin/auth/group/%2F/", "/admin/r/1/2/", "/admin/nope/%0A", "/admin/auth/user/",
    "/api/", "/api/.json", "/api/things/", "/api/things", "/api/things.json", "/api/things.json/", "/api/things.",
    "/api/things/1/", "/api/things/1.json", "/api/things/a.b/", "/api/things/1/set-price/20/", "/api/things/recent/",
    "/api/things/1/set-price/20.api", "/api/things/1/parts/", "/api/things/1/parts/00ff00/", "/api/parts/00FF00/",
    "/api/v2/boxes", "/api/v2/boxes/1", "/api/v2/boxes/x", "/unnamed/", "/unnamed/5/", "/unnamed-ns/object/",
    "/articles/2003/", "/articles/20O3/", "/articles/2003/caf%C3%A9/", "/articles/%D9%A2%D9%A0%D9%A0%D9%A3/",
    "/open/12abc", "/open/x", "/x/open/1", "/index.php", "/a/b.php/c", "/.php", "/dollar/a", "/dollar/ax", "/dollar/b",
    "/dollar/b%0A", "/dollar/bx", "/end/", "/end/%0A", "/optional/page-2/", "/optional/", "/optional/page-/",
    "/greedy-x/tail/", "/greedyx", "/greedy/tail/", "/inside/x/3/", "/deep/in/inside/x/3/", "/a/inside/inside/x/3/",
    "/Case/word/", "/case/Word/", "/CASE/word/", "/ca%C5%BFe/word/", "/case/wor%E2%84%AA/", "/FoLdEd/word/", "/FOLDED/Word/",
    "/INSENSITIVE/WORD/", "/%C4%B1nsensitive/word/", "/in%C5%BFensitive/wor%E2%84%AA/", "/all/a%0Ab", "/all/",
    "/mixed-include/3/word/", "/mixed-include/3/", "/positional/1/2/", "/positional/1/by/2/", "/positional/1/x.html",
    "/maybe-named/de/word/", "/maybe-named/word/", "/maybe-named/", "/extra/1/plain/", "/extra/1/own/x/",
    "/extra/1/pos/2/", "/extra/1/2/x/", "/space/%20/x/", "/space/%1C/x/", "/space/%C2%A0%E3%80%80/%E2%80%8B/",
    "/any/a%0Ab", "/any/", "/repeat/a/b/c/", "/tag/a/b/", "/tag/", "/tag/%CC%81/", "/nested/a-1/", "/either/x/", "/either/1/",
    "/two/a/-/b/", "/two/a/-/b/-/c/", "/glued/a12/", "/glued/12/", "/dash/a-b-c/", "/date/1-2-3/", "/date/1--3/",
    "/file/a.b.c", "/file/a", "/file/.a", "/caf%C3%A9/x/", "/cafe%CC%81/x/", "/with%20space/x/", "/per%25cent/x/",
    "/per%cent/x/", "/meta.(x)+%5By%5D*/", "/lenient/%1C5/", "/lenient/%C2%855/", "/lenient/1_0/", "/lenient/%20/",
    "/pt-br/docs/a", "/fr/docs/a", "/static-site/", "/static-site/a%0Ab", "/static-site/a%0A", "/no-slash/1/",
    "/anyuuid/01234567-89AB-cdef-0123-456789ABCDEF/", "/uuid/01234567-89AB-cdef-0123-456789ABCDEF/",
]


def generate(patterns, count, seed):
    """`count` different paths, as a client would send them: printable ASCII."""
    source = random.Random(seed)
    paths = list(dict.fromkeys(ODD))[:count]
    seen = set(paths)
    leaves = list(chains(patterns, ()))
    while len(paths) < count:
        path = encode(source, mutate(source, "/" + "".join(fill(source, part) for part in source.choice(leaves))))
        if path not in seen and len(path) < 4000:
            seen.add(path)
            paths.append(path)
    return paths


def chains(patterns, above):
    """For each endpoint, the patterns that lead to it."""
    for pattern in patterns:
        here = (*above, pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from chains(pattern.url_patterns, here)
        else:
            yield here


def fill(source, pattern):
    """A text that the pattern matches."""
    route = getattr(pattern, "_route", None)
    if route is None:
        return write(source, sre_parser.parse(pattern._regex))
    for name, converter in pattern.converters.items():
        kind = next(kind for kind in (*SAMPLES, None) if kind is None or f"<{kind}:{name}>" in route or kind == "str" and f"<{name}>" in route)
        sample = source.choice(SAMPLES[kind]) if kind else write(source, sre_parser.parse(converter.regex))
        route = route.replace(f"<{kind}:{name}>", sample).replace(f"<{name}>", sample)
    return route


def write(source, tokens):
    """A text that a parsed regular expression matches, assertions aside."""
    return "".join(piece(source, kind, value) for kind, value in tokens)


def piece(source, kind, value):
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.ANY:
        return source.choice("ab/-.1\u00e9")
    if kind is sre.NOT_LITERAL:
        return source.choice([letter for letter in "ab1-_.\u00e9" if ord(letter) != value])
    if kind is sre.IN:
        return member(source, value)
    if kind is sre.BRANCH:
        return write(source, source.choice(value[1]))
    if kind is sre.SUBPATTERN:
        return write(source, value[3])
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        low, high, inner = value
        return "".join(write(source, inner) for _ in range(source.randint(low, min(high, low + 3))))
    return ""


CATEGORIES = {
    sre.CATEGORY_DIGIT: "0123456789\u0663",
    sre.CATEGORY_WORD: "abcXYZ019_\u00e9\u6f22",
    sre.CATEGORY_SPACE: " \t\u00a0",
    sre.CATEGORY_NOT_SPACE: "abc1-",
}


def member(source, items):
    """A character of a set."""
    if items[0][0] is sre.NEGATE:
        refused = {value for kind, value in items[1:] if kind is sre.LITERAL}
        return source.choice([letter for letter in "abcxyz019-_~\u00e9\u6f22" if ord(letter) not in refused])
    kind, value = source.choice(items)
    if kind is sre.RANGE:
        return chr(source.randint(*value))
    return chr(value) if kind is sre.LITERAL else source.choice(CATEGORIES[value])


def mutate(source, path):
    """The path, or something close to it."""
    at = source.randrange(len(path))
    return source.choice(
        [
            *[lambda: path] * 12,
            lambda: path.rstrip("/"),
            lambda: path + "/",
            lambda: path[:at] + "/" + path[at:],
            lambda: path[:at] + path[at + 1 :],
            lambda: path.swapcase(),
            lambda: path + source.choice(["\n", "x", "\u00e9", "\x00", "%", ".json", "index.html"]),
            lambda: path[:at] + source.choice(["\n", "-", ".", "\u0663", "\u0301", "\ud800", "1", "a", " "]) + path[at:],
        ]
    )()


def encode(source, path):
    """Percent-encoded as the client likes: what must be, and a little of what need not; lone surrogates as they stand."""
    if not path.startswith("/"):
        path = "/" + path
    encoded = quote(path.encode("utf-8", "surrogatepass"), safe="/!$&'()*+,;=:@~-._")
    if source.random() < 0.15:
        at = source.randrange(1, len(encoded) + 1)
        broken = source.choice(["%FF", "%C3", "%", "%e9", "%2F", "%2e", "%41"])
        encoded = encoded[:at] + broken + encoded[at:]
    if source.random() < 0.2:
        encoded = "".join(f"%{ord(c):02x}" if c.isalpha() and source.random() < 0.3 and "%" not in encoded else c for c in encoded)
    return encoded
