"""Add a workspace's parameters to the query of a URL, rendered for each recipient.

A URL is split and joined from the same pieces: all that does not change stays as its author wrote
it (``%2F``, ``+``, empty queries, hash routes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote_plus, unquote_plus

from liquid import BoundTemplate

from waypost.errors import InvalidRequest
from waypost.rewrite.liquid import environment, runtime
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.tokens.codec import PERSON_PLACEHOLDER, build_person_parameter
from waypost.urls import MAX_DESTINATION_LENGTH


class UrlQueryBuilder:
    """Appends parameters to a URL: at the end of its query, before its fragment.

    Splits the URL on first use: most messages have many links and no parameters to add.
    """

    __slots__ = ("_split", "url")

    def __init__(self, href: str) -> None:
        self.url = href
        self._split: _SplitUrl | None = None

    @property
    def keys(self) -> frozenset[str]:
        """Decoded names of the parameters that the URL has; they are never replaced."""
        return self._get_split().keys

    def append_query(self, query: str) -> str:
        """Append an encoded query, which must have none of ``keys``."""
        if not query:
            return self.url
        split = self._get_split()
        return f"{split.head}{query}{split.tail}"

    def _get_split(self) -> _SplitUrl:
        if self._split is None:
            self._split = _split_url(self.url)
        return self._split


@dataclass(frozen=True, slots=True)
class _SplitUrl:
    """A URL around its end of query: ``head`` ends with a separator, ``tail`` is the fragment."""

    head: str
    tail: str
    keys: frozenset[str]


def _split_url(href: str) -> _SplitUrl:
    before, hash_sign, fragment = href.partition("#")
    _, question, query = before.partition("?")
    separator = "?" if not question else "" if not query or query[-1] == "&" else "&"
    return _SplitUrl(before + separator, hash_sign + fragment, _parse_names(query))


def _parse_names(query: str) -> frozenset[str]:
    """Parse the decoded names of a query's parameters; ``;`` separates none (WHATWG URL)."""
    names = [pair.partition("=")[0] for pair in query.split("&")]
    if "%" in query or "+" in query:
        names = list(map(unquote_plus, names))
    return frozenset(names)


def encode_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Encode parameters as a query: percent-encoded UTF-8, ``+`` for spaces, brackets kept."""
    return "&".join(
        f"{quote_plus(name, safe='[]')}={quote_plus(value)}" for name, value in parameters
    )


def add_parameters(href: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Append the parameters whose names the URL does not have yet, in order."""
    url = UrlQueryBuilder(href)
    return url.append_query(encode_query(pair for pair in parameters if pair[0] not in url.keys))


PERSON_KEY: Final = "_cio_id"


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """The parameters of one recipient, or of all recipients if no value differs."""

    pairs: tuple[tuple[str, str], ...]
    """Names, and ``name=value`` as in a query."""
    adds_person_id: bool
    """Adds ``_cio_id`` before the others."""
    empty_names: tuple[str, ...] = ()
    """Names of parameters that are not added because their value is empty."""
    length: int = 0
    """Characters that all pairs add to a URL."""
    _queries: dict[frozenset[str], str] = field(default_factory=dict, compare=False)

    def fit(self, url: UrlQueryBuilder) -> bool:
        """Check that a URL is short enough for all parameters; a longer one gets none."""
        return not self.pairs or len(url.url) + self.length <= MAX_DESTINATION_LENGTH

    def build_url(self, url: UrlQueryBuilder, person: str | None) -> str:
        """Build the destination that the recipient's browser gets."""
        person_pair = build_person_parameter(person) if person is not None else None
        return url.append_query(self._build_query(url, person_pair))

    def build_url_with_placeholder(self, url: UrlQueryBuilder, *, has_person: bool) -> str:
        """Build the destination that all recipients share, with a placeholder for the person."""
        person_pair = PERSON_PLACEHOLDER if has_person else None
        return url.append_query(self._build_query(url, person_pair))

    def build_url_without_person(self, url: UrlQueryBuilder) -> str:
        """Build the URL of a link that is not tracked, with the workspace's parameters only."""
        return url.append_query(self._join_pairs(url)) if self.pairs else url.url

    def _build_query(self, url: UrlQueryBuilder, person_pair: str | None) -> str:
        if not self.pairs and not self.adds_person_id:
            return ""
        query = self._join_pairs(url)
        if person_pair is None or not self.adds_person_id or PERSON_KEY in url.keys:
            return query
        return f"{person_pair}&{query}" if query else person_pair

    def _join_pairs(self, url: UrlQueryBuilder) -> str:
        if not self.fit(url):
            return ""
        query = self._queries.get(url.keys)
        if query is None:
            query = "&".join(pair for name, pair in self.pairs if name not in url.keys)
            self._queries[url.keys] = query
        return query


