"""Show a progress bar on standard error, at a terminal and with the extra ``waypost[progress]``.

The bar appears only if a message takes more than one call.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


class ProgressBar:
    """A context manager for the bar, which is invisible before ``show`` and outside a terminal.

    ``total`` counts messages, or bytes of a file (``in_bytes``); None if it is unknown.
    """

    def __init__(self, total: int | None, *, enabled: bool, in_bytes: bool = False) -> None:
        self._total = total
        self._is_enabled = enabled and sys.stderr.isatty()
        self._in_bytes = in_bytes
        self._done = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self) -> None:
        """Show the bar if it is enabled and not visible yet."""
        if not self._is_enabled or self._progress is not None:
            return
        try:
            from rich.console import Console
            from rich.progress import (
                DownloadColumn,
                MofNCompleteColumn,
                Progress,
                TimeRemainingColumn,
            )
        except ModuleNotFoundError:
            self._is_enabled = False
            return
        amount: ProgressColumn = DownloadColumn() if self._in_bytes else MofNCompleteColumn()
        columns = (*Progress.get_default_columns()[:2], amount, TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("Messages", total=self._total, completed=self._done)
        self._progress.start()

    def advance(self, messages: int = 1) -> None:
        """Add messages that were delivered or failed."""
        self._done += messages
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, messages)

    def update(self, done: int, total: int) -> None:
        """Set the amount done and the total."""
        self._done, self._total = done, total
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)
