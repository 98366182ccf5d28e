import socket

import pytest
from pytest_socket import SocketBlockedError


def test_a_unit_test_that_opens_a_socket_fails():
    with pytest.raises(SocketBlockedError):
        socket.socket()
