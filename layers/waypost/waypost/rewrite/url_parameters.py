"""The parameters that a workspace adds to its links, filled in for each recipient.

How parameters are put into a URL without touching the rest of it.

A URL is cut and put together again from the same pieces: everything that is not asked to change
stays as the author wrote it (``%2F``, ``+``, empty queries, hash routes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from liquid import BoundTemplate

from waypost.rewrite.liquid import environment
from waypost.tokens.codec import PERSON_MARK, person_parameter


class ParameterSlot:
    """A URL opened where parameters go: at the end of its query, before its fragment. Opened only
    when something is to be added: most messages have many links and nothing to add.
    """

    __slots__ = ("_opened", "whole")

    def __init__(self, href: str) -> None:
        self.whole = href
        self._opened: _Opened | None = None

    @property
    def keys(self) -> frozenset[str]:
        """Decoded names of the parameters that the URL has already; those win."""
        return self._open().keys

    def filled(self, query: str) -> str:
        """The URL with ``query`` added, which must be encoded and hold none of ``keys``."""
        if not query:
            return self.whole
        opened = self._open()
        return f"{opened.head}{query}{opened.tail}"

    def _open(self) -> _Opened:
        if self._opened is None:
            self._opened = _opened(self.whole)
        return self._opened


@dataclass(frozen=True, slots=True)
class _Opened:
    """``head`` ends with what separates parameters; ``tail`` is the fragment with its ``#``."""

    head: str
    tail: str
    keys: frozenset[str]


def _opened(href: str) -> _Opened:
    before, mark, fragment = href.partition("#")
    _, question, query = before.partition("?")
    separator = "?" if not question else "" if not query or query[-1] in "&;" else "&"
    return _Opened(before + separator, mark + fragment, _names(query))


def _names(query: str) -> frozenset[str]:
    """The decoded names of a query's parameters."""
    names = [pair.partition("=")[0] for pair in query.replace(";", "&").split("&")]
    if "%" in query or "+" in query:
        names = list(map(unquote_plus, names))
    return frozenset(names)


def encoded_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query: percent-encoded UTF-8, ``+`` for spaces, brackets left readable."""
    return "&".join(
        f"{quote_plus(name, safe='[]')}={quote_plus(value)}" for name, value in parameters
    )


def with_parameters(href: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The URL with parameters added, in order, save those whose key it has already."""
    slot = ParameterSlot(href)
    return slot.filled(encoded_query(p for p in parameters if p[0] not in slot.keys))


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
