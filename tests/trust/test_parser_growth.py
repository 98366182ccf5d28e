"""Every parser takes linear time: four times the input takes about four times as long.

The fuzz targets reach every parser of hostile input. Their seeds are repeated in parts, and so are
pieces of the syntax of messages. ``make soak`` makes all attempts, with larger inputs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Any, Final

import pytest

from fuzz.targets import TARGETS
from tests.growth import grows_linearly
from tests.message_harness import MessageHarness
from tests.trust.attempts import count_attempts
from waypost.bot_detection.bursts import find_burst_signals
from waypost.bot_detection.scoring import BotSignal
from waypost.domains.app_links import can_open
from waypost.domains.http_probe import ResponseBuffer
from waypost.errors import WaypostError
from waypost.ids import LinkId
from waypost.models.recipient import CountedClick
from waypost.models.tracking_domain import AppLinks

_PIECE: Final = re.compile(rb"\w+|\s+|[^\w\s]+|.", re.DOTALL)
_LONGEST_PUMP: Final = 3

SYNTAX: Final = {
    "html": (
        *(b"<a href='", b'<a href="x">', b"<a ", b">", b'"', b"<!--[if mso]>", b"<!--[if ", b"]>"),
        *(b"<![endif]-->", b"<!--", b"-->", b"[if", b"&amp;", b"&#1;", b" ", b"<p>", b"<b x>"),
        *(b"<body x>", b"</body>", b"/e/o/", b"mso ", b"\r", b"<script>", b"</", b"x=y "),
    ),
    "liquid": (
        *(b"{{ a }}", b"{{", b"}}", b"{%", b"%}", b"{% raw %}", b"{% raw ", b"{% endraw x %}"),
        *(b"{% comment %}", b"{% doc ", b"{% if a %}", b"{% endif %}", b"{% for a in b %}"),
        *(
            b"{% break %}",
            b"{% capture a %}",
            b"{% endcapture %}",
            b"{% case a %}",
            b"{% when 1 %}",
        ),
        *(b"{% cio_link url:", b"{% # ", b"{% liquid ", b"(", b"['", b"'", b" ", b"\n", b"-%}"),
        *(b"<a href='", b"'>", b"a | upcase", b"a.b"),
    ),
    "text": (
        *(b"http://", b"https://a.b/", b"a", b"(", b")", b"[", b"'", b'"', b".", b" ", b"\n", b"<"),
        *(b"{{", b"}}", b"{%", b"%}", b"{% cio_link url:", b"url:'", b"{{a}}", "。".encode(), b"*"),
    ),
    "push": (
        *(b'{"', b"[", b"]", b'"', b"\\", b"\\u00", b'\\"', b":", b",", b"{% cio_link url:"),
        *(b"%}", b"{{", b"}}", b" ", b'{% cio_link url:\\"http://a/\\" %}'),
    ),
    "mime": (
        *(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n", b"--x\r\n", b"--x", b"\r\n", b"\r"),
        *(
            b"Content-Type: text/html\r\n\r\n",
            b"Content-Transfer-Encoding: base64\r\n",
            b"a: b\r\n",
        ),
        *(
            b"Content-Type: ",
            b" ",
            b"\t",
            b";",
            b"=",
            b"=\r\n",
            b'"',
            b"\\",
            b"*0=a;",
            b"=?",
            b"?=",
        ),
    ),
}
"""Pieces of the syntax of a fuzz target's input, besides those of its seeds."""
EXCLUDED_TARGETS: Final = {
    "blocks": "compares with python-liquid's lexer, which is quadratic; liquid has the same pieces",
    "limits": "nested loops multiply their work, up to the budget of a rendering",
}
"""Targets whose work is not linear, and the reason."""


@dataclass(frozen=True)
class ParserAttack:
    prefix: bytes
    pump: bytes
    suffix: bytes = b""

    def build(self, size: int) -> bytes:
        return self.prefix + self.pump * size + self.suffix


def derive_attacks(name: str) -> Iterator[ParserAttack]:
    """Repeat each short sequence of pieces of the seeds, and each pair of pieces of the syntax."""
    for seed in TARGETS[name].seeds:
        pieces = [seed[at : at + 1] for at in range(len(seed))] if _is_coded(seed) else []
        pieces = pieces or _PIECE.findall(seed)
        for start in range(len(pieces)):
            for end in range(start + 1, min(start + _LONGEST_PUMP, len(pieces)) + 1):
                prefix, rest = b"".join(pieces[:start]), b"".join(pieces[end:])
                pump = b"".join(pieces[start:end])
                yield ParserAttack(prefix, pump)
                yield ParserAttack(prefix, pump, rest)
    syntax = SYNTAX.get(name, ())
    for first, second in product((b"", *syntax), syntax):
        yield ParserAttack(b"", first + second)
        yield ParserAttack(first, second)
        yield ParserAttack(b"", second, first)


def _is_coded(seed: bytes) -> bool:
    """Return True for a seed whose bytes are numbers of pieces, not text."""
    return len(seed) < 64 and not seed.decode("utf-8", "replace").isprintable()


