"""Things that go wrong, by a seed: the same seed breaks the same calls in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from waypost.errors import Conflict, StoreUnavailable


class Killed(BaseException):
    """The process ends here: nothing after this line runs, not even an ``except Exception``."""


class Faults:
    """Decides at each call whether it breaks, and how. ``rate`` is a probability."""

    def __init__(self, random: Random, rate: float) -> None:
        self.random = random
        self.rate = rate
        self.seen: Counter[str] = Counter()

    def strike(self, *kinds: str) -> str | None:
        """One of the kinds, or most of the time none."""
        if self.random.random() >= self.rate:
            return None
        kind = self.random.choice(kinds)
        self.seen[kind] += 1
        return kind


class Faulty:
    """Any object, whose named methods break before or after they did their work.

    ``dead`` makes every call fail at once; ``beside`` runs before a call, as another process would.
    """

    def __init__(
        self,
        inner: Any,
        faults: Faults,
        *methods: str,
        kinds: tuple[str, ...],
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._methods = methods
        self._kinds = kinds
        self.dead = False
        self.beside: Callable[[str], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._breaking(name, method) if name in self._methods else method

    def _breaking(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.dead:
                raise StoreUnavailable("dead")
            self.beside(name)
            kind = self._faults.strike(*self._kinds)
            _raise(kind, "before")
            answer = method(*args, **kwargs)
            _raise(kind, "after")
            return answer

        return call


def _raise(kind: str | None, moment: str) -> None:
    if kind is None or not kind.endswith(moment):
        return
    if kind.startswith("killed"):
        raise Killed
    if kind.startswith("conflict"):
        raise Conflict("injected")
    raise StoreUnavailable(f"injected {kind}")
