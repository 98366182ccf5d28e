"""What the recipient is shown: the way on, or a plain page that says why there is none.

The image that tells of an open: the smallest transparent GIF there is, always the same.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from waypost.errors import ExpiredShortLink, StoreUnavailable, TokenError, WaypostError
from waypost.responses import Response, get_error_status, plain_page_response

RETRY_AFTER_SECONDS: Final = 5

_ERROR_TEXTS: Final[tuple[tuple[type[WaypostError], str, str], ...]] = (
    (ExpiredShortLink, "This link has expired", "It was made for a time that is over."),
    (
        TokenError,
        "This link leads nowhere",
        "It may have been cut or changed on its way. Please open it from the message again.",
    ),
    (StoreUnavailable, "Please try again", "We cannot open links for a moment."),
)


def redirect_response(href: str) -> Response:
    """302 to ``href``, which fits a header. Never cached: the next click shall be told as well."""
    headers = {
        "location": href,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }
    return Response(statusCode=302, headers=headers, body="")


def link_error_page(error: TokenError | StoreUnavailable) -> Response:
    """Why a link leads nowhere, now or at all, in words for who clicked it."""
    title, text = next(words for kind, *words in _ERROR_TEXTS if isinstance(error, kind))
    page = plain_page_response(get_error_status(error)[0], title, text)
    if isinstance(error, StoreUnavailable):
        page["headers"]["retry-after"] = str(RETRY_AFTER_SECONDS)
    return page


def direct_access_page() -> Response:
    """The API's own address, once there is a host before it."""
    return plain_page_response(403, "Not here", "This address is not to be opened directly.")


def not_found_page() -> Response:
    """No file of ours has this name."""
    return plain_page_response(404, "Nothing here", "There is nothing at this address.")


PIXEL_GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"  # 1 × 1, two colours
    b"!\xf9\x04\x01\x00\x00\x00\x00"  # the first of which is transparent
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


def pixel_response() -> Response:
    """The GIF, never cached: the next time that the message is opened shall be told as well."""
    return Response(
        statusCode=200,
        headers={
            "content-type": "image/gif",
            "cache-control": "no-store, max-age=0",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        },
        body=b64encode(PIXEL_GIF).decode("ascii"),
        isBase64Encoded=True,
    )
