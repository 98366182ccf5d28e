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

from tests.e2e.secrets import spellings, spilled
from waypost import observability, responses
from waypost.tokens.signer import Keyring
from waypost.web import app

Told: TypeAlias = Callable[..., Any]


class Watch:
    """Hears everything from ``install`` on; ``spilled`` is what should not have been said."""

    def __init__(self) -> None:
        self.heard = 0
        self.spilled: list[str] = []
        self._keys: set[str] = set()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put ears where each way of saying something begins."""
        self._over(patch, LambdaPowertoolsFormatter, "format", lambda line: line)
        self._over(patch, responses, "problem_body", json.dumps, echoes=True)
        self._over(patch, app, "_wrong", lambda answer: answer["body"], echoes=True)
        heard_metric = self._hearing(json.dumps, lambda line: line)
        patch.setattr(observability, "json", SimpleNamespace(dumps=heard_metric))
        learn, check = self.learn, Keyring.__post_init__

        def remembered(keyring: Keyring) -> None:
            check(keyring)
            learn(keyring)

        patch.setattr(Keyring, "__post_init__", remembered)

    def learn(self, keyring: Keyring) -> None:
        """Keys that nothing may say from now on."""
        for key in keyring.keys:
            self._keys |= spellings(key)

    def hear(self, text: str, *, echoes: bool = False) -> None:
        """Search what was said. What ``echoes`` names back to its caller what they asked for, who
        may be called by an e-mail address.
        """
        self.heard += 1
        found = spilled(text, self._keys)
        self.spilled += [each for each in found if not (echoes and each.startswith("person "))]

    def _over(
        self,
        patch: pytest.MonkeyPatch,
        place: Any,
        name: str,
        text: Told,
        *,
        echoes: bool = False,
    ) -> None:
        patch.setattr(place, name, self._hearing(getattr(place, name), text, echoes=echoes))

    def _hearing(self, told: Told, text: Told, *, echoes: bool = False) -> Told:
        def heard(*args: Any, **kwargs: Any) -> Any:
            answer = told(*args, **kwargs)
            self.hear(str(text(answer)), echoes=echoes)
            return answer

        return heard


WATCH = Watch()
