"""A source that has nothing is asked seldom, and soon where somebody wrote or waits."""

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
    """Has nothing, and notes when it was asked."""

    def __init__(self) -> None:
        super().__init__("source", StackLog(io.BytesIO()))
        self.polls = 0
        self.asked = threading.Condition()

    def poll(self) -> bool:
        with self.asked:
            self.polls += 1
            self.asked.notify_all()
        return True

    def reaches(self, polls: int) -> bool:
        with self.asked:
            return self.asked.wait_for(lambda: self.polls >= polls, 10)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """One that is asked once by itself, and again after an hour."""
    monkeypatch.setattr(poller, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(poller, "_IDLE_SECONDS", 3_600)
    monkeypatch.setattr(poller, "_PAUSE_FACTOR", 1_000_000)
    made = Source()
    made.start()
    yield made
    made.stop()
    made.join()


def test_where_there_is_nothing_it_is_asked_seldom(source: Source) -> None:
    assert source.reaches(1)
    time.sleep(0.2)
    assert source.polls == 1


def test_who_waits_has_it_asked_at_once(source: Source) -> None:
    assert source.reaches(1)
    assert source.wait_until_idle(time.monotonic() + 10)
    assert source.polls >= 2


def test_a_request_that_was_answered_or_not_has_it_asked_soon(source: Source) -> None:
    async def application(*_: object) -> None:
        raise ConnectionError("whoever asked is gone")

    assert source.reaches(1)
    with pytest.raises(ConnectionError):
        wake_after_requests(application, [source])({}, Mock(), Mock()).__await__().send(None)
    assert source.reaches(2)
