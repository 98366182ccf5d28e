"""``waypost.cache``: bound, TTL and stale values."""

from __future__ import annotations

import pytest

from waypost.cache import Cache


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Returns its value, or raises its error."""

    def __init__(self) -> None:
        self.value, self.loads = "v1", 0
        self.error: Exception | None = None

    def __call__(self) -> str:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source()


def create_cache(clock: Clock) -> Cache[str, str]:
    return Cache(2, ttl_seconds=60, retry_seconds=5, stale_on=OSError, clock=clock)


def test_a_value_is_loaded_again_when_its_ttl_is_over(clock: Clock, source: Source) -> None:
    cache = create_cache(clock)
    assert cache.get_or_load("k", source) == "v1"
    source.value, clock.now = "v2", clock.now + 59
    assert cache.get_or_load("k", source) == cache.get("k") == "v1"
    clock.now += 1
    assert cache.get("k") is None
    assert cache.get_stale("k") == "v1"
    assert cache.get_or_load("k", source) == "v2"
    assert source.loads == 2


def test_a_value_without_a_ttl_stays(clock: Clock) -> None:
    cache = Cache[str, str](2, clock=clock)
    cache.set("k", "v")
    clock.now += 1e9
    assert cache.get("k") == "v"


def test_a_value_is_served_stale_for_the_retry_ttl_when_loading_fails(
    clock: Clock, source: Source
) -> None:
    cache = create_cache(clock)
    cache.get_or_load("k", source)
    clock.now += 60
    source.error = OSError()
    assert cache.get_or_load("k", source) == cache.get_or_load("k", source) == "v1"
    assert source.loads == 2
    clock.now += 5
    assert cache.get_or_load("k", source) == "v1"
    assert source.loads == 3


def test_a_first_load_that_fails_raises_and_is_not_cached(clock: Clock, source: Source) -> None:
    cache = create_cache(clock)
    source.error = OSError()
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - raised by the test itself
            cache.get_or_load("k", source)
    assert source.loads == 2


def test_other_errors_pass_although_there_is_a_stale_value(clock: Clock, source: Source) -> None:
    cache = create_cache(clock)
    cache.get_or_load("k", source)
    clock.now += 60
    source.error = KeyError("k")
    with pytest.raises(KeyError):
        cache.get_or_load("k", source)
    assert cache.get_stale("k") == "v1"


def test_reload_loads_a_fresh_value_early(clock: Clock, source: Source) -> None:
    cache = create_cache(clock)
    cache.get_or_load("k", source)
    source.value = "v2"
    assert cache.reload("k", source) == cache.get("k") == "v2"


def test_a_value_may_have_a_ttl_of_its_own(clock: Clock) -> None:
    cache = create_cache(clock)
    cache.set("k", "v", ttl_seconds=5)
    clock.now += 5
    assert cache.get("k") is None


def test_a_full_cache_is_emptied_before_it_takes_another_key(clock: Clock) -> None:
    cache = create_cache(clock)
    for key in ("a", "b", "b"):
        cache.set(key, key)
    assert len(cache) == 2
    cache.set("c", "c")
    assert len(cache) == 1
    assert cache.get("c") == "c"
