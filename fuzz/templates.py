"""Fuzz targets for Liquid: verbatim blocks, filters on any values, and limits."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import LiquidError

from fuzz.target import FuzzTarget, decode_text, expect
from tests.rewrite_harness import RewriteHarness
from waypost.errors import InvalidRequest, WaypostError
from waypost.rewrite.liquid.environment import MAX_OUTPUT_CHARACTERS, TemplateEnvironment
from waypost.rewrite.liquid.filters import FILTERS
from waypost.rewrite.liquid.runtime import MAX_RENDER_STEPS
from waypost.rewrite.liquid.scanner import scan_liquid

_FILTER_NAMES: Final = sorted(FILTERS)
VALUES: Final[dict[str, object]] = {
    "none": None,
    "yes": True,
    "no": False,
    "zero": 0,
    "minus": -1,
    "one": 1,
    "half": 0.5,
    "large": 1e308,
    "huge": 10**400,
    "least": -(2**63),
    "nanoseconds": 1_700_000_000 * 10**9,
    "empty_text": "",
    "space": " ",
    "digits": "0",
    "exponent": "1e400",
    "nan": "nan",
    "date": "2026-11-22",
    "last_day": "9999-12-31",
    "no_day": "0000-00-00",
    "percent": "%",
    "format": "%Y-%m-%d",
    "formats": "%c" * 50,
    "wide_format": "%99999Y",
    "cut_format": "%-",
    "nul": "\0",
    "surrogate": "\ud800",
    "separator": "\u2028",
    "accents": "éß",
    "text": "a,b,,c",
    "tag": "<a href='x'>",
    "reference": "&#x110000;",
    "url": "https://[",
    "lines": "\n\r\n",
    "liquid": "{{ v }}{% raw %}",
    "long": "a" * 5_000,
    "nothing": [],
    "nested": [[[[[[1]]]]]],
    "mixed": [None, 1, "a", [], True],
    "numbers": [1, 2.5, -3],
    "texts": ["b", "a", ""],
    "many": list(range(2_000)),
    "objects": [{"a": 1}, {"a": "b"}, 3],
    "object": {"a": {"b": 1}},
    "odd_object": {"size": 9, "first": 1, "a b": None, "": 0},
    "pairs": [["a", 1], ["b"]],
}
"""Values that recipients' data may contain, by variable."""
_LINK: Final = "<a href=https://a.example/>x</a>"
MAX_SENT_CHARACTERS: Final = 2 * MAX_OUTPUT_CHARACTERS
"""A message with its tracking links."""
_OPERANDS: Final = [*VALUES, "v", "(1..9)", "(1..100000000)", "(minus..huge)", "'x'", "blank"]
_RENDERING_CALLS: Final = 10 * MAX_RENDER_STEPS
"""A target renders a template four times. A step is a call or two."""
_CALL_BYTES: Final = 4
_MAX_CALLS: Final = 6


def fuzz_blocks(data: bytes) -> None:
    """Find the Liquid of a template in order, and the tokens that the library finds."""
    source = decode_text(data)
    try:
        scan = scan_liquid(source, "content.html")
    except InvalidRequest:
        return
    position = 0
    for span in scan.spans:
        expect(position <= span.start < span.end, f"{span} overlaps the one before")
        expect(source[span.start : span.start + 2] in ("{{", "{%"), f"{span} is no Liquid")
        position = span.end
    expect(position <= len(source), "the last piece ends in the template")
    expect(_tokenize(TemplateEnvironment(), source) == _tokenize(Environment(), source), "tokens")


def _tokenize(environment: Environment, source: str) -> list[object] | None:
    """Return the tokens of a template, or None if it is refused."""
    try:
        return list(environment.tokenizer()(source))
    except LiquidError:
        return None


def fuzz_filters(data: bytes) -> None:
    """Render any filters on any values, or fail that recipient alone, also in parameters."""
    expression = _build_expression(data)
    _expect_isolated_failure(f"{{{{ {expression} }}}}", {"v": decode_text(data)})


def fuzz_limits(data: bytes) -> None:
    """Render any template within its limits, or fail that recipient alone."""
    _expect_isolated_failure(decode_text(data), {})


