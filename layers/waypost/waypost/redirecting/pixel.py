"""The image that tells of an open: the smallest transparent GIF there is, always the same."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from waypost.responses import Response

GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"  # 1 × 1, two colours
    b"!\xf9\x04\x01\x00\x00\x00\x00"  # the first of which is transparent
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


def pixel() -> Response:
    """The GIF, never cached: the next time that the message is opened shall be told as well."""
    return Response(
        statusCode=200,
        headers={
            "content-type": "image/gif",
            "cache-control": "no-store, max-age=0",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        },
        body=b64encode(GIF).decode("ascii"),
        isBase64Encoded=True,
    )
