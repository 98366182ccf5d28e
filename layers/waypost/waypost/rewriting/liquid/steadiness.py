"""Whether a template's links stand where they stand, whatever its data: only then may they be
found once, in the template, instead of in every rendered message.

Every piece of Liquid must stand in one place of the HTML, in text or inside a quoted value, and
what belongs together (if … else … endif) in the same one. Then any rendering is a row of pieces
that begin and end in that place, and its links are those of the template. What a value must not
hold there (a ``<`` in text, the quote of its attribute) is its guard; a value that does sends that
one message the slow way. Where in doubt the answer is no: the slow way is always right.
"""

from __future__ import annotations

import re

from waypost.rewrite.liquid.scanner import Lexed, Span
from waypost.rewrite.liquid.static_analysis import Standing, Stands, standing

# Whether what stands inside is a link depends on these elements, and they on data.
_DECIDES_OTHERS = re.compile(r"<(?:frameset|select|svg|math|template|plaintext)", re.IGNORECASE)
_STEADY_TAGS = {
    *("if", "unless", "elsif", "else", "endif", "endunless", "case", "when", "endcase"),
    *("for", "endfor", "break", "continue", "assign", "capture", "endcapture"),
    *("raw", "endraw", "cio_link", "#"),
}
_OPENS = {"if", "unless", "case", "for", "capture"}
_BRANCHES = {"elsif", "else", "when"}
_JUMPS = {"break", "continue"}
_ENDS = {f"end{name}" for name in _OPENS}
_HALF_A_TAG = re.compile(r"<[/!]?[a-zA-Z\-]*$")
_NEAR = 256
_GUARDS: dict[Stands, re.Pattern[str]] = {
    "text": re.compile(r"[<{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"{]"),
    "'": re.compile(r"['{]"),
}
_OUTLOOK_GUARDS: dict[Stands, re.Pattern[str]] = {
    "text": re.compile(r"[<>{]"),
    "raw": re.compile(r"[<>{]"),
    "comment": re.compile(r"[<>{!\-]"),
    '"': re.compile(r"[\"<>{]"),
    "'": re.compile(r"['<>{]"),
}


def guards(source: str, liquid: Lexed) -> dict[int, re.Pattern[str]] | None:
    """What the value of each piece of Liquid (by its offset) must not hold; None where the
    template is not steady whatever its values.
    """
    if _DECIDES_OTHERS.search(source):
        return None
    where = standing(source, liquid.spans)
    if where is None or not _blocks_stay(liquid.spans, where):
        return None
    found = {}
    for span, place in zip(liquid.spans, where, strict=True):
        if _touches_markup(source, span, place):
            return None
        found[span.start] = (_OUTLOOK_GUARDS if place.outlook else _GUARDS)[place.stands]
    return found


def _blocks_stay(spans: list[Span], where: list[Standing]) -> bool:
    """Whether every block begins, branches and ends in one place."""
    around: list[Standing] = []
    for span, place in zip(spans, where, strict=True):
        if span.kind != "tag":
            continue
        if span.name not in _STEADY_TAGS:
            return False
        if span.name in _OPENS:
            around.append(place)
        elif span.name in _JUMPS:
            if any(block != place for block in around):
                return False
        elif span.name in _BRANCHES or span.name in _ENDS:
            if around[-1:] != [place]:
                return False
            if span.name in _ENDS:
                around.pop()
    return True


def _touches_markup(source: str, span: Span, place: Standing) -> bool:
    """Whether what stands next to a piece could join with it to markup."""
    before, after = _beside(source, span)
    if place.outlook and after in ("-", ">"):
        return True
    match place.stands:
        case "text":
            return before.endswith("<")
        case "raw":
            return _HALF_A_TAG.search(before) is not None
        case "comment":
            return before[-1:] in ("-", "!", "<") or after in ("-", ">", "!")
        case _:
            return False


def _beside(source: str, span: Span) -> tuple[str, str]:
    """What stands before a piece, and the character after it, once its dashes took whitespace."""
    before = source[max(0, span.start - _NEAR) : span.start].rstrip()
    after = source[span.end : span.end + _NEAR].lstrip()
    return before[-16:] if before or not span.start else "<", after[:1]
