"""The client of one rewrite function: for a list of recipients, or for a file of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sized
from typing import TYPE_CHECKING, Final, cast

from waypost.client.batches import encode_json
from waypost.client.invoke import Invoker, RewriteFunction
from waypost.client.progress import ProgressBar
from waypost.client.results import RewriteResults
from waypost.client.types import Message, Recipient

if TYPE_CHECKING:
    from waypost.rewrite_files.schemas import FileReport

INVOCATION_SECONDS: Final = 30
"""Seconds that one invocation works on a file: short enough for frequent progress, and for networks
that drop a silent connection.
"""
READ_TIMEOUT_SECONDS: Final = 300
"""Seconds to wait for a response. A batch takes seconds, an invocation for a file 30 s and a part
of the output; AWS networks drop a silent connection after 350 s.
"""


class Client:
    """Calls one rewrite function, by name or ARN, best with its alias: ``waypost-us-rewrite:live``.

    ``invoker`` is a Lambda client of boto3, created from the usual settings by default. Threads may
    share a client. ``sleep`` is called between attempts, with seconds.
    """

    def __init__(
        self,
        function: str,
        invoker: Invoker | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._function = RewriteFunction(function, invoker or _create_lambda_client(), sleep)

    def rewrite(
        self, message: Message, recipients: Iterable[Recipient], *, progress: bool = True
    ) -> RewriteResults:
        """Rewrite a message for any number of recipients; calls are made while iterating.

        Deliveries must be unique: the function checks only those of one batch. A recipient that is
        refused stops nothing and appears in ``failed``. With an ``idempotency_key``, a second call
        with the same message and recipients counts no delivery twice.

        :raises TooLarge: if the message leaves no space in a payload, or, while iterating, if the
            function finds it too large.
        :raises InvalidRequest: while iterating, with each invalid field of the message.
        :raises CallFailed: while iterating, if the function cannot be reached or keeps failing.
        """
        total = len(recipients) if isinstance(recipients, Sized) else None
        bar = ProgressBar(total, enabled=progress)
        return RewriteResults(message, recipients, self._function.rewrite, bar)

    def rewrite_file(
        self,
        message: Message | None = None,
        *,
        input: str,  # noqa: A002  as in the request
        output: str,
        progress: bool = True,
    ) -> FileReport:
        """Rewrite a message for a file in S3 with a recipient per line; return when it is complete.

        Without ``message``, the file's first line is the message. After any failure, the same call
        continues the work; once the output is complete, it returns the report again.

        :raises TooLarge: if the message exceeds a limit.
        :raises InvalidRequest: with each invalid field.
        :raises CallFailed: if the function cannot be reached or keeps failing; with status 409 if
            the output exists already or another call works on it.
        """
        request: dict[str, object] = {
            "input": input,
            "output": output,
            "seconds": INVOCATION_SECONDS,
        }
        if message is not None:
            request["message"] = message
        payload = encode_json(request, "message")
        with ProgressBar(None, enabled=progress, in_bytes=True) as bar:
            while not (response := self._function.rewrite_file(payload))["done"]:
                bar.update(response["read"], response["size"])
                bar.show()
        return cast("FileReport", response)


def _create_lambda_client() -> Invoker:
    import boto3
    from botocore.config import Config

    # A single attempt: ``RewriteFunction`` retries.
    config = Config(
        read_timeout=READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1}, tcp_keepalive=True
    )
    return cast("Invoker", boto3.client("lambda", config=config))
