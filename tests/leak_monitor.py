"""Listens to whatever our code says while tests run: log lines, metrics, problems and error pages.

The log of the embedded stack is searched by tests/e2e; here it is everything that runs in this
process, in every tier. What tests put in plays no part, only what our code makes of it.
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
    """Hears everything from ``install`` on; ``spilled`` is what should not have been said."""

    def __init__(self) -> None:
        self.output_count = 0
        self.leaks: list[str] = []
        self._keys: set[str] = set()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put ears where each way of saying something begins."""
        self._wrap_attribute(patch, LambdaPowertoolsFormatter, "format", lambda line: line)
        self._wrap_attribute(patch, responses, "problem_body", json.dumps, echoes_input=True)
        self._wrap_attribute(
            patch, app, "_error_page", lambda answer: answer["body"], echoes_input=True
        )
        heard_metric = self._wrap(json.dumps, lambda line: line)
        patch.setattr(observability, "json", SimpleNamespace(dumps=heard_metric))
        learn, check = self.add_keys, Keyring.__post_init__

        def remembered(keyring: Keyring) -> None:
            check(keyring)
            learn(keyring)

        patch.setattr(Keyring, "__post_init__", remembered)

    def add_keys(self, keyring: Keyring) -> None:
        """Keys that nothing may say from now on."""
        for key in keyring.keys:
            self._keys |= list_encodings(key)

    def check_output(self, text: str, *, echoes_input: bool = False) -> None:
        """Search what was said. What ``echoes`` names back to its caller what they asked for, who
        may be called by an e-mail address.
        """
        self.output_count += 1
        found = find_leaks(text, self._keys)
        self.leaks += [each for each in found if not (echoes_input and each.startswith("person "))]

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
        def heard(*args: Any, **kwargs: Any) -> Any:
            answer = function(*args, **kwargs)
            self.check_output(str(to_text(answer)), echoes_input=echoes_input)
            return answer

        return heard


LEAK_MONITOR = SecretLeakMonitor()
