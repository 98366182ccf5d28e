"""Play the entries of docs/runbook.md about slow tables, late counts and 5xx responses."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, write_changed_template
from tests.e2e.role_policies import remove_statement
from tests.e2e.runbook_operator import Operator, runbook_entry, wait_until
from tests.e2e.sender import URLS, Sender
from tests.e2e.stopped_processes import stop_processes


class PausableProxy:
    """A TCP proxy on a local port that forwards nothing while ``open`` is not set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.destination: tuple[str, int] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections = contextlib.ExitStack()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        self.open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._connections.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                assert self.destination is not None
                server = socket.create_connection(self.destination)
                for source, target in ((client, server), (server, client)):
                    self._connections.callback(_end, source)
                    self._start(self._forward, source, target)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has given up
            while data := source.recv(65_536):
                self.open.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def _end(connection: socket.socket) -> None:
    """Close a connection so that blocked readers return as well."""
    with contextlib.suppress(OSError):  # the other side has closed it already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture
def proxy(socket_enabled: None) -> Iterator[PausableProxy]:
    proxy = PausableProxy()
    yield proxy
    proxy.close()


@runbook_entry("Redirect slow")
def test_slow_table_queues_clicks_and_every_recipient_is_redirected(
    tmp_path: Path, http: Http, proxy: PausableProxy, no_aws_settings: None
) -> None:
    variable = "          PARK_QUEUE_URL: "
    endpoint = f"          AWS_ENDPOINT_URL_DYNAMODB: http://127.0.0.1:{proxy.port}\n"
    template = write_changed_template(
        tmp_path, "  RedirectFunction:", variable, endpoint + variable
    )
    with EmbeddedStack(template) as stack:
        cloud = urlsplit(stack.cloud.url)
        proxy.destination = (str(cloud.hostname), int(cloud.port or 0))
        operator, sender = Operator(stack), Sender(stack, http, "slow")
        ((first, second, third),) = sender.send("ada")
        assert sender.click(first).headers["location"] == URLS[0]
        assert operator.count_metric('"ClickParked":1') == 0

        proxy.open.clear()
        assert sender.click(second).headers["location"] == URLS[1]
        assert operator.count_metric('"ClickParked":1') == 1
        assert wait_until(
            lambda: sender.count_clicks() == 2
        )  # the drain function does not use the proxy

        proxy.open.set()  # the delayed write happens too and is not counted twice
        assert sender.click(third).headers["location"] == URLS[2]
        assert wait_until(lambda: sender.count_clicks() == 3)
        assert operator.count_metric('"ClickParked":1') == 1


@runbook_entry("Tally late")
@pytest.mark.parametrize("lanes", ["1", "4"])
def test_stopped_tally_counts_all_clicks_after_it_resumes(
    http: Http, no_aws_settings: None, lanes: str
) -> None:
    with EmbeddedStack(parameters={"TallyLanes": lanes, "TallyWindow": "0"}) as stack:
        operator, sender = Operator(stack), Sender(stack, http, "late")
        ((before, *_), *later) = sender.send("ada", "ben", "cleo", "dora")
        sender.click(before)
        assert sender.count_clicks() == 1
        with stop_processes(stack, ["TallyFunction"]) as pids:
            assert len(pids) == len(stack._function_pools.pools["TallyFunction"].workers)
            for links in later:
                assert sender.click(links[0]).headers["location"] == URLS[0]
            assert len(operator.list_clicks("late")) == 4
            behind = sender.call_api("GET", "campaigns/late").json()
            assert behind["clicks"]["total"] == 1
        assert wait_until(lambda: sender.count_clicks() == 4)
        assert operator.count_metric('"ClicksGivenBack"') == 0
        assert "every counter is correct" in operator.run_tool("clicks", "recount", "e2e", "late")


@runbook_entry("Tracking API errors")
def test_denied_read_is_answered_with_503_and_logged(http: Http, no_aws_settings: None) -> None:
    with EmbeddedStack() as stack:
        operator, sender = Operator(stack), Sender(stack, http, "unread")
        short = stack.url + sender.send_text_message()
        ((link, *_),) = sender.send("ada")
        restore_tables = remove_statement(stack, "RedirectFunction", "ReadShortLinks")
        assert http("GET", short, {"user-agent": "x"}).status == 503
        assert operator.count_metric('"LookupFailed":1') == 1  # Short links unread
        assert "ServiceError: GetItem: AccessDeniedException" in stack.log_text()
        restore_tables()
        assert http("GET", short, {"user-agent": "x"}).status == 302

        restore_keys = remove_statement(stack, "RedirectFunction", "ReadKeyring")
        stack.recycle("RedirectFunction")
        assert sender.click(link).status == 503
        assert operator.count_metric('"KeyringStale":1') == 1  # Keyring stale
        assert "ServiceError: GetSecretValue: AccessDeniedException" in stack.log_text()
        restore_keys()
        assert wait_until(lambda: sender.click(link).status == 302)
