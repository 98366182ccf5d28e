"""Keys are rotated and retired by the operator's tool while a stack runs, each in its own process.

tests/unit/tokens/test_keyring_source.py tests, with a clock, which keys a warm function has. Here
processes have read the keyring when they have, and end as Lambda ends them; that the time has come
from which a key signs is played by writing an earlier one.
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


class Operator:
    """Somebody at a shell, and a pipeline that sends."""

    def __init__(self, stack: EmbeddedStack, http: Http) -> None:
        self.stack, self.http = stack, http

    def keys(self, *command: str, status: int = 0) -> list[list[str]]:
        """The lines that the tool prints, word by word."""
        environment = {
            **os.environ,
            **self.stack.cloud.get_credentials(None),
            "AWS_ENDPOINT_URL": self.stack.cloud.url,
            "CAMPAIGNS_TABLE": self.stack.ref("CampaignsTable"),
        }
        secret = self.stack.ref("Keyring")
        ran = run_tool("keys", "--secret", secret, *command, environment=environment)
        assert ran.returncode == status, ran.stderr
        return [line.split() for line in ran.stdout.splitlines()]

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

    @property
    def listed(self) -> KeySchedule:
        told = self._secrets.get_secret_value(SecretId=self.stack.ref("Keyring"))
        return KeySchedule.parse(told["SecretString"])

    def let_the_time_come(self) -> None:
        """As if every key had been added long ago."""
        keys = KeySchedule(
            tuple(SigningKey(key.secret, key.signs_from and 1) for key in self.listed.keys)
        )
        self._secrets.put_secret_value(
            SecretId=self.stack.ref("Keyring"), SecretString=keys.to_json()
        )

    @property
    def _secrets(self) -> Any:
        return self.stack.cloud.client("secretsmanager")


def signed_by(path: str, key: bytes) -> bool:
    """Whether a link was signed with a key."""
    try:
        TokenSealer(Keyring((key,))).open(path.removeprefix("/e/c/"))
    except BadSignature:
        return False
    return True


def test_new_key_signs_only_after_every_process_has_read_it(
    running: EmbeddedStack, http: Http
) -> None:
    operator = Operator(running, http)
    operator.keys("add")
    old, new = (key.secret for key in operator.listed.keys)
    running.recycle("RewriteFunction")
    early = operator.send()
    assert signed_by(early, old)
    assert operator.click(early) == 302

    running.recycle("RedirectFunction")  # it reads the new key, as others do in time,
    assert operator.click(early[:-4] + "AAAA") == 404  # and may read no key early after this
    operator.let_the_time_come()
    running.recycle("RewriteFunction")
    late = operator.send()
    assert signed_by(late, new)
    assert operator.click(late) == 302
    assert operator.click(early) == 302


def test_key_that_signs_at_once_is_unknown_until_the_reload_interval_after_a_forged_link(
    running: EmbeddedStack, http: Http
) -> None:
    operator = Operator(running, http)
    before = operator.send()
    assert operator.click(before) == 302
    assert operator.click(before[:-4] + "AAAA") == 404  # the process has read its keys early
    forged_at = time.monotonic()
    operator.keys("add", "--now")
    running.recycle("RewriteFunction")
    after = operator.send()
    refused = operator.click(after) == 404
    assert (
        refused or time.monotonic() - forged_at > MIN_RELOAD_INTERVAL_SECONDS
    )  # a slow machine was too late
    running.recycle("RedirectFunction")
    assert operator.click(after) == 302


def test_warm_process_reads_a_key_that_signs_at_once_and_a_retired_key_is_refused(
    running: EmbeddedStack, http: Http
) -> None:
    operator = Operator(running, http)
    before = operator.send()
    assert operator.click(before) == 302

    (old, _), (new, role) = operator.keys("add", "--now")
    assert role == "signs"
    running.recycle("RewriteFunction")
    after = operator.send()
    assert signed_by(after, operator.listed.keys[-1].secret)
    assert operator.click(after) == 302  # by the process that read the keys before the rotation
    assert operator.click(before) == 302

    operator.keys("retire", old, status=2)  # says what it would break, and does nothing
    assert operator.keys("retire", old, "--sure", old) == [[new, "signs"]]
    running.recycle("RedirectFunction")
    assert operator.click(after) == 302
    gone = http("GET", running.url + before, BROWSER)
    assert gone.status == 404
    assert "location" not in gone.headers
