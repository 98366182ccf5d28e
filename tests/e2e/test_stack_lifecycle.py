"""Test that an embedded stack starts completely or not at all, and leaves no process behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.asgi import listen
from local.errors import PortInUse, TemplateError
from local.stack import EmbeddedStack
from tests.e2e.conftest import SMALL_TEMPLATE

ROOT = Path(__file__).parents[2]


def list_descendants(pid: int) -> set[int]:
    """List the ids of a process's descendants, from /proc."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to see processes")
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    while more := {p for p, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def list_alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)}


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until_ended(pids: set[int], within: float = 15.0) -> bool:
    deadline = time.monotonic() + within
    while list_alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not list_alive(pids)


def list_concurrent_pids(stack: EmbeddedStack) -> set[int]:
    slow = {"do": "sleep", "seconds": 0.3}
    with ThreadPoolExecutor(6) as threads:
        outcomes = threads.map(lambda _: stack.invoke("EchoFunction", slow), range(6))
        return {json.loads(outcome.payload)["pid"] for outcome in outcomes}


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts ``python -m local serve`` and returns it and its first line."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "serve", "--template", str(SMALL_TEMPLATE),
             "--port", "0", "--log", str(tmp_path / "serve.log"), *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_one_line_and_exits_cleanly_on_a_signal(serve, tmp_path, number):
    process, line = serve()
    url = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert url is not None, line
    with urllib.request.urlopen(f"{url[0]}/v1/things/x") as answer:
        assert answer.status == 200
    below = list_descendants(process.pid)
    assert len(below) == 4  # moto, the public function, and their fork servers
    process.send_signal(number)
    rest, complaints = process.communicate(timeout=30)
    assert (process.returncode, rest, complaints) == (0, "", "")
    assert not list_alive(below)
    assert "EchoFunction | called /v1/things/x" in (tmp_path / "serve.log").read_text()
    listen("127.0.0.1", int(url[1])).close()  # the port is free again


def test_killed_stack_leaves_no_process(serve):
    process, _ = serve()
    below = list_descendants(process.pid)
    process.kill()
    process.wait()
    assert wait_until_ended(below)


def test_port_in_use_is_reported_before_the_stack_starts(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, line = serve("--port", str(port))
        _, complaint = process.communicate(timeout=30)
        assert line == ""
        assert process.returncode == 1
        assert complaint == (
            f"cannot serve: port {port} is in use; choose another one with PORT=\n"
        )
        with pytest.raises(PortInUse):
            EmbeddedStack(SMALL_TEMPLATE, port=port).start()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "99999"], "--port: '99999' is not a port; use 0 to 65535"),
        (["--port", "http"], "--port: 'http' is not a port; use 0 to 65535"),
        (["--parameter", "OriginLock"], "--parameter: 'OriginLock' is not NAME=VALUE"),
        (["--host", "192.0.2.1"], "192.0.2.1, port 0: Cannot assign requested address;"),
    ],
)
def test_invalid_serve_option_is_reported_in_one_line(serve, arguments, told):
    process, line = serve(*arguments)
    _, complaint = process.communicate(timeout=30)
    assert (line, process.returncode > 0) == ("", True)
    assert complaint.startswith(f"cannot serve: {told}")
    assert complaint.count("\n") == 1


def test_invalid_template_starts_no_process(tmp_path):
    broken = tmp_path / "template.yaml"
    text = SMALL_TEMPLATE.read_text().replace("!Ref Ledger", "!Ref Leger", 1)
    broken.write_text(text)
    for folder in ("echo", "tally", "drain", "layer"):
        (tmp_path / folder).symlink_to(SMALL_TEMPLATE.parent / folder)
    with EmbeddedStack(SMALL_TEMPLATE):
        pass  # leaves the fork servers running
    before = list_descendants(os.getpid())
    with pytest.raises(TemplateError, match="Leger"):
        EmbeddedStack(broken).start()
    assert wait_until_ended(list_descendants(os.getpid()) - before)


def test_function_without_its_layer_reports_the_missing_module(tmp_path):
    broken = tmp_path / "template.yaml"
    broken.write_text(SMALL_TEMPLATE.read_text().replace("    Layers: [!Ref Shared]\n", ""))
    for folder in ("echo", "tally", "drain", "layer"):
        (tmp_path / folder).symlink_to(SMALL_TEMPLATE.parent / folder)
    with EmbeddedStack(broken) as stack:
        outcome = stack.invoke("EchoFunction", {})
        assert b"No module named 'shared'" in outcome.payload
        assert outcome.error == "Unhandled"
        assert stack.invoke("TallyFunction", {"Records": []}).error is None


def test_closed_stack_leaves_no_process(small_stack):
    del small_stack  # its processes run before and after
    before = list_descendants(os.getpid())
    with EmbeddedStack(SMALL_TEMPLATE, parameters={"Greeting": "salut"}) as stack:
        assert b"salut, world" in stack.invoke("EchoFunction", {}).payload
        assert len(list_concurrent_pids(stack)) == 2  # a public function has two processes
        during = list_descendants(os.getpid()) - before
        assert len(during) == 3  # moto and both processes of the public function
    assert not list_alive(during)
    stack.close()
