"""The leak monitor of tests/conftest.py reads every output of the code, and knows all secrets."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from aws_lambda_powertools.logging import Logger

from tests.leak_monitor import SecretLeakMonitor
from tests.leak_patterns import find_leaks, list_encodings
from waypost.errors import NotFound, UnsafeDestination
from waypost.observability import Metric, emit_metric
from waypost.responses import problem_response
from waypost.tokens import Keyring
from waypost.web.app import PageService

ADDRESS = "203.0.113.77"
KEY = bytes(range(7, 39))


@pytest.fixture
def monitor(
    leak_monitor: SecretLeakMonitor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SecretLeakMonitor]:
    """A second monitor; the one of all tests forgets the leaks found here."""
    own_monitor = SecretLeakMonitor()
    own_monitor.install(monkeypatch)
    yield own_monitor
    leak_monitor.leaks.clear()


def log_line(text: str) -> None:
    Logger(service=f"watched {text}", stream=StringIO()).warning("x", extra={"value": text})


def log_trace(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        Logger(service=f"trace {text}", stream=StringIO()).exception("broke")


def metric(text: str) -> None:
    emit_metric(Metric.TOKEN_REFUSED, reason=text, stream=StringIO())


def problem(text: str) -> None:
    problem_response(UnsafeDestination(text, "is not allowed"))


def error_page(text: str) -> None:
    nothing = PageService.__new__(PageService)
    nothing.handle_request({"pathParameters": {"page": text}})


@pytest.mark.parametrize("output", [log_line, log_trace, metric, problem, error_page])
def test_leak_is_found_in_every_output(
    monitor: SecretLeakMonitor, output: Callable[[str], None]
) -> None:
    output("harmless")
    assert monitor.output_count > 0
    assert monitor.leaks == []
    output(ADDRESS)
    assert monitor.leaks
    assert ADDRESS in monitor.leaks[0]


def test_key_of_a_loaded_keyring_is_watched(monitor: SecretLeakMonitor) -> None:
    text = urlsafe_b64encode(KEY).decode()
    log_line(text)
    assert monitor.leaks == []
    Keyring((KEY,))
    log_line(text)
    assert len(monitor.leaks) == 1


def test_not_found_error_may_name_the_requested_person(monitor: SecretLeakMonitor) -> None:
    problem_response(NotFound("person", "ada@people.example"))
    assert monitor.leaks == []
    log_line("no person ada@people.example")
    assert len(monitor.leaks) == 1


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"x", b"yz", b'{"key": "'])
@pytest.mark.parametrize("after", [b"", b"x", b"yz"])
def test_key_is_found_in_every_encoding(
    encode: Callable[[bytes], bytes], before: bytes, after: bytes
) -> None:
    text = encode(before + KEY + after).decode()
    assert list(find_leaks(f"a {text} b", list_encodings(KEY)))
    assert list(find_leaks(f"a {KEY.hex()} b", list_encodings(urlsafe_b64encode(KEY).decode())))
