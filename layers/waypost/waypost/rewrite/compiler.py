"""A whole message, compiled once: its texts planned, their links numbered through."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from waypost.errors import InvalidRequest
from waypost.rewrite.link_rules import Rules
from waypost.rewrite.links.channels import Channel, Json, Path, Text, texts
from waypost.rewrite.links.extractor import (
    HTML_LINKS,
    TEXT_LINKS,
    Markup,
    find_places,
    with_opt_outs,
)
from waypost.rewrite.liquid.environment import is_liquid
from waypost.rewrite.liquid.template import Rendered, Template
from waypost.rewriting.links import mime
from waypost.rewriting.links.pixel import with_pixel
from waypost.rewriting.plan import Link, Plan
from waypost.rewriting.planning import planned


@dataclass(frozen=True, slots=True)
class PlannedText:
    """One text of a message for one recipient, or for all."""

    path: Path
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Part:
    """A text of the content: ready, with its places, or a template that gives them."""

    path: Path
    markup: Markup | None
    """None for a MIME message, which has several."""
    content: Rendered | Template

    def for_data(self, data: Mapping[str, object]) -> Rendered:
        return self.content.rendered(data) if isinstance(self.content, Template) else self.content


class CompiledMessage:
    """A message that is stamped for any number of recipients."""

    def __init__(self, content: Mapping[str, Json], parts: Sequence[_Part], rules: Rules) -> None:
        self._content = content
        self._parts = parts
        self._rules = rules
        ready = not any(isinstance(part.content, Template) for part in parts)
        self._for_all = list(self._planned({})) if ready else None

    @property
    def is_template(self) -> bool:
        """Whether recipients' messages differ in more than their tracking links."""
        return self._for_all is None

    def planned(self, data: Mapping[str, object]) -> list[PlannedText]:
        """The message's texts for a recipient with this data.

        :raises InvalidRequest: when a template cannot be rendered with it.
        """
        return list(self._planned(data)) if self._for_all is None else self._for_all

    def filled(self, values: Mapping[Path, str]) -> dict[str, Json]:
        """The content with its texts replaced."""
        return {name: _filled(item, (name,), values) for name, item in self._content.items()}

    def _planned(self, data: Mapping[str, object]) -> Iterator[PlannedText]:
        found = [part.for_data(data) for part in self._parts]
        anchors = [
            place
            for part, rendered in zip(self._parts, found, strict=True)
            if part.markup is HTML_LINKS
            for place in rendered.places
        ]
        position = 1
        for part, rendered in zip(self._parts, found, strict=True):
            places = rendered.places
            if part.markup is HTML_LINKS:
                places = with_pixel(places, rendered.text)
            if part.markup is TEXT_LINKS:
                places = with_opt_outs(places, anchors)
            plan = planned(rendered.text, places, self._rules, position, rendered.blocks)
            position += len(plan.links)
            yield PlannedText(part.path, plan)


def compiled_message(
    channel: Channel,
    content: Mapping[str, Json],
    rules: Rules,
    *,
    liquid: bool = False,
    track_text: bool = False,
) -> CompiledMessage:
    """Find the links of a message, or recall where they were found before.

    :raises InvalidRequest: naming the part of the content that cannot be read.
    """
    frozen = tuple(
        (name, value if isinstance(value, str) else _Frozen(json.dumps(value)))
        for name, value in content.items()
    )
    return CompiledMessage(content, compiled_parts(channel, frozen, liquid, track_text), rules)


class _Frozen(str):
    """A value of a content as JSON, to tell it from a text."""


@lru_cache(maxsize=16)
def compiled_parts(
    channel: Channel, content: tuple[tuple[str, str], ...], liquid: bool, track_text: bool
) -> tuple[_Part, ...]:
    """The texts of a content, read: found again by the content itself."""
    given = {
        name: json.loads(value) if isinstance(value, _Frozen) else value for name, value in content
    }
    raw = given.get("mime")
    if isinstance(raw, str) and channel == "email":
        return (_mime_part(raw, liquid=liquid, track_text=track_text),)
    return tuple(
        _Part(text.path, text.markup, _read(text, liquid=liquid))
        for text in texts(channel, given, track_text=track_text)
    )


def _mime_part(raw: str, *, liquid: bool, track_text: bool) -> _Part:
    if liquid:
        raise InvalidRequest.of("liquid", "a MIME message is rendered already; send html and text")
    found = mime.read(raw, "content.mime", track_text=track_text)
    return _Part(("mime",), None, Rendered(found.text, found.places, found.blocks))


def links_of(planned_texts: Iterable[PlannedText]) -> Iterator[Link]:
    """Every link of a message, in the order of positions."""
    return (link for text in planned_texts for link in text.plan.links)


def _read(text: Text, *, liquid: bool) -> Rendered | Template:
    if liquid and is_liquid(text.source):
        return Template(text.markup, text.source, text.field)
    return Rendered(text.source, find_places(text.markup, text.source, text.field))


def _filled(value: Json, path: Path, values: Mapping[Path, str]) -> Json:
    match value:
        case str():
            return values[path]
        case dict():
            return {key: _filled(item, (*path, key), values) for key, item in value.items()}
        case list():
            return [_filled(item, (*path, i), values) for i, item in enumerate(value)]
        case _:
            return value
