"""Test the requests of the management API's client."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from tools.management_api import ManagementApi

NAMES = ["a b", "a+b", "a/b?c%2Fd", "a&b=c", "~x", "é"]


class FakeAnswer:
    status = 200

    def json(self) -> dict[str, str]:
        return {}


class FakePool:
    """Records the URLs of requests."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def request(self, _method: str, url: str, **_options: Any) -> FakeAnswer:
        self.urls.append(url)
        return FakeAnswer()


@pytest.mark.parametrize("region", [None, "us-east-1"])
@pytest.mark.parametrize("name", NAMES)
def test_query_is_encoded_as_signatures_require(
    name: str, region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    pool: Any = FakePool()
    ManagementApi("http://api", region, pool).request("DELETE", "/v1/p", query={"person": name})
    query = urlsplit(pool.urls[0]).query
    # Before AWS verifies a signature, it encodes the query again, with %20 for a space.
    assert query == f"person={quote(name, safe='-_.~')}"
    assert parse_qsl(query) == [("person", name)]
