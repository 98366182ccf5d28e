"""What stands around moto: one request at a time, and memory that does not grow with polling."""

from __future__ import annotations

import threading
import time

from local.moto_server import BoundedDict, SerialRequests


def test_requests_never_overlap_and_bodies_are_whole():
    running, most = 0, 0

    def application(environ, start_response):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        yield b"a"
        yield b"b"
        running -= 1

    served = SerialRequests(application)
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.extend(served({}, lambda *_: lambda _: None)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"ab"] * 5
    assert most == 1


def test_only_the_latest_entries_are_kept():
    recent: BoundedDict[int, str] = BoundedDict()
    for number in range(1_500):
        recent[number] = "x"
    assert len(recent) == 1_000
    assert 499 not in recent
    assert 500 in recent
