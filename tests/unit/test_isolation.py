import os
import socket

import pytest
from pytest_socket import SocketBlockedError


def test_a_unit_test_that_opens_a_socket_fails():
    with pytest.raises(SocketBlockedError):
        socket.socket()


def test_no_test_sees_the_account_of_whoever_runs_it():
    assert not {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"} & set(os.environ)
