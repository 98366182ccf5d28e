"""What docs/runbook.md says about slow tables, late figures and 5xx, on stacks that have it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, write_changed_template
from tests.e2e.runbook_operator import Operator, count_clicks, entry, wait_until
from tests.e2e.test_click_tracking import URLS, Sender
from tests.e2e.test_runbook_tables import denied, text_message


class SlowRoad:
    """A port that leads to another one, and on which nothing moves while ``open`` is not set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.destination: tuple[str, int] | None = None
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._held = contextlib.ExitStack()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        self.open.set()
        self._door.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._held.close()
        for thread in self._threads:
            thread.join()
        self._door.close()

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the door was closed
            while True:
                near, _ = self._door.accept()
                assert self.destination is not None
                far = socket.create_connection(self.destination)
                for here, there in ((near, far), (far, near)):
                    self._held.callback(_end, here)
                    self._start(self._carry, here, there)

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):  # whoever gave up waiting is gone
            while data := here.recv(65_536):
                self.open.wait()
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)


def _end(connection: socket.socket) -> None:
    """Ends it for whoever still reads from it, too."""
    with contextlib.suppress(OSError):  # the other end has gone already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture
def road(socket_enabled: None) -> Iterator[SlowRoad]:
    road = SlowRoad()
    yield road
    road.close()


@entry("Redirect slow")
def test_slow_table_queues_clicks_and_every_recipient_is_redirected(
    tmp_path: Path, http: Http, road: SlowRoad, no_aws_settings: None
) -> None:
    variable = "          PARK_QUEUE_URL: "
    endpoint = f"          AWS_ENDPOINT_URL_DYNAMODB: http://127.0.0.1:{road.port}\n"
    template = write_changed_template(
        tmp_path, "  RedirectFunction:", variable, endpoint + variable
    )
    with EmbeddedStack(template) as stack:
        cloud = urlsplit(stack.cloud.url)
        road.destination = (str(cloud.hostname), int(cloud.port or 0))
        desk, sender = Operator(stack), Sender(stack, http, "slow")
        ((first, second, third),) = sender.send("ada")
        assert sender.click(first).headers["location"] == URLS[0]
        assert desk.count_metric('"ClickParked":1') == 0

        road.open.clear()
        assert sender.click(second).headers["location"] == URLS[1]
        assert desk.count_metric('"ClickParked":1') == 1
        assert wait_until(lambda: count_clicks(sender) == 2)  # the drain's own road is not slow

        road.open.set()  # what was slow gets done as well, and counts no second time
        assert sender.click(third).headers["location"] == URLS[2]
        assert wait_until(lambda: count_clicks(sender) == 3)
        assert desk.count_metric('"ClickParked":1') == 1


@contextmanager
def held(stack: EmbeddedStack, function: str) -> Iterator[None]:
    """The processes of a function do nothing, and it gets no others."""
    workers = stack._function_pools.pools[function].workers
    pids = [each._process.pid for each in workers if each.is_alive and each._process is not None]
    assert len(pids) == len(workers)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@entry("Tally late")
@pytest.mark.parametrize("lanes", ["1", "4"])
def test_stopped_tally_counts_all_clicks_after_it_resumes(
    http: Http, no_aws_settings: None, lanes: str
) -> None:
    with EmbeddedStack(parameters={"TallyLanes": lanes, "TallyWindow": "0"}) as stack:
        desk, sender = Operator(stack), Sender(stack, http, "late")
        ((before, *_), *later) = sender.send("ada", "ben", "cleo", "dora")
        sender.click(before)
        assert count_clicks(sender) == 1
        with held(stack, "TallyFunction"):
            for links in later:
                assert sender.click(links[0]).headers["location"] == URLS[0]
            assert len(desk.list_clicks("late")) == 4
            behind = sender.call("GET", "campaigns/late").json()
            assert behind["clicks"]["total"] == 1
        assert wait_until(lambda: count_clicks(sender) == 4)
        assert desk.count_metric('"ClicksGivenBack"') == 0
        assert "every counter is correct" in desk.run_tool("clicks", "recount", "e2e", "late")


@entry("Tracking API errors")
def test_denied_read_is_answered_with_503_and_logged(http: Http, no_aws_settings: None) -> None:
    with EmbeddedStack() as stack:
        desk, sender = Operator(stack), Sender(stack, http, "unread")
        short = stack.url + text_message(sender)
        ((link, *_),) = sender.send("ada")
        read_again = denied(stack, "RedirectFunction", "ReadShortLinks")
        assert http("GET", short, {"user-agent": "x"}).status == 503
        assert desk.count_metric('"LookupFailed":1') == 1  # Short links unread
        assert "ServiceError: GetItem: AccessDeniedException" in stack.log_text()
        read_again()
        assert http("GET", short, {"user-agent": "x"}).status == 302

        keys_again = denied(stack, "RedirectFunction", "ReadKeyring")
        stack.recycle("RedirectFunction")
        assert sender.click(link).status == 503
        assert desk.count_metric('"KeyringStale":1') == 1  # Keyring stale
        assert "ServiceError: GetSecretValue: AccessDeniedException" in stack.log_text()
        keys_again()
        assert wait_until(lambda: sender.click(link).status == 302)
