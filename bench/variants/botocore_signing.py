"""Waypost's redirect with botocore's signing and urllib3 instead of the minimal client's."""

import os
import ssl
from collections.abc import Mapping

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from waypost.aws import minimal_client
from waypost.aws.minimal_client import AwsCredentials


class BotocoreSigner:
    def __init__(self, credentials: AwsCredentials, region: str, service: str) -> None:
        keys = BotoCredentials(credentials.key_id, credentials.secret, credentials.token or None)
        self._auth = SigV4Auth(keys, service, region)

    def sign_headers(
        self, host: str, content_type: str, target: str, body: bytes, now: str
    ) -> dict[str, str]:
        del now
        headers = {"host": host, "content-type": content_type, "x-amz-target": target}
        request = AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
        self._auth.add_auth(request)
        return dict(request.headers.items())


class Urllib3Connection:
    def __init__(self, url: str, timeout: float) -> None:
        self.host = urllib3.util.parse_url(url).netloc or ""
        roots = os.environ.get("AWS_CA_BUNDLE", minimal_client.AMAZON_ROOTS_PATH)
        context = ssl.create_default_context(cafile=roots)
        self._pool = urllib3.PoolManager(timeout=timeout, ssl_context=context, retries=False)
        self._url = url

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = self._pool.request("POST", self._url, headers=headers, body=body)
        return answer.status, answer.data


minimal_client.SigV4Signer = BotocoreSigner  # type: ignore[assignment,misc,attr-defined,unused-ignore]
minimal_client.PersistentConnection = Urllib3Connection  # type: ignore[assignment,misc,attr-defined,unused-ignore]

# It makes its clients of what stands above.
from app import handler  # type: ignore[import-not-found]  # noqa: E402

__all__ = ["handler"]
