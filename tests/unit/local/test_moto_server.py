"""moto serves one request at a time, and its memory does not grow with polling."""

from __future__ import annotations

import threading
import time

from local.moto_server import BoundedDict, SerialRequests


def test_requests_never_overlap_and_bodies_are_whole():
    running, maximum = 0, 0

    def application(environ, start_response):
        nonlocal running, maximum
        running += 1
        maximum = max(maximum, running)
        time.sleep(0.01)
        yield b"a"
        yield b"b"
        running -= 1

    serial = SerialRequests(application)
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.extend(serial({}, lambda *_: lambda _: None)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"ab"] * 5
    assert maximum == 1


def test_a_bounded_dict_drops_its_oldest_entries():
    recent: BoundedDict[int, str] = BoundedDict()
    for number in range(1_500):
        recent[number] = "x"
    assert len(recent) == 1_000
    assert 499 not in recent
    assert 500 in recent