def _build_expression(data: bytes) -> str:
    """Build a chain of filters: of four bytes, two choose the arguments, one their number."""
    expression = _choose_value(data[0] if data else 0)
    calls = data[1 : 1 + _CALL_BYTES * _MAX_CALLS]
    for start in range(0, len(calls) - _CALL_BYTES + 1, _CALL_BYTES):
        name, first, second, count = calls[start : start + _CALL_BYTES]
        arguments = [_choose_value(first), _choose_value(second)][: count % 3]
        separator = ": " if arguments else ""
        expression += (
            f" | {_FILTER_NAMES[name % len(_FILTER_NAMES)]}{separator}{', '.join(arguments)}"
        )
    return expression


def _choose_value(number: int) -> str:
    return _OPERANDS[number % len(_OPERANDS)]


def _expect_isolated_failure(template: str, data: dict[str, Any]) -> None:
    """Check that a recipient with this data and values changes nothing for one without data."""
    values = {name: value for name, value in VALUES.items() if name in template}
    hostile, other = {"delivery": "d1", "data": values | data}, {"delivery": "d2"}
    for is_parameter in (False, True):
        alone = _render(template, [other], is_parameter=is_parameter)
        together = _render(template, [hostile, other], is_parameter=is_parameter)
        expect((alone is None) == (together is None), "one recipient fails the message")
        if alone is not None and together is not None:
            expect(alone["d2"] == together["d2"], "one recipient fails another")
            expect(together.keys() == {"d1", "d2"}, "each recipient has one outcome")


def _render(
    template: str, recipients: list[dict[str, Any]], *, is_parameter: bool
) -> dict[str, str] | None:
    """Render a template as a message or as a parameter of its link.

    Returns the reason of each recipient that failed, an empty one for the others; None if the
    message is refused.
    """
    harness = RewriteHarness()
    content = _LINK if is_parameter else template
    if is_parameter:
        harness.save_settings(url_params={"p": template})
    with suppress(WaypostError):
        answer = harness.rewrite(
            channel="email", content={"html": content}, liquid=True, recipients=recipients
        )
        for delivery in answer["deliveries"]:
            size = len(str(delivery["content"]["html"]))
            expect(size <= MAX_SENT_CHARACTERS, f"{size:,} characters exceed the limit")
        expect(all(failure["reason"] for failure in answer["failed"]), "each failure has a reason")
        sent = dict.fromkeys((d["delivery"] for d in answer["deliveries"]), "")
        return sent | {failure["delivery"]: failure["reason"] for failure in answer["failed"]}
    return None


TARGETS: Final = {
    "blocks": FuzzTarget(
        fuzz_blocks,
        (
            b"a {% raw %}{{ b }}{% endraw %} {% comment %}{% comment %}{% endcomment %}x",
            b"{%- doc -%}{% raw {% raw {% raw %}{% enddoc %}{% # x %}{% comment a %}{%endcomment%}",
            b"{% comment %}{% raw %}{% endcomment %}{% endraw %}{% endcomment %}{{ '%}' }}{",
        ),
    ),
    "filters": FuzzTarget(
        fuzz_filters,
        tuple(
            bytes([_OPERANDS.index(("text", "objects", "huge")[name % 3]), name, 1, 2, name])
            for name in range(len(_FILTER_NAMES))
        ),
        base_calls=_RENDERING_CALLS,
    ),
    "limits": FuzzTarget(
        fuzz_limits,
        (
            b"{% for a in (1..9) %}{% for b in many %}{{ a | append: b }}{% endfor %}{% endfor %}",
            b"{% assign a = long %}{% capture b %}{{ a }}{{ a | times: 3 }}{% endcapture %}{{ b }}",
            b"{% tablerow a in many limit:3 offset:1 %}{% cycle 'x': a, one %}{% endtablerow %}",
            b"{{ nanoseconds | date: '%Y' }}{% case one %}{% when yes, zero %}x{% endcase %}",
            b"{% liquid for a in (1..100000000)\n echo many | concat: a | join: long\n endfor %}",
            b"{% assign a = 'x' %}{% for b in many %}{% assign a = a | append: a %}{% endfor %}",
        ),
        base_calls=_RENDERING_CALLS,
    ),
}
