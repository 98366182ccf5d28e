"""Select the texts of a message that are searched for links, by channel.

=========================  =======================  ============================================
channel                    all links                links in ``cio_link``
=========================  =======================  ============================================
email                      html; text on request    html, text
sms                        text                     text only
whatsapp                   none                     variables only
push, in_app, webhook,     none                     every text
slack
=========================  =======================  ============================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    HTML_TAGS,
    JSON_TAGS,
    TEXT_LINKS,
    TEXT_TAGS,
    Markup,
)

Channel = Literal["email", "sms", "whatsapp", "push", "in_app", "webhook", "slack"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
ContentPath = tuple[str | int, ...]

_REQUIRED_CONTENT: Final[Mapping[Channel, str]] = {"sms": "text", "whatsapp": "variables"}
"""The only content of a channel; links in any other content would silently stay untracked."""
# Matches if the first character outside Liquid opens a JSON object or array.
_JSON_START = re.compile(
    r"(?:\s|\{%(?:(?!%\}).)*%\}|\{\{(?:(?!\}\}).)*\}\})*[\[{](?![{%])", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class ContentText:
    """A text of a message: its path in the content, and its markup."""

    path: ContentPath
    source: str
    markup: Markup

    @property
    def field(self) -> str:
        """Return the path as the caller writes it: ``content.variables.items[2]``."""
        return format_content_path(self.path)


def format_content_path(path: ContentPath) -> str:
    """Format a path as the caller writes it: ``content.variables.items[2]``."""
    return "content" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)


def extract_texts(
    channel: Channel, content: Mapping[str, Json], *, track_text: bool = False
) -> Iterator[ContentText]:
    """Extract the texts of a message's content, in the order in which their links are numbered.

    :raises InvalidRequest: if the channel does not accept this content.
    """
    if channel != "email" and "mime" in content:
        raise InvalidRequest.from_field(
            "content.mime", f"is for email only (channel {channel}); send another content"
        )
    required = _REQUIRED_CONTENT.get(channel)
    if required is not None and set(content) != {required}:
        raise InvalidRequest.from_field(
            "content", f"{channel} accepts {required} only; send content.{required} alone"
        )
    for name, value in content.items():
        for path, source in _iter_strings(value, (name,)):
            markup = _select_markup(channel, path, source, track_text=track_text)
            yield ContentText(path, source, markup)


def _select_markup(channel: Channel, path: ContentPath, source: str, *, track_text: bool) -> Markup:
    if path == ("html",):
        return HTML_LINKS if channel == "email" else HTML_TAGS
    if path == ("text",) and (channel == "sms" or (channel == "email" and track_text)):
        return TEXT_LINKS
    if path == ("body",) and _JSON_START.match(source):
        return JSON_TAGS
    return TEXT_TAGS


def _iter_strings(value: Json, path: ContentPath) -> Iterator[tuple[ContentPath, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _iter_strings(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _iter_strings(item, (*path, index))
