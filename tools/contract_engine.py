"""Run the repositories' contract tests on roto-aws, a DynamoDB that is independent of moto.

    make test-contract-roto
    python -m tools.contract_engine COMMAND …    run a command with WAYPOST_DYNAMODB_ENDPOINT

The exit code is that of the command, or 2 if roto-aws is not available.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from tools import cli
from tools.local_server import ServerProgram, run_server
from tools.stack import CONFIG_FILE

_FOLDER: Final = CONFIG_FILE.parent / "build/roto"


def main(command: list[str]) -> int:
    """Run a command while the engine runs.

    :raises ServerUnavailable: when the engine does not start.
    """
    server = (str(_FOLDER / "venv/bin/roto-server"), "--ephemeral", "--port", "{port}")
    program = ServerProgram("roto", server, {}, "/", "roto")
    with run_server(program, _FOLDER) as port:
        environment = {**os.environ, "WAYPOST_DYNAMODB_ENDPOINT": f"http://127.0.0.1:{port}"}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    cli.run_command(lambda: main(sys.argv[1:]))
