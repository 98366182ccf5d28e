"""Things that go wrong, by a seed: the same seed breaks the same calls in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from waypost.errors import StoreUnavailable, WriteConflict


class ProcessKilled(BaseException):
    """The process ends here: nothing after this line runs, not even an ``except Exception``."""


class RandomFaults:
    """Decides at each call whether it breaks, and how. ``rate`` is a probability."""

    def __init__(self, random: Random, rate: float) -> None:
        self.random = random
        self.rate = rate
        self.fault_counts: Counter[str] = Counter()

    def next_fault(self, *faults: str) -> str | None:
        """One of the kinds, or most of the time none."""
        if self.random.random() >= self.rate:
            return None
        kind = self.random.choice(faults)
        self.fault_counts[kind] += 1
        return kind


class FaultyProxy:
    """Any object, whose named methods break before or after they did their work.

    ``dead`` makes every call fail at once; ``beside`` runs before a call, as another process would.
    """

    def __init__(
        self,
        inner: Any,
        faults: RandomFaults,
        *methods: str,
        fault_kinds: tuple[str, ...],
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._methods = methods
        self._fault_kinds = fault_kinds
        self.is_down = False
        self.before_call: Callable[[str], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._wrap_method(name, method) if name in self._methods else method

    def _wrap_method(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.is_down:
                raise StoreUnavailable("dead")
            self.before_call(name)
            kind = self._faults.next_fault(*self._fault_kinds)
            _raise_fault(kind, "before")
            answer = method(*args, **kwargs)
            _raise_fault(kind, "after")
            return answer

        return call


def _raise_fault(fault: str | None, moment: str) -> None:
    if fault is None or not fault.endswith(moment):
        return
    if fault.startswith("killed"):
        raise ProcessKilled
    if fault.startswith("conflict"):
        raise WriteConflict("injected")
    raise StoreUnavailable(f"injected {fault}")
