"""Search log lines, metrics, problems and error pages for secrets while tests run.

It covers all code in this process; tests/e2e searches the logs of embedded stacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from tests.leak_patterns import find_leaks, list_encodings
from waypost import observability, responses
from waypost.tokens.signer import Keyring
from waypost.web import app

AnyFunction: TypeAlias = Callable[..., Any]


class SecretLeakMonitor:
    """Collects in ``leaks`` the secrets that the code puts out after ``install``."""

    def __init__(self) -> None:
        self.output_count = 0
        self.leaks: list[str] = []
        self._keys: set[str] = set()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Wrap the functions that produce output."""
        self._wrap_attribute(patch, LambdaPowertoolsFormatter, "format", lambda line: line)
        self._wrap_attribute(patch, responses, "problem_body", json.dumps, echoes_input=True)
        self._wrap_attribute(
            patch, app, "_error_page", lambda answer: answer["body"], echoes_input=True
        )
        wrapped_dumps = self._wrap(json.dumps, lambda line: line)
        patch.setattr(observability, "json", SimpleNamespace(dumps=wrapped_dumps))
        add_keys, check = self.add_keys, Keyring.__post_init__

        def check_and_add(keyring: Keyring) -> None:
            check(keyring)
            add_keys(keyring)

        patch.setattr(Keyring, "__post_init__", check_and_add)

    def add_keys(self, keyring: Keyring) -> None:
        """Treat a keyring's keys as secrets from now on."""
        for key in keyring.keys:
            self._keys |= list_encodings(key)

    def check_output(self, text: str, *, echoes_input: bool = False) -> None:
        """Search a text for leaks.

        An output that ``echoes_input`` may repeat the requested person, who may be named by an
        e-mail address.
        """
        self.output_count += 1
        leaks = find_leaks(text, self._keys)
        self.leaks += [leak for leak in leaks if not (echoes_input and leak.startswith("person "))]

    def _wrap_attribute(
        self,
        patch: pytest.MonkeyPatch,
        target: Any,
        name: str,
        to_text: AnyFunction,
        *,
        echoes_input: bool = False,
    ) -> None:
        patch.setattr(
            target, name, self._wrap(getattr(target, name), to_text, echoes_input=echoes_input)
        )

    def _wrap(
        self, function: AnyFunction, to_text: AnyFunction, *, echoes_input: bool = False
    ) -> AnyFunction:
        def call_and_check(*args: Any, **kwargs: Any) -> Any:
            answer = function(*args, **kwargs)
            self.check_output(str(to_text(answer)), echoes_input=echoes_input)
            return answer

        return call_and_check


LEAK_MONITOR = SecretLeakMonitor()
