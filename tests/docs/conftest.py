"""The embedded stack of the docs tests, with a sender identity in SES."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import EmbeddedStack


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    with EmbeddedStack(parameters={"FilesBucket": "acme-mailings"}) as running:
        ses = running.cloud.client("sesv2")
        ses.create_email_identity(EmailIdentity="news@mail.acme.com")
        yield running


@pytest.fixture
def account(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> EmbeddedStack:
    """The stack, with an environment in which boto3 finds it."""
    for name, value in (
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", stack.cloud.url),
        ("AWS_ENDPOINT_URL_LAMBDA", stack.url),
        *stack.cloud.get_credentials(None).items(),
    ):
        monkeypatch.setenv(name, value)
    return stack
