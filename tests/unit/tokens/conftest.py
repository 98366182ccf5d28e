import pytest

from waypost.ids import campaign_code, link_code
from waypost.tokens import ClickToken, Keyring, Sealer

KEY = b"a test key of thirty-two bytes !"


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(Keyring((KEY,)))


@pytest.fixture
def token() -> ClickToken:
    return ClickToken(
        link=link_code(campaign_code("acme", "spring-sale"), "https://example.com/sale"),
        delivery="7c9e6679-7425-40de-944b-e07fc1f90ae7",
        person="84213",
        position=3,
        sent=1_790_000_000,
        href="https://example.com/sale?_cio_id=84213&utm_source=newsletter#top",
    )
