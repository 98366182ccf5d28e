import pytest


@pytest.fixture(autouse=True)
def without_sockets(socket_disabled: None) -> None:
    """Fail every unit test that opens a socket."""
