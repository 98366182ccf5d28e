"""Test that redirects continue while every process of all other functions is busy.

This is the state when their concurrency is exhausted. tests/trust/test_failing_services.py tests
slow and refusing services, tests/packaging/test_template.py the reserved concurrency.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from local.stack import EmbeddedStack
from tests.e2e.runbook_operator import wait_until
from tests.e2e.sender import URLS, Sender
from tests.e2e.stopped_processes import stop_processes


def test_redirects_continue_while_all_other_functions_are_stopped(
    stack: EmbeddedStack, sender: Sender
) -> None:
    people = [f"p{number}" for number in range(12)]
    links_by_person = sender.send(*people)
    assert sender.click(links_by_person[0][0]).status == 302
    sender.load_report()  # starts a process each for tally, API and rewriting
    others = set(stack._function_pools.pools) - {"RedirectFunction"}
    with ThreadPoolExecutor(4) as threads, stop_processes(stack, others) as pids:
        assert len(pids) >= 3
        waiting = [threads.submit(sender.send, "late") for _ in range(4)]
        for links in links_by_person[1:]:
            answer = sender.click(links[0])
            assert (answer.status, answer.headers["location"]) == (302, URLS[0])
        assert not any(each.done() and not each.exception() for each in waiting)
    assert wait_until(lambda: sender.load_report()["clicks"]["total"] == len(people))
