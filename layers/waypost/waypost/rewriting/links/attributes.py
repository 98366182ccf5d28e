"""How an attribute's value is read from the characters of a document, and written back.

Reading follows the HTML standard's attribute value states, in which ``?a=1&copy=2`` keeps its
``&copy`` (``html.unescape`` would read it as ©); a tokenizer that follows the standard does it.
"""

from __future__ import annotations

import re
from html import escape

from turbohtml import tokenize

_VALUE = re.compile(r"[a-zA-Z\-]+[\t\n\f\r ]*=[\t\n\f\r ]*([\"']?)")


def value_span(source: str, start: int, end: int) -> tuple[int, int, str]:
    """Where the value of the attribute at ``source[start:end]`` stands, quotes excluded, and its
    quote (empty where there is none). An attribute without a value has an empty span at its end.
    """
    match = _VALUE.match(source, start, end)
    if match is None:
        return end, end, ""
    quote = match[1]
    return match.end(), end - len(quote), quote


def decoded(raw: str, quote: str) -> str:
    """The value that a browser reads from the characters between ``quote``s."""
    if raw.isprintable() and (ampersands := raw.count("&")) == raw.count("&amp;"):
        return raw.replace("&amp;", "&") if ampersands else raw
    if quote:  # only Liquid can hold one, and is no HTML yet
        raw = raw.replace(quote, f"&#{ord(quote)};")
    tag = next(iter(tokenize(f"<a x={quote}{raw}{quote} >")))
    return tag.attr("x", "") or ""


def decoded_anywhere(raw: str) -> str:
    """The same for text that is not known to stand between quotes."""
    return decoded(raw, "'" if '"' in raw else '"')


def encoded(value: str) -> str:
    """A value written so that it reads back the same, whatever quotes stand around it."""
    return escape(value).replace(" ", "&#32;")
