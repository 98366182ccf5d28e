import pytest

from waypost.ids import derive_campaign_id, derive_link_id
from waypost.tokens import ClickToken, Keyring, TokenSealer

KEY = b"a test key of thirty-two bytes !"


@pytest.fixture
def sealer() -> TokenSealer:
    return TokenSealer(Keyring((KEY,)))


@pytest.fixture
def token() -> ClickToken:
    return ClickToken(
        link=derive_link_id(derive_campaign_id("acme", "spring-sale"), "https://example.com/sale"),
        delivery="7c9e6679-7425-40de-944b-e07fc1f90ae7",
        person="84213",
        position=3,
        sent=1_790_000_000,
        href="https://example.com/sale?_cio_id=84213&utm_source=newsletter#top",
    )
