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
from waypost.tokens.codec import PERSON_PLACEHOLDER, build_person_parameter


class UrlQueryBuilder:
    """A URL opened where parameters go: at the end of its query, before its fragment. Opened only
    when something is to be added: most messages have many links and nothing to add.
    """

    __slots__ = ("_split", "url")

    def __init__(self, href: str) -> None:
        self.url = href
        self._split: _SplitUrl | None = None

    @property
    def keys(self) -> frozenset[str]:
        """Decoded names of the parameters that the URL has already; those win."""
        return self._get_split().keys

    def append_query(self, query: str) -> str:
        """The URL with ``query`` added, which must be encoded and hold none of ``keys``."""
        if not query:
            return self.url
        opened = self._get_split()
        return f"{opened.head}{query}{opened.tail}"

    def _get_split(self) -> _SplitUrl:
        if self._split is None:
            self._split = _split_url(self.url)
        return self._split


@dataclass(frozen=True, slots=True)
class _SplitUrl:
    """``head`` ends with what separates parameters; ``tail`` is the fragment with its ``#``."""

    head: str
    tail: str
    keys: frozenset[str]


def _split_url(href: str) -> _SplitUrl:
    before, mark, fragment = href.partition("#")
    _, question, query = before.partition("?")
    separator = "?" if not question else "" if not query or query[-1] in "&;" else "&"
    return _SplitUrl(before + separator, mark + fragment, _parse_names(query))


def _parse_names(query: str) -> frozenset[str]:
    """The decoded names of a query's parameters."""
    names = [pair.partition("=")[0] for pair in query.replace(";", "&").split("&")]
    if "%" in query or "+" in query:
        names = list(map(unquote_plus, names))
    return frozenset(names)


def encode_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query: percent-encoded UTF-8, ``+`` for spaces, brackets left readable."""
    return "&".join(
        f"{quote_plus(name, safe='[]')}={quote_plus(value)}" for name, value in parameters
    )


def add_parameters(href: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The URL with parameters added, in order, save those whose key it has already."""
    slot = UrlQueryBuilder(href)
    return slot.append_query(encode_query(p for p in parameters if p[0] not in slot.keys))


PERSON_KEY: Final = "_cio_id"


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """The parameters of one recipient, or of all of them where no value differs."""

    pairs: tuple[tuple[str, str], ...]
    adds_person_id: bool
    """Adds ``_cio_id``, first."""
    empty_names: tuple[str, ...] = ()
    """Names that are not added, since their value turned out empty."""
    _encoded_queries: dict[frozenset[str], str] = field(default_factory=dict, compare=False)

    def build_url(self, slot: UrlQueryBuilder, person: str | None) -> str:
        """The URL with these parameters, as the recipient's browser will get it."""
        identity = build_person_parameter(person) if person is not None else None
        return slot.append_query(self._build_query(slot, identity))

    def build_url_with_mark(self, slot: UrlQueryBuilder, *, has_person: bool) -> str:
        """The same with a mark where a known person's own parameter belongs."""
        return slot.append_query(
            self._build_query(slot, PERSON_PLACEHOLDER if has_person else None)
        )

    def build_url_without_person(self, slot: UrlQueryBuilder) -> str:
        """The URL with the workspace's parameters only, as untracked links get them."""
        return slot.append_query(self._encode_pairs(slot.keys)) if self.pairs else slot.url

    def _build_query(self, slot: UrlQueryBuilder, person_pair: str | None) -> str:
        if not self.pairs and not self.adds_person_id:
            return ""
        rest = self._encode_pairs(slot.keys)
        if person_pair is None or not self.adds_person_id or PERSON_KEY in slot.keys:
            return rest
        return f"{person_pair}&{rest}" if rest else person_pair

    def _encode_pairs(self, existing_keys: frozenset[str]) -> str:
        text = self._encoded_queries.get(existing_keys)
        if text is None:
            text = encode_query(pair for pair in self.pairs if pair[0] not in existing_keys)
            self._encoded_queries[existing_keys] = text
        return text


class UrlParameters:
    """The parameters of a workspace, compiled: values may be Liquid. ``identify`` adds ``_cio_id``,
    where the workspace has no parameter of that name.
    """

    def __init__(self, values: Mapping[str, str], *, add_person_id: bool) -> None:
        self._add_person_id = add_person_id and PERSON_KEY not in values
        self._values = values
        self._templates: dict[str, BoundTemplate] = {
            name: environment.compile_liquid(
                value, f"url_params.{name}", environment.SETTINGS_ENVIRONMENT
            )
            for name, value in values.items()
            if environment.is_liquid(value)
        }
        self._shared = None if self._templates else self._render_parameters({})

    @property
    def is_recipient_specific(self) -> bool:
        """Whether recipients may get different values."""
        return self._shared is None

    def render(self, data: Mapping[str, object]) -> RecipientParameters:
        """Fill the values in with a recipient's data.

        :raises InvalidRequest: when a value cannot be rendered; missing variables are empty.
        """
        return self._shared or self._render_parameters(data)

    def _render_parameters(self, data: Mapping[str, object]) -> RecipientParameters:
        pairs = [(name, self._render_value(name, data)) for name in self._values]
        return RecipientParameters(
            pairs=tuple(pair for pair in pairs if pair[1]),
            adds_person_id=self._add_person_id,
            empty_names=tuple(name for name, value in pairs if not value),
        )

    def _render_value(self, name: str, data: Mapping[str, object]) -> str:
        template = self._templates.get(name)
        if template is None:
            return self._values[name]
        return environment.render_liquid(template, data, f"url_params.{name}").strip()
