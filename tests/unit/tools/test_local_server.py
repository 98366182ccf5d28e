"""Test that servers of other projects are started, and ended with all that they started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import urllib3

from tools.local_server import ServerProgram, ServerUnavailable, run_server

HTTP_SERVER = """
import http.server, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
open(sys.argv[2] + "/../child", "w").write(str(child.pid))
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def build_program(command: Sequence[str]) -> ServerProgram:
    return ServerProgram("server", command, {"PATH": os.environ["PATH"]}, "/", "install-server")


def wait_until_ended(process: int) -> bool:
    """Wait until a process ends, also if its parent does not collect its status."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            status = Path(f"/proc/{process}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("error", [None, ValueError("the block failed")])
def test_server_ends_with_its_processes_and_data(
    tmp_path: Path, socket_enabled: None, error: ValueError | None
) -> None:
    program = build_program([sys.executable, "-c", HTTP_SERVER, "{port}", "{folder}"])
    raised = None
    try:
        with run_server(program, tmp_path) as port:
            assert urllib3.request("GET", f"http://127.0.0.1:{port}/child").status == 200
            if error:
                raise error
    except ValueError as caught:
        raised = caught
    assert raised is error
    assert wait_until_ended(int((tmp_path / "child").read_text()))
    assert not list(tmp_path.glob("data-*"))


def test_server_that_does_not_start_is_one_line_with_its_last_output(
    tmp_path: Path, socket_enabled: None
) -> None:
    program = build_program([sys.executable, "-c", "raise SystemExit('no licence')"])
    with pytest.raises(ServerUnavailable) as failed, run_server(program, tmp_path):
        pytest.fail("the server does not run")
    text = f"server: does not start (no licence); read {tmp_path / 'server.log'}"
    assert str(failed.value) == text
    assert not list(tmp_path.glob("data-*"))


def test_missing_server_is_one_line_with_the_target_that_installs_it(tmp_path: Path) -> None:
    program = build_program([str(tmp_path / "missing")])
    with pytest.raises(ServerUnavailable, match=r"not installed .*; run `make install-server`"):
        run_server(program, tmp_path).__enter__()
