"""A file on its way through the rewrite function, invocation by invocation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from waypost.client.progress import Bar
from waypost.client.types import Message
from waypost.client.writing import written

if TYPE_CHECKING:
    from waypost.rewrite_files.schemas import FileProgress, FileReport

SECONDS: Final = 30
"""How long one invocation works: often enough told how far it is, and over before anything between
here and there takes a silent connection for a dead one.
"""


def followed(
    call: Callable[[bytes], FileProgress | FileReport],
    message: Message | None,
    source: str,
    target: str,
    bar: Bar,
) -> FileReport:
    """Call until the work is done. Raises as ``call``."""
    body: dict[str, object] = {"input": source, "output": target, "seconds": SECONDS}
    if message is not None:
        body["message"] = message
    payload = written(body, "message")
    while True:
        answer = call(payload)
        if answer["done"]:
            return cast("FileReport", answer)
        bar.reach(answer["read"], answer["size"])
        bar.show()
