"""The client: one rewrite function, and what it can be asked for.

A file on its way through the rewrite function, invocation by invocation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Final, cast

from waypost.client.batches import encode_json
from waypost.client.invoke import Invoker, call_rewrite, call_rewrite_file
from waypost.client.progress import ProgressBar
from waypost.client.results import RewriteResults
from waypost.client.types import Message, Recipient

if TYPE_CHECKING:
    from waypost.rewrite.service import RewriteResponse
    from waypost.rewrite_files.schemas import FileProgress, FileReport


INVOCATION_SECONDS: Final = 30
"""How long one invocation works: often enough told how far it is, and over before anything between
here and there takes a silent connection for a dead one.
"""


def run_file_job(
    call: Callable[[bytes], FileProgress | FileReport],
    message: Message | None,
    source: str,
    target: str,
    bar: ProgressBar,
) -> FileReport:
    """Call until the work is done. Raises as ``call``."""
    body: dict[str, object] = {"input": source, "output": target, "seconds": INVOCATION_SECONDS}
    if message is not None:
        body["message"] = message
    payload = encode_json(body, "message")
    while True:
        answer = call(payload)
        if answer["done"]:
            return cast("FileReport", answer)
        bar.update(answer["read"], answer["size"])
        bar.show()


READ_TIMEOUT_SECONDS: Final = 300
"""How long an answer is waited for. A batch takes seconds, work on a file half a minute and a part
of the output; and after 350 seconds networks of AWS forget a silent connection.
"""


class Client:
    """Calls one rewrite function, by name or ARN, best with its alias: ``waypost-us-rewrite:live``.

    ``invoker`` is a Lambda client of boto3; without one, one is made from the usual settings.
    Several threads may use one client. ``sleep`` is called between attempts, with seconds.
    """

    def __init__(
        self,
        function: str,
        invoker: Invoker | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._function = function
        self._invoker = invoker or _create_lambda_client()
        self._sleep = sleep

    def rewrite(
        self, message: Message, recipients: Iterable[Recipient], *, progress: bool = True
    ) -> RewriteResults:
        """Rewrite a message for any number of recipients; nothing is called before the answer
        is iterated over. Deliveries must differ: the function only sees those of one batch.
        A recipient that is refused ends nothing: it is in ``failed``, with its field.

        With an ``idempotency_key``, the same call made again counts no delivery twice.

        :raises TooLarge: when the message leaves no room in a payload; while iterating, when the
            function finds it too large.
        :raises InvalidRequest: of the message, while iterating, with each field and reason.
        :raises CallFailed: while iterating, when the function cannot be reached or gives up.
        """
        total = len(recipients) if isinstance(recipients, Sized) else None
        return RewriteResults(message, recipients, self._call, ProgressBar(total, enabled=progress))

    def rewrite_file(
        self,
        message: Message | None = None,
        *,
        input: str,  # noqa: A002  as the body has it
        output: str,
        progress: bool = True,
    ) -> FileReport:
        """Rewrite a message for the recipients of a file in S3, one a line; without ``message``
        it is the first line. Returns when the whole output is there, with the report of it.

        Whatever ends this, the same call made again goes on where it stopped, and after the end
        gives the report again.

        :raises TooLarge: when the message is.
        :raises InvalidRequest: with each field and reason.
        :raises CallFailed: when the function cannot be reached or gives up, and when the output
            exists already or another call works on it (status 409).
        """
        with ProgressBar(None, enabled=progress, in_bytes=True) as bar:
            return run_file_job(self._call_file, message, input, output, bar)

    def _call(self, payload: bytes, indexes: Sequence[int]) -> RewriteResponse:
        return call_rewrite(self._invoker, self._function, payload, indexes, self._sleep)

    def _call_file(self, payload: bytes) -> FileProgress | FileReport:
        return call_rewrite_file(self._invoker, self._function, payload, self._sleep)


def _create_lambda_client() -> Invoker:
    import boto3
    from botocore.config import Config

    # One attempt here: what is tried again, and how often, is decided in ``calling``.
    config = Config(
        read_timeout=READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1}, tcp_keepalive=True
    )
    return cast("Invoker", boto3.client("lambda", config=config))
