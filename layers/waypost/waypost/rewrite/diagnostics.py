"""What may go wrong with a message after it was rewritten: clipped, cut, split, or cluttering."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from waypost.rewrite.links.channels import Channel, Path
from waypost.rewriting.links.parts import is_dkim_signed
from waypost.rewriting.plan import Link
from waypost.rewriting.report.sample import Seen
from waypost.rewriting.report.segment_counts import SegmentCounts

GMAIL_CLIPS: Final = 102 * 1024
"""Bytes of HTML of which Gmail shows the beginning only."""
OUTLOOK_CUTS: Final = 2048
"""Characters of a link that desktop Outlook opens at most."""
ONE_OFFS: Final = 10
"""From so many links that only one recipient has, reports are cluttered."""

LONGEST_LINE: Final = 998
"""Characters of a line, without its end (RFC 5322, 2.1.1)."""

_LINE_END = re.compile(r"\r?\n")
# An identifier: twenty or more letters and digits mixed, as in a token or a UUID.
_IDENTIFIER = re.compile(r"(?=[\w\-]*\d)(?=[\w\-]*[A-Za-z])[\w\-]{20,200}")


def of_content(channel: Channel, texts: Mapping[Path, str]) -> Iterator[str]:
    """About the length of one recipient's message as it will be sent."""
    html = texts.get(("html",))
    if channel == "email" and html is not None and len(html.encode()) > GMAIL_CLIPS:
        size = len(html.encode())
        yield f"content.html is {size:,} bytes; Gmail clips messages at {GMAIL_CLIPS:,}"


def of_segments(counts: SegmentCounts | None) -> Iterator[str]:
    """About the parts that a text message is sent and paid in."""
    if counts is None or counts["after"] == 1:
        return
    encoding, before, after = counts["encoding"].upper(), counts["before"], counts["after"]
    yield f"content.text takes {after} SMS segments in {encoding}"
    if after > before:
        yield f"tracking adds {after - before} to the {before} that it took; short links take less"


def of_mime(raw: str, stamped: str) -> Iterator[str]:
    """About a raw message, before and after its links are as long as they will be."""
    if is_dkim_signed(raw):
        yield "content.mime is DKIM-signed already, which rewriting breaks; sign it afterwards"
    longest = max(map(len, _LINE_END.split(stamped)))
    if longest > LONGEST_LINE:
        yield (
            f"content.mime has a line of {longest:,} characters; mail servers take "
            f"{LONGEST_LINE}: encode its parts as quoted-printable or base64"
        )


def of_links(seen: Mapping[int, Seen]) -> Iterator[str]:
    """About one recipient's links."""
    for position, link in sorted(seen.items()):
        if link.characters > OUTLOOK_CUTS:
            yield (
                f"link {position} is {link.characters:,} characters; "
                f"desktop Outlook opens at most {OUTLOOK_CUTS:,}"
            )
        if link.round_trip is False:
            yield f"link {position} does not lead where it should; do not send this"


def of_identities(links: Iterable[Link], one_offs: int, recipients: int) -> Iterator[str]:
    """About links that reports would list once for every recipient."""
    if recipients > 1 and one_offs >= ONE_OFFS:
        yield (
            f"{one_offs:,} links belong to one recipient each; "
            "data-cio-tag would group them in reports"
        )
    for link in links:
        if recipients == 1 and _is_one_off(link):
            yield (
                f"link {link.position} looks made for one recipient; "
                "data-cio-tag would group it with its like in reports"
            )


def of_parameters(empty: Iterable[str]) -> Iterator[str]:
    """About parameters of the workspace that came out empty for somebody."""
    for name in empty:
        yield f"the parameter {name} is empty for some recipients and was not added"


def _is_one_off(link: Link) -> bool:
    if link.tag or not link.verdict.tracked or "{{" in link.url:
        return False
    return _IDENTIFIER.search(link.url) is not None
