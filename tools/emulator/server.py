"""Run MiniStack on this machine, with IAM policies and signatures enforced."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Final

from tools.local_server import ServerProgram, run_server
from tools.stack import CONFIG_FILE

FOLDER: Final = CONFIG_FILE.parent / "build/emulator"
REGION: Final = "us-east-1"
ROOT_KEY: Final = "emulator"
"""Access key and secret of the account's root user; they are valid at the emulator only."""


def run_emulator() -> AbstractContextManager[int]:
    """Start the emulator on a free port of the loopback interface; the block has its port.

    :raises ServerUnavailable: when it does not start.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "{folder}",
        "TMPDIR": "{folder}",
        "GATEWAY_PORT": "{port}",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "AUTH": "true",  # IAM policies and signatures
        "IOT_MTLS_ENABLED": "0",  # otherwise it opens ports on every address
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
    }
    command = (str(FOLDER / "venv/bin/python"), "-m", "ministack")
    program = ServerProgram("ministack", command, environment, "/_ministack/health", "emulator")
    return run_server(program, FOLDER)
