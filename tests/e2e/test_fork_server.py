"""Test that forked processes behave as if Python had started them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from local.errors import ProcessStartError
from local.forks import ForkServer, Program, open_pipe_reader
from local.processes import get_fork_server, list_library_folders


@pytest.fixture(scope="module")
def server():
    """Start a server that has imported ``json.tool``, which no other code imports."""
    return ForkServer(
        "import json.tool", list_library_folders(), {"FROM_THE_SERVER": "must not be seen"}
    )


def fork_process(server, code, *, folder=Path("/"), environment=None, path=()):
    """Fork a process; return it and its output."""
    program = Program(
        textwrap.dedent(code), ["-c", "an argument"], folder, environment or {}, ["", *path]
    )
    fork = server.fork(program)
    return fork, fork.output


def run_process(server, code, **around):
    fork, output = fork_process(server, code, **around)
    with output:
        text = output.read()
    return fork.wait(30), text.decode()


def test_process_has_only_its_own_environment_and_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_THE_SHELL", "must not be seen")
    (tmp_path / "beside.py").write_text("name = 'a module beside it'")
    status, text = run_process(
        server,
        """
        import beside, json, os, sys
        values = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": sys.argv,
                "name": __name__, "input": sys.stdin.read(), "beside": beside.name}
        print(json.dumps(values))
        """,
        folder=tmp_path,
        environment={"OWN": "1"},
    )
    assert status == 0, text
    assert json.loads(text) == {
        "folder": str(tmp_path.resolve()),
        "environment": {"OWN": "1"},
        "arguments": ["-c", "an argument"],
        "name": "__main__",
        "input": "",
        "beside": "a module beside it",
    }


def test_process_has_the_module_path_of_a_new_python(server, tmp_path):
    code = "import json, sys; print(json.dumps(sys.path))"
    _, text = run_process(server, code, folder=tmp_path, path=["/a/layer", *list_library_folders()])
    new = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": os.pathsep.join(["/a/layer", *list_library_folders()])},
        capture_output=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(text) == json.loads(new.stdout)


def test_process_has_the_imports_of_the_server_and_none_of_the_project(server):
    code = """
        import sys
        print("json.tool" in sys.modules)
        print([name for name in sys.modules if name.split(".")[0] in ("local", "waypost", "moto")])
    """
    assert run_process(server, code) == (0, "True\n[]\n")
    assert run_process(server, "import waypost")[1].endswith("No module named 'waypost'\n")


def test_preloaded_libraries_import_neither_the_project_nor_moto():
    code = """
        import sys
        print(sorted(name for name in sys.modules if name.split(".")[0] in
                     ("awslambdaric", "local", "moto", "waypost", "pytest")))
        print("boto3" in sys.modules, sys.flags.no_site)
    """
    assert run_process(get_fork_server(preload=True), code) == (0, "[]\nTrue 1\n")
    assert run_process(get_fork_server(preload=False), code) == (0, "[]\nFalse 1\n")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("print('done')", 0, "done\n"),
        ("raise SystemExit(7)", 7, ""),
        ("import os; os._exit(8)", 8, ""),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("print('half', end='')", 0, "half"),
        ("import atexit; atexit.register(print, 'at the end')", 0, "at the end\n"),
    ],
)
def test_exit_status_and_output_of_a_process_are_reported(server, code, status, said):
    assert run_process(server, code) == (status, said)


def test_uncaught_error_is_printed_and_exits_with_1(server):
    status, text = run_process(server, "def f(): 1 / 0\nf()")
    assert status == 1
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_processes_have_independent_random_numbers(server):
    code = "import random, uuid; print(random.random(), uuid.uuid4())"
    assert len({run_process(server, code)[1] for _ in range(5)}) == 5


def test_killed_process_ends_and_others_keep_running(server):
    code = "import time; time.sleep(60)"
    (one, first), (other, second) = fork_process(server, code), fork_process(server, code)
    with first, second:
        assert one.wait(0.05) is None
        one.kill()
        assert one.wait(30) == -signal.SIGKILL
        one.kill()  # has no effect on an ended process
        assert other.wait(0.05) is None
        other.send_signal(signal.SIGTERM)
        assert other.wait(30) == -signal.SIGTERM


def test_stopped_process_has_not_ended(server):
    fork, output = fork_process(server, "import time; time.sleep(60)")
    with output:
        fork.send_signal(signal.SIGSTOP)
        assert fork.wait(0.2) is None
        fork.kill()
        assert fork.wait(30) == -signal.SIGKILL


def test_process_inherits_no_pipe_of_another(server):
    """The output of a process ends with it, although a process forked later still runs."""
    first, output = fork_process(server, "input()\nprint('bye')")
    other, others = fork_process(server, "import time; time.sleep(60)")
    with output, others:
        assert output.read().endswith(b"EOFError: EOF when reading a line\n")
        assert first.wait(30) == 1
        other.kill()
        other.wait(30)


def test_many_processes_are_forked_and_awaited_concurrently(server):
    async def run_one(number):
        fork, output = fork_process(server, f"print({number}); raise SystemExit({number})")
        return await (await open_pipe_reader(output)).read(), await fork.wait_async()

    async def run_all():
        return await asyncio.gather(*(run_one(number) for number in range(20)))

    assert asyncio.run(run_all()) == [(f"{n}\n".encode(), n) for n in range(20)]


def test_fork_server_that_cannot_start_raises_an_error(capfd):
    broken = ForkServer("import no_such_library", list_library_folders(), {})
    with pytest.raises(ProcessStartError, match="see its error above"):
        run_process(broken, "")
    assert "No module named 'no_such_library'" in capfd.readouterr().err
    with pytest.raises(ProcessStartError):
        run_process(broken, "")
