"""How parameters are put into a URL without touching the rest of it.

A URL is cut and put together again from the same pieces: everything that is not asked to change
stays as the author wrote it (``%2F``, ``+``, empty queries, hash routes).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus


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
