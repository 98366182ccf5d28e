"""Random faults from a seed: the same seed causes the same faults in the same calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from waypost.errors import StoreUnavailable, WriteConflict


class ProcessKilled(BaseException):
    """The process is killed: no later line runs, not even an ``except Exception``."""


class RandomFaults:
    """Chooses a fault or none for each call. ``rate`` is the probability of a fault."""

    def __init__(self, random: Random, rate: float) -> None:
        self.random = random
        self.rate = rate
        self.fault_counts: Counter[str] = Counter()

    def next_fault(self, *faults: str) -> str | None:
        """Return one of the faults, or None."""
        if self.random.random() >= self.rate:
            return None
        fault = self.random.choice(faults)
        self.fault_counts[fault] += 1
        return fault


class FaultyProxy:
    """A proxy of any object, whose named methods fail before or after their work.

    ``is_down`` makes every call fail at once; ``before_call`` runs first, like another process.
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
            fault = self._faults.next_fault(*self._fault_kinds)
            _raise_fault(fault, "before")
            result = method(*args, **kwargs)
            _raise_fault(fault, "after")
            return result

        return call


def _raise_fault(fault: str | None, moment: str) -> None:
    if fault is None or not fault.endswith(moment):
        return
    if fault.startswith("killed"):
        raise ProcessKilled
    if fault.startswith("conflict"):
        raise WriteConflict("injected")
    raise StoreUnavailable(f"injected {fault}")
