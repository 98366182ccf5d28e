"""The watch that conftest.py puts over every test hears what our code says, and knows secrets."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from aws_lambda_powertools.logging import Logger

from tests.e2e.secrets import spellings, spilled
from tests.watching import Watch
from waypost.errors import NotFound, UnsafeDestination
from waypost.observability import Metric, count
from waypost.responses import problem
from waypost.tokens import Keyring
from waypost.web.app import Visits

ADDRESS = "203.0.113.77"
KEY = bytes(range(7, 39))


@pytest.fixture
def ears(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A watch of its own; the one over every test is told to forget what it heard here."""
    made = Watch()
    made.install(monkeypatch)
    yield made
    watch.spilled.clear()


def log_line(text: str) -> None:
    Logger(service=f"watched {text}", stream=StringIO()).warning("x", extra={"value": text})


def log_trace(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        Logger(service=f"trace {text}", stream=StringIO()).exception("broke")


def metric(text: str) -> None:
    count(Metric.TOKEN_REFUSED, reason=text, stream=StringIO())


def told_problem(text: str) -> None:
    problem(UnsafeDestination(text, "is not allowed"))


def told_page(text: str) -> None:
    nothing = Visits.__new__(Visits)
    nothing.answer({"pathParameters": {"page": text}})


@pytest.mark.parametrize("say", [log_line, log_trace, metric, told_problem, told_page])
def test_every_way_of_saying_something_is_heard(ears: Watch, say: Callable[[str], None]) -> None:
    say("harmless")
    assert ears.heard > 0
    assert ears.spilled == []
    say(ADDRESS)
    assert ears.spilled
    assert ADDRESS in ears.spilled[0]


def test_a_key_that_any_keyring_holds_is_known_from_then_on(ears: Watch) -> None:
    text = urlsafe_b64encode(KEY).decode()
    log_line(text)
    assert ears.spilled == []
    Keyring((KEY,))
    log_line(text)
    assert len(ears.spilled) == 1


def test_who_asked_for_a_person_may_be_told_that_there_is_none(ears: Watch) -> None:
    problem(NotFound("person", "ada@people.example"))
    assert ears.spilled == []
    log_line("no person ada@people.example")
    assert len(ears.spilled) == 1


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"x", b"yz", b'{"key": "'])
@pytest.mark.parametrize("after", [b"", b"x", b"yz"])
def test_a_key_is_found_in_whatever_it_is_encoded_with(
    encode: Callable[[bytes], bytes], before: bytes, after: bytes
) -> None:
    text = encode(before + KEY + after).decode()
    assert list(spilled(f"a {text} b", spellings(KEY)))
    assert list(spilled(f"a {KEY.hex()} b", spellings(urlsafe_b64encode(KEY).decode())))