@cache
def list_caches() -> list[Any]:
    """List the bounded caches of functions, whose keys are inputs."""
    modules = [module for name, module in sys.modules.items() if name.startswith("waypost.")]
    values = [value for module in modules for value in vars(module).values()]
    caches = [value for value in values if hasattr(value, "cache_parameters")]
    return [each for each in caches if each.cache_parameters()["maxsize"] is not None]


def takes_linear_time(run: Callable[[Any], object], build: Callable[[int], Any], size: int) -> bool:
    """Check that the time grows linearly without caches: an input that is repeated is no work."""

    def run_without_caches(value: object) -> None:
        for each in list_caches():
            each.cache_clear()
        run(value)

    return grows_linearly(run_without_caches, build, size)


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(TARGETS.keys() - EXCLUDED_TARGETS.keys()))
def test_parser_takes_linear_time(name: str, random: Random) -> None:
    attacks = list(dict.fromkeys(derive_attacks(name)))
    attempts = count_attempts(short=100, long=2_000)
    for attack in random.sample(attacks, min(attempts, len(attacks))):
        size = count_attempts(short=512, long=2_048)
        assert takes_linear_time(TARGETS[name].run, attack.build, size), attack


def rewrite(channel: str, key: str, **options: bool) -> Callable[[str], None]:
    """Return a function that rewrites a message with one text."""

    def run(text: str) -> None:
        with suppress(WaypostError):
            MessageHarness().rewrite(channel=channel, content={key: text}, **options)

    return run


def open_with_stars(destination: str) -> bool:
    return can_open(AppLinks(ios=("A.b",), urls=("https://*a*a*a*b",)), destination)


def build_honeypot_clicks(size: int) -> list[CountedClick]:
    """Build clicks on a honeypot, and as many clicks that are all later than any of them."""
    return [
        CountedClick(
            id=number.to_bytes(8),
            link=LinkId("1" * 26),
            time=number * 10_000,
            delivery=b"same",
            signals=int(BotSignal.HONEYPOT) if number < size else 0,
            is_bot=number < size,
        )
        for number in range(2 * size)
    ]


def receive_bytes(data: bytes) -> None:
    response = ResponseBuffer()
    for at in range(len(data)):
        response.add(data[at : at + 1])
        assert not response.is_complete


HTML: Final = rewrite("email", "html")
TEMPLATE: Final = rewrite("email", "html", liquid=True)
MIME: Final = rewrite("email", "mime")

# Of any type: each function takes what its builder returns.
FOUND_ATTACKS: Final[dict[str, tuple[Callable[[Any], object], Callable[[int], Any]]]] = {
    "tag with an open quote": (
        rewrite("sms", "text"),
        lambda size: '{% cio_link url:"' + "{{a}}" * size + " %}",
    ),
    "condition of spaces": (HTML, lambda size: f"<!--[if {' ' * size}]>x<![endif]-->"),
    "attributes of body": (HTML, lambda size: "".join(f"<body x{n}>" for n in range(size))),
    "raw without an end": (TEMPLATE, lambda size: "{% raw %}" + "{% raw " * size),
    "comment without an end": (TEMPLATE, lambda size: "{% comment %}" + "{% comment " * size),
    "doc without an end": (TEMPLATE, lambda size: "{% doc %}" + "{% doc " * size),
    "raw with another end": (TEMPLATE, lambda size: "{% raw %}{% endraw x %}" * size),
    "jumps in open blocks": (TEMPLATE, lambda size: "{% if a %}" * size + "{% break %}" * size),
    "parameters of a header": (
        MIME,
        lambda size: f'Content-Type: text/html; x="{";" * size}\n\n<p>',
    ),
    "run in UTF-7": (
        MIME,
        lambda size: (
            "Content-Type: text/html; charset=utf-7\n\n" + ("é" * size).encode("utf-7").decode()
        ),
    ),
    "URLs without a host": (rewrite("sms", "text"), lambda size: "http://(" * size),
    "pattern with stars": (open_with_stars, lambda size: "https://" + "a" * size),
    "clicks on a honeypot": (find_burst_signals, build_honeypot_clicks),
    "response byte by byte": (receive_bytes, lambda size: b"HTTP/1.1 200 OK\r\na: " + b"b" * size),
}
"""Inputs that took more than linear time once."""


@pytest.mark.parametrize("name", FOUND_ATTACKS)
def test_input_that_was_slow_takes_linear_time(name: str) -> None:
    run, build = FOUND_ATTACKS[name]
    assert takes_linear_time(run, build, 16_384)


def search_to_the_end_from_each_start(data: bytes) -> int:
    text, found = data.decode(), 0
    for start in range(len(text)):
        found += text.find("]]", start) >= 0
    return found


def insert_at_the_beginning(data: bytes) -> list[int]:
    numbers: list[int] = []
    for number in range(len(data)):
        if number not in numbers:
            numbers.insert(0, number)
    return numbers


@pytest.mark.parametrize("parse", [search_to_the_end_from_each_start, insert_at_the_beginning])
def test_slow_parser_is_found(parse: Callable[[bytes], object]) -> None:
    assert not grows_linearly(parse, ParserAttack(b"", b"[a").build, 4_096)
