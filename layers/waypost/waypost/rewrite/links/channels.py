"""Which texts of a message are searched for links, and how, by channel.

=========================  =======================  ============================================
channel                    links by themselves      through ``cio_link``
=========================  =======================  ============================================
email                      html; text when asked    html, text
sms                        text                     text, and nowhere else
whatsapp                   none                     variables, and nowhere else
push, in_app, webhook,     none                     any text
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

# The first character that is not Liquid's.
_JSON_START = re.compile(
    r"(?>(?:\s|\{%(?:(?!%\}).)*%\}|\{\{(?:(?!\}\}).)*\}\})*)[\[{](?![{%])", re.DOTALL
)

Channel = Literal["email", "sms", "whatsapp", "push", "in_app", "webhook", "slack"]
_REQUIRED_CONTENT: Final[Mapping[Channel, str]] = {"sms": "text", "whatsapp": "variables"}
"""Where a channel has one kind of content; in any other, links would stay as they are unseen."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
ContentPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ContentText:
    """A text of a message: where it stands in the content, and how it is written."""

    path: ContentPath
    source: str
    markup: Markup

    @property
    def field(self) -> str:
        """The path as the caller writes it: ``content.variables.items[2]``."""
        return "content" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)


def extract_texts(
    channel: Channel, content: Mapping[str, Json], *, track_text: bool = False
) -> Iterator[ContentText]:
    """The texts of a message's content, in the order in which their links are numbered.

    :raises InvalidRequest: when the channel does not take such content.
    """
    if channel != "email" and "mime" in content:
        raise InvalidRequest.from_field("content.mime", f"a {channel} message is no MIME message")
    only = _REQUIRED_CONTENT.get(channel)
    if only is not None and set(content) != {only}:
        raise InvalidRequest.from_field("content", f"{channel} carries its links in {only} alone")
    for name, value in content.items():
        for path, source in _iter_strings(value, (name,)):
            yield ContentText(
                path, source, _select_markup(channel, path, source, track_text=track_text)
            )


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
