"""A whole message, compiled once: its texts planned, their links numbered through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waypost.rewriting.channels import Channel, Json, Path, texts
from waypost.rewriting.plan import Link, Plan, planned
from waypost.rewriting.rules import Rules


@dataclass(frozen=True, slots=True)
class CompiledText:
    """One text of a message, where it stands in the content, and its plan."""

    path: Path
    field: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """A message that is stamped for any number of recipients."""

    content: Mapping[str, Json]
    texts: tuple[CompiledText, ...]

    @property
    def links(self) -> Iterator[Link]:
        """Every link, in the order of positions."""
        return (link for text in self.texts for link in text.plan.links)

    def filled(self, values: Mapping[Path, str]) -> dict[str, Json]:
        """The content with its texts replaced."""
        return {name: _filled(item, (name,), values) for name, item in self.content.items()}


def compiled_message(
    channel: Channel, content: Mapping[str, Json], rules: Rules
) -> CompiledMessage:
    """Find and judge the links of a message.

    :raises InvalidRequest: naming the part of the content that cannot be read.
    """
    compiled: list[CompiledText] = []
    position = 1
    for text in texts(channel, content):
        plan = planned(text.source, text.find(text.source, text.field), rules, position)
        compiled.append(CompiledText(text.path, text.field, plan))
        position += len(plan.links)
    return CompiledMessage(content, tuple(compiled))


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
