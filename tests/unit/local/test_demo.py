"""How the demo ends where it cannot go on."""

from __future__ import annotations

import pytest

from local.demo import __main__ as demo
from local.errors import StackError


@pytest.mark.parametrize(
    ("stopped", "status", "told"),
    [
        (KeyboardInterrupt(), 130, ""),
        (StackError("no port is free"), 1, "the demo cannot run: no port is free\n"),
    ],
)
def test_what_ends_the_demo_early_is_no_traceback(stopped, status, told, monkeypatch, capsys):
    def never() -> None:
        raise stopped

    monkeypatch.setattr(demo, "EmbeddedStack", never)
    assert demo.main() == status
    assert capsys.readouterr().err == told
