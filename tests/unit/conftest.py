import pytest


@pytest.fixture(autouse=True)
def without_sockets(socket_disabled: None) -> None:
    """What needs a socket is no unit; a test that asks for one fails."""
