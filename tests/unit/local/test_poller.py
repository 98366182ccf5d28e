"""An idle source is polled rarely, and soon after a write or when a thread waits."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from local import poller
from local.event_sources import wake_after_requests
from local.poller import Poller
from local.processes import StackLog


class Source(Poller):
    """An empty source that counts its polls."""

    def __init__(self) -> None:
        super().__init__("source", StackLog(io.BytesIO()))
        self.polls = 0
        self.polled = threading.Condition()

    def poll(self) -> bool:
        with self.polled:
            self.polls += 1
            self.polled.notify_all()
        return True

    def wait_for_polls(self, polls: int) -> bool:
        with self.polled:
            return self.polled.wait_for(lambda: self.polls >= polls, 10)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A source that is polled once, and again after an hour unless it is woken."""
    monkeypatch.setattr(poller, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(poller, "_IDLE_SECONDS", 3_600)
    monkeypatch.setattr(poller, "_PAUSE_FACTOR", 1_000_000)
    source = Source()
    source.start()
    yield source
    source.stop()
    source.join()


def test_an_empty_source_is_polled_rarely(source: Source) -> None:
    assert source.wait_for_polls(1)
    time.sleep(0.2)
    assert source.polls == 1


def test_a_waiting_thread_causes_a_poll_at_once(source: Source) -> None:
    assert source.wait_for_polls(1)
    assert source.wait_until_idle(time.monotonic() + 10)
    assert source.polls >= 2


def test_a_failed_request_causes_a_poll_soon(source: Source) -> None:
    async def application(*_: object) -> None:
        raise ConnectionError("the client disconnected")

    assert source.wait_for_polls(1)
    with pytest.raises(ConnectionError):
        wake_after_requests(application, [source])({}, Mock(), Mock()).__await__().send(None)
    assert source.wait_for_polls(2)
