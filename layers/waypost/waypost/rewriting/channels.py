"""Which texts of a message are searched for links, and how, by channel.

=========================  =======================  ============================================
channel                    links by themselves      through ``cio_link``
=========================  =======================  ============================================
email                      html; text when asked    html, text
sms                        text                     text
whatsapp                   none                     variables, and nowhere else
push, in_app, webhook,     none                     any text
slack
=========================  =======================  ============================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from waypost.errors import InvalidRequest
from waypost.rewriting.finding import Finder, html_links, html_tags, text_tags

Channel = Literal["email", "sms", "whatsapp", "push", "in_app", "webhook", "slack"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a message: where it stands in the content, and how its links are found."""

    path: Path
    source: str
    find: Finder

    @property
    def field(self) -> str:
        """The path as the caller writes it: ``content.variables.items[2]``."""
        return "content" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)


def texts(channel: Channel, content: Mapping[str, Json]) -> Iterator[Text]:
    """The texts of a message's content, in the order in which their links are numbered.

    :raises InvalidRequest: when the channel does not take such content.
    """
    if channel == "whatsapp" and set(content) != {"variables"}:
        raise InvalidRequest.of("content", "a whatsapp message carries its links in variables")
    for name, value in content.items():
        find = _finder(channel, name)
        for path, source in _strings(value, (name,)):
            yield Text(path, source, find)


def _finder(channel: Channel, name: str) -> Finder:
    if name == "html":
        return html_links if channel == "email" else html_tags
    return text_tags


def _strings(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _strings(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _strings(item, (*path, index))
