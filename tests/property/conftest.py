import pytest


@pytest.fixture(autouse=True)
def disable_sockets(socket_disabled: None) -> None:
    """Fail each test that opens a socket."""
