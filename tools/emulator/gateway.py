"""Send requests for the stack's APIs to the emulator, which expects its own host names."""

from __future__ import annotations

import re
from typing import Any, Final

import urllib3

_API_URL: Final = re.compile(
    r"https?://(?P<api>\w+)\.execute-api\.([a-z0-9-]+\.amazonaws\.com|localhost:\d+)(?P<path>/.*)?"
)


class GatewayPool(urllib3.PoolManager):
    """An HTTP client that connects to the emulator on ``port`` for the addresses of APIs on AWS."""

    def __init__(self, port: int) -> None:
        super().__init__(retries=False, timeout=35)
        self._port = port

    def build_api_url(self, api_id: str) -> str:
        """Return an API's address at the emulator; requests are signed for its host name."""
        return f"http://{api_id}.execute-api.localhost:{self._port}"

    def urlopen(  # type: ignore[override]  # the base class names the rest
        self,
        method: str,
        url: str,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; other addresses stay as they are."""
        api = _API_URL.fullmatch(url)
        if api:
            host = self.build_api_url(api["api"]).removeprefix("http://")
            options["headers"] = {**(options.get("headers") or {}), "host": host}
            url = f"http://127.0.0.1:{self._port}{api['path'] or '/'}"
        return super().urlopen(method, url, **options)
