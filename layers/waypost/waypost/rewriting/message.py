"""A whole message, compiled once: its texts planned, their links numbered through."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from waypost.rewriting.channels import Channel, Json, Path, Text, texts
from waypost.rewriting.finding import HTML_LINKS, TEXT_LINKS, Markup, find_places
from waypost.rewriting.liquid import is_liquid
from waypost.rewriting.place import Place
from waypost.rewriting.plan import Link, Plan, planned
from waypost.rewriting.rules import Rules
from waypost.rewriting.template import Rendered, Template
from waypost.urls import cleaned


@dataclass(frozen=True, slots=True)
class PlannedText:
    """One text of a message for one recipient, or for all."""

    path: Path
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Part:
    """A text of the content: ready, with its places, or a template that gives them."""

    path: Path
    markup: Markup
    content: Rendered | Template


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
        position = 1
        anchors: list[Place] = []
        for part in self._parts:
            found = part.content
            if isinstance(found, Template):
                found = found.rendered(data)
            places = found.places
            if part.markup is HTML_LINKS:
                anchors += places
            elif part.markup is TEXT_LINKS:
                places = _with_opt_outs(places, anchors)
            plan = planned(found.text, places, self._rules, position)
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
    written = json.dumps(content, ensure_ascii=False)
    return CompiledMessage(content, _parts(channel, written, liquid, track_text), rules)


@lru_cache(maxsize=16)
def _parts(channel: Channel, content: str, liquid: bool, track_text: bool) -> tuple[_Part, ...]:
    return tuple(
        _Part(text.path, text.markup, _read(text, liquid=liquid))
        for text in texts(channel, json.loads(content), track_text=track_text)
    )


def links_of(planned_texts: Iterable[PlannedText]) -> Iterator[Link]:
    """Every link of a message, in the order of positions."""
    return (link for text in planned_texts for link in text.plan.links)


def _read(text: Text, *, liquid: bool) -> Rendered | Template:
    if liquid and is_liquid(text.source):
        return Template(text.markup, text.source, text.field)
    return Rendered(text.source, find_places(text.markup, text.source, text.field))


def _with_opt_outs(places: list[Place], anchors: list[Place]) -> list[Place]:
    """What the HTML part says of a URL holds for the same URL in the text part."""
    said: dict[str, Place] = {}
    for anchor in anchors:
        before = said.get(cleaned(anchor.href), anchor)
        said[cleaned(anchor.href)] = replace(
            anchor,
            track=anchor.track and before.track,
            url_params=anchor.url_params and before.url_params,
            tag=before.tag or anchor.tag,
        )
    return [
        replace(place, track=same.track, url_params=same.url_params, tag=same.tag)
        if (same := said.get(cleaned(place.href))) and not place.explicit
        else place
        for place in places
    ]


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
