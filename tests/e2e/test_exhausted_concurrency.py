"""With every process of all other functions taken, as when their concurrency is exhausted,
redirects go on, and what they kept is counted afterwards. Slow and refusing services are in
tests/trust/test_failing_services.py; what a stack reserves for whom is in tests/packaging.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.runbook_operator import wait_until
from tests.e2e.test_click_tracking import URLS, Sender


@pytest.fixture
def sender(stack: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return Sender(stack, http, request.node.name.replace("_", "-")[:60])


@contextmanager
def taken(stack: EmbeddedStack) -> Iterator[list[int]]:
    """No process of any function but the redirect goes on; those that run are stopped."""
    others = [
        pool for name, pool in stack._function_pools.pools.items() if name != "RedirectFunction"
    ]
    workers = [worker for pool in others for worker in pool.workers if worker.is_alive]
    pids = [worker._process.pid for worker in workers if worker._process is not None]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_redirects_continue_while_all_other_functions_are_stopped(
    stack: EmbeddedStack, sender: Sender
) -> None:
    people = [f"p{number}" for number in range(12)]
    sent = sender.send(*people)
    assert sender.click(sent[0][0]).status == 302
    sender.report()  # now the tally, the API and rewriting have a process each
    with ThreadPoolExecutor(4) as threads, taken(stack) as stopped:
        assert len(stopped) >= 3
        waiting = [threads.submit(sender.send, "late") for _ in range(4)]
        for links in sent[1:]:
            answer = sender.click(links[0])
            assert (answer.status, answer.headers["location"]) == (302, URLS[0])
        assert not any(each.done() and not each.exception() for each in waiting)  # none got through
    assert wait_until(lambda: sender.report()["clicks"]["total"] == len(people))
