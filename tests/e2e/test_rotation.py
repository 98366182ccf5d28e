"""Keys are rotated and retired by the operator's tool while a stack runs, each in its own process.

Which keys a warm function has when is told in tests/unit/test_keys.py, with a clock; here processes
end as Lambda ends them, and new ones read the keyring.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.conftest import Http
from waypost.keys import parse_keyring
from waypost.tokens import Keyring, Sealer

BROWSER = {"user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari"}


@pytest.fixture
def running(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(processes={"RedirectFunction": 1}) as stack:
        yield stack


class Operator:
    """Somebody at a shell, and a pipeline that sends."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self.stack, self.http = stack, http

    def keys(self, *command: str, status: int = 0) -> list[list[str]]:
        """The lines that the tool prints, word by word."""
        environment = {
            **os.environ,
            **self.stack.cloud.credentials(None),
            "AWS_ENDPOINT_URL": self.stack.cloud.url,
            "CAMPAIGNS_TABLE": self.stack.ref("CampaignsTable"),
        }
        secret = self.stack.ref("Keyring")
        run = subprocess.run(
            [sys.executable, "-m", "tools.keys", "--secret", secret, *command],
            cwd=TEMPLATE.parent, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == status, run.stderr
        return [line.split() for line in run.stdout.splitlines()]

    def send(self) -> str:
        """The path of a new message's link."""
        message = {
            "workspace": "keys",
            "campaign": "c",
            "from": "news@mail.example.com",
            "track_opens": False,
            "content": {"html": '<a href="https://example.com/a">a</a>'},
            "recipients": [{"delivery": "d", "person": "p", "data": {}}],
        }
        answer = self.http("POST", f"{self.stack.url}/v1/rewrite", body=message)
        assert answer.status == 200, answer
        (path,) = re.findall(r"/e/c/[\w-]+/[\w-]+", answer.body.decode())
        return str(path)

    def click(self, path: str) -> int:
        return self.http("GET", self.stack.url + path, BROWSER).status

    def keyring(self) -> Keyring:
        secrets: Any = self.stack.cloud.client("secretsmanager")
        told = secrets.get_secret_value(SecretId=self.stack.ref("Keyring"))
        return parse_keyring(told["SecretString"])


def test_a_rotated_key_signs_and_a_retired_one_no_longer_counts(
    running: EmbeddedStack, http: Http
) -> None:
    operator = Operator(running, http)
    before = operator.send()
    assert operator.click(before) == 302

    (old, _), (new, role) = operator.keys("add")
    assert role == "signs"
    running.recycle("RewriteFunction")
    after = operator.send()
    Sealer(Keyring(operator.keyring().keys[-1:])).open(after.removeprefix("/e/c/"))
    assert operator.click(after) == 302  # by the process that read the keys before the rotation
    assert operator.click(before) == 302

    operator.keys("retire", old, status=2)  # says what it would break, and does nothing
    assert operator.keys("retire", old, "--sure", old) == [[new, "signs"]]
    running.recycle("RedirectFunction")
    assert operator.click(after) == 302
    gone = http("GET", running.url + before, BROWSER)
    assert gone.status == 404
    assert "location" not in gone.headers
