"""The parameters that a workspace adds to its links, filled in for each recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from liquid import BoundTemplate

from waypost.rewrite.liquid import environment
from waypost.rewriting.judging.queries import ParameterSlot, encoded_query
from waypost.tokens.destination import PERSON_MARK, person_parameter

PERSON_KEY: Final = "_cio_id"


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one recipient, or of all of them where no value differs."""

    pairs: tuple[tuple[str, str], ...]
    identify: bool
    """Adds ``_cio_id``, first."""
    empty: tuple[str, ...] = ()
    """Names that are not added, since their value turned out empty."""
    _texts: dict[frozenset[str], str] = field(default_factory=dict, compare=False)

    def added_to(self, slot: ParameterSlot, person: str | None) -> str:
        """The URL with these parameters, as the recipient's browser will get it."""
        identity = person_parameter(person) if person is not None else None
        return slot.filled(self._with_identity(slot, identity))

    def marked(self, slot: ParameterSlot, *, known: bool) -> str:
        """The same with a mark where a known person's own parameter belongs."""
        return slot.filled(self._with_identity(slot, PERSON_MARK if known else None))

    def without_identity(self, slot: ParameterSlot) -> str:
        """The URL with the workspace's parameters only, as untracked links get them."""
        return slot.filled(self._text(slot.keys)) if self.pairs else slot.whole

    def _with_identity(self, slot: ParameterSlot, identity: str | None) -> str:
        if not self.pairs and not self.identify:
            return ""
        rest = self._text(slot.keys)
        if identity is None or not self.identify or PERSON_KEY in slot.keys:
            return rest
        return f"{identity}&{rest}" if rest else identity

    def _text(self, taken: frozenset[str]) -> str:
        text = self._texts.get(taken)
        if text is None:
            text = encoded_query(pair for pair in self.pairs if pair[0] not in taken)
            self._texts[taken] = text
        return text


class Parameters:
    """The parameters of a workspace, compiled: values may be Liquid. ``identify`` adds ``_cio_id``,
    where the workspace has no parameter of that name.
    """

    def __init__(self, values: Mapping[str, str], *, identify: bool) -> None:
        self._identify = identify and PERSON_KEY not in values
        self._values = values
        self._templates: dict[str, BoundTemplate] = {
            name: environment.compiled(value, f"url_params.{name}", environment.SETTINGS)
            for name, value in values.items()
            if environment.is_liquid(value)
        }
        self._same_for_all = None if self._templates else self._query({})

    @property
    def differ(self) -> bool:
        """Whether recipients may get different values."""
        return self._same_for_all is None

    def for_recipient(self, data: Mapping[str, object]) -> Query:
        """Fill the values in with a recipient's data.

        :raises InvalidRequest: when a value cannot be rendered; missing variables are empty.
        """
        return self._same_for_all or self._query(data)

    def _query(self, data: Mapping[str, object]) -> Query:
        pairs = [(name, self._value(name, data)) for name in self._values]
        return Query(
            pairs=tuple(pair for pair in pairs if pair[1]),
            identify=self._identify,
            empty=tuple(name for name, value in pairs if not value),
        )

    def _value(self, name: str, data: Mapping[str, object]) -> str:
        template = self._templates.get(name)
        if template is None:
            return self._values[name]
        return environment.rendered(template, data, f"url_params.{name}").strip()