class UrlParameters:
    """The compiled parameters of a workspace; their values may be Liquid.

    ``add_person_id`` adds ``_cio_id``, unless the workspace has a parameter of that name.
    """

    def __init__(self, values: Mapping[str, str], *, add_person_id: bool) -> None:
        self._add_person_id = add_person_id and PERSON_KEY not in values
        self._values = values
        self._templates = {
            name: _compile_value(name, value)
            for name, value in values.items()
            if environment.is_liquid(value)
        }
        self._shared = None if self._templates else self._render_parameters({}, WorkBudget())

    @property
    def is_recipient_specific(self) -> bool:
        """Recipients may get different values."""
        return self._shared is None

    def render(self, data: Mapping[str, object], budget: WorkBudget) -> RecipientParameters:
        """Render the values with a recipient's data; missing variables are empty.

        :raises InvalidRequest: if a value cannot be rendered.
        """
        return self._shared or self._render_parameters(data, budget)

    def _render_parameters(
        self, data: Mapping[str, object], budget: WorkBudget
    ) -> RecipientParameters:
        pairs: list[tuple[str, str]] = []
        empty_names: list[str] = []
        length = 0
        for name in self._values:
            compiled = self._templates.get(name)
            needs_person = compiled is not None and compiled.needs_person_only
            is_unknown = needs_person and not _has_person_id(data)
            value = "" if is_unknown else self._render_value(name, data, budget)
            if not value:
                empty_names.append(name)
                continue
            pairs.append((name, encode_query([(name, value)])))
            length += len(pairs[-1][1]) + 1
            if length > MAX_DESTINATION_LENGTH:  # they fit no URL, so the rest is not rendered
                break
        return RecipientParameters(
            pairs=tuple(pairs),
            adds_person_id=self._add_person_id,
            empty_names=tuple(empty_names),
            length=length,
        )

    def measure(self, name: str) -> int:
        """Measure what a parameter adds to a URL without data, in characters.

        :raises InvalidRequest: if it cannot be rendered without data.
        """
        value = self._render_value(name, {}, WorkBudget())
        return len(encode_query([(name, value)])) + 1 if value else 0

    def _render_value(self, name: str, data: Mapping[str, object], budget: WorkBudget) -> str:
        compiled = self._templates.get(name)
        if compiled is None:
            return self._values[name]
        return runtime.render_liquid(compiled.template, data, f"url_params.{name}", budget).strip()


class _CompiledValue(NamedTuple):
    """A Liquid value, and whether it needs the person's id and nothing else."""

    template: BoundTemplate
    needs_person_only: bool


# Each message compiles its workspace's parameters, which rarely change; three take 0.3 ms.
@lru_cache(maxsize=1_024)
def _compile_value(name: str, value: str) -> _CompiledValue:
    template = environment.compile_liquid(
        value, f"url_params.{name}", environment.SETTINGS_ENVIRONMENT
    )
    return _CompiledValue(template, _needs_person_only(template))


def _needs_person_only(template: BoundTemplate) -> bool:
    """Check that a value outputs ``customer.cio_id``, no other variable, and no default for it."""
    analysis = template.analyze()
    if analysis.tags or "default" in analysis.filters:
        return False
    paths = [list(each.segments) for group in analysis.variables.values() for each in group]
    return bool(paths) and all(path == ["customer", "cio_id"] for path in paths)


def _has_person_id(data: Mapping[str, object]) -> bool:
    customer = data.get("customer")
    person = customer.get("cio_id") if isinstance(customer, Mapping) else None
    return bool(person.strip()) if isinstance(person, str) else person is not None


MAX_PARAMETERS_LENGTH: Final = 2_000
"""Characters that a workspace's parameters add to a URL, apart from values out of data."""


def check_url_parameters(values: Mapping[str, str]) -> None:
    """Check a workspace's parameters when they are set.

    Liquid is rendered without data, so values out of data do not count. A value that cannot be
    rendered without data counts nothing.

    :raises InvalidRequest: if a value is not valid Liquid, or the parameters are too long together.
    """
    parameters = UrlParameters(values, add_person_id=False)
    length = 0
    for name in values:
        with suppress(InvalidRequest):
            length += parameters.measure(name)
    if length > MAX_PARAMETERS_LENGTH:
        reason = f"adds more than {MAX_PARAMETERS_LENGTH:,} characters to a URL ({length:,})"
        raise InvalidRequest.from_field("url_params", reason)
