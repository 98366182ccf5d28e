"""Test that the key tool rotates and retires keys while a stack runs.

tests/unit/tokens/test_keyring_source.py tests, with a clock, when a warm function reads keys. Here
the tests end processes instead, and write earlier times into the keyring instead of waiting.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.tool_runner import run_tool
from waypost.errors import BadSignature
from waypost.tokens import Keyring, TokenSealer
from waypost.tokens.keyring import MIN_RELOAD_INTERVAL_SECONDS, KeySchedule, SigningKey

BROWSER = {"user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari"}


@pytest.fixture
def running(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(processes={"RedirectFunction": 1}) as stack:
        yield stack


class KeyOperator:
    """An operator of the key tool who also sends and clicks links."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self.stack, self.http = stack, http

    def keys(self, *command: str, status: int = 0) -> list[list[str]]:
        """Run the key tool and return the words of each line of its output."""
        environment = {
            **os.environ,
            **self.stack.cloud.get_credentials(None),
            "AWS_ENDPOINT_URL": self.stack.cloud.url,
            "CAMPAIGNS_TABLE": self.stack.ref("CampaignsTable"),
        }
        secret = self.stack.ref("Keyring")
        command_result = run_tool("keys", "--secret", secret, *command, environment=environment)
        assert command_result.returncode == status, command_result.stderr
        return [line.split() for line in command_result.stdout.splitlines()]

    def send(self) -> str:
        """Rewrite a message and return the path of its link."""
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

    @property
    def key_schedule(self) -> KeySchedule:
        answer = self._secrets.get_secret_value(SecretId=self.stack.ref("Keyring"))
        return KeySchedule.parse(answer["SecretString"])

    def activate_keys(self) -> None:
        """Write an earlier time into every key, as if it had been added long ago."""
        keys = KeySchedule(
            tuple(SigningKey(key.secret, key.signs_from and 1) for key in self.key_schedule.keys)
        )
        self._secrets.put_secret_value(
            SecretId=self.stack.ref("Keyring"), SecretString=keys.to_json()
        )

    @property
    def _secrets(self) -> Any:
        return self.stack.cloud.client("secretsmanager")


def is_signed_by(path: str, key: bytes) -> bool:
    """Return True if the key signed the link."""
    try:
        TokenSealer(Keyring((key,))).open(path.removeprefix("/e/c/"))
    except BadSignature:
        return False
    return True


def test_new_key_signs_only_after_every_process_has_read_it(
    running: EmbeddedStack, http: Http
) -> None:
    operator = KeyOperator(running, http)
    operator.keys("add")
    old, new = (key.secret for key in operator.key_schedule.keys)
    running.recycle("RewriteFunction")
    early = operator.send()
    assert is_signed_by(early, old)
    assert operator.click(early) == 302

    running.recycle("RedirectFunction")  # starts a process that reads the new key
    assert operator.click(early[:-4] + "AAAA") == 404  # and uses up its early reload
    operator.activate_keys()
    running.recycle("RewriteFunction")
    late = operator.send()
    assert is_signed_by(late, new)
    assert operator.click(late) == 302
    assert operator.click(early) == 302


def test_key_that_signs_at_once_is_unknown_until_the_reload_interval_after_a_forged_link(
    running: EmbeddedStack, http: Http
) -> None:
    operator = KeyOperator(running, http)
    before = operator.send()
    assert operator.click(before) == 302
    assert operator.click(before[:-4] + "AAAA") == 404  # uses up the early reload of the process
    forged_at = time.monotonic()
    operator.keys("add", "--now")
    running.recycle("RewriteFunction")
    after = operator.send()
    refused = operator.click(after) == 404
    assert (
        refused or time.monotonic() - forged_at > MIN_RELOAD_INTERVAL_SECONDS
    )  # the interval was over on a slow machine
    running.recycle("RedirectFunction")
    assert operator.click(after) == 302


def test_warm_process_reads_a_key_that_signs_at_once_and_a_retired_key_is_refused(
    running: EmbeddedStack, http: Http
) -> None:
    operator = KeyOperator(running, http)
    before = operator.send()
    assert operator.click(before) == 302

    (old, _), (new, role) = operator.keys("add", "--now")
    assert role == "signs"
    running.recycle("RewriteFunction")
    after = operator.send()
    assert is_signed_by(after, operator.key_schedule.keys[-1].secret)
    assert operator.click(after) == 302  # the process started before the rotation
    assert operator.click(before) == 302

    operator.keys("retire", old, status=2)  # only lists the links that it would break
    assert operator.keys("retire", old, "--sure", old) == [[new, "signs"]]
    running.recycle("RedirectFunction")
    assert operator.click(after) == 302
    gone = http("GET", running.url + before, BROWSER)
    assert gone.status == 404
    assert "location" not in gone.headers
