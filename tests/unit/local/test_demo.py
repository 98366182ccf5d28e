"""The demo ends without a traceback when it cannot continue."""

from __future__ import annotations

import pytest

from local.demo import __main__ as demo
from local.errors import StackError


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, ""),
        (StackError("no port is free"), 1, "the demo cannot run: no port is free\n"),
    ],
)
def test_an_interrupted_or_failed_demo_prints_no_traceback(
    error, status, message, monkeypatch, capsys
):
    def fail() -> None:
        raise error

    monkeypatch.setattr(demo, "EmbeddedStack", fail)
    assert demo.main() == status
    assert capsys.readouterr().err == message
