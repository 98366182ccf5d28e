import sys

import pytest
import rich.progress

from waypost.client.progress import ProgressBar


@pytest.fixture
def shown(monkeypatch):
    """Record the bars that are drawn."""
    started: list[rich.progress.Progress] = []
    monkeypatch.setattr(rich.progress.Progress, "start", lambda self: started.append(self))
    return started


def at(monkeypatch, *, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)


def test_no_bar_outside_a_terminal(monkeypatch, shown):
    at(monkeypatch, terminal=False)
    with ProgressBar(10, enabled=True) as bar:
        bar.show()
        bar.advance()
    assert shown == []


def test_no_bar_if_progress_is_disabled(monkeypatch, shown):
    at(monkeypatch, terminal=True)
    with ProgressBar(10, enabled=False) as bar:
        bar.show()
    assert shown == []


def test_no_bar_without_the_extra(monkeypatch, shown):
    at(monkeypatch, terminal=True)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with ProgressBar(10, enabled=True) as bar:
        bar.show()
        bar.advance()
    assert shown == []


def test_bar_includes_messages_from_before_it_was_shown(monkeypatch, shown):
    at(monkeypatch, terminal=True)
    with ProgressBar(10, enabled=True) as bar:
        bar.advance(3)
        bar.show()
        bar.show()
        bar.advance(2)
    (progress,) = shown
    (task,) = progress.tasks
    assert (task.completed, task.total) == (5, 10)


def test_bar_of_a_file_shows_the_bytes_read(monkeypatch, shown):
    at(monkeypatch, terminal=True)
    with ProgressBar(None, enabled=True, in_bytes=True) as bar:
        bar.update(30, 100)
        bar.show()
        bar.update(60, 100)
    (progress,) = shown
    (task,) = progress.tasks
    assert (task.completed, task.total) == (60, 100)
    assert any(isinstance(column, rich.progress.DownloadColumn) for column in progress.columns)
