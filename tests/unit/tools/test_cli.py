"""Errors and exit codes of the operator tools, without a stack or with wrong arguments."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from local.stack import TEMPLATE
from tools import cli, clicks, domains, keys, share, smoke, tables

NOWHERE = "http://127.0.0.1:9"
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "Query")
ERASE = ["erase", "acme", "p1"]


def run_to_exit(run: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.run_command(run)  # type: ignore[arg-type]
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("status", [cli.EXIT_DONE, cli.EXIT_INCOMPLETE])
def test_exit_code_is_the_return_value(status):
    assert run_to_exit(lambda: status) == status


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DENIED, str(DENIED)),
        (FileNotFoundError(2, "No such file", "lost.ndjson"), "lost.ndjson: No such file"),
    ],
)
def test_expected_error_is_one_line_on_stderr(error, expected, capsys):
    def fail() -> int:
        raise error

    assert run_to_exit(fail) == cli.EXIT_FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line == expected


def test_unexpected_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run_command(lambda: 1 // 0)


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (clicks, ERASE, "http://127.0.0.1:9: no embedded stack there"),
        (share, ["--workspace", "acme"], "does not answer: Connection refused"),
        (domains, ["list"], "does not answer: Connection refused"),
        (smoke, [], "does not answer: Connection refused"),
    ],
)
def test_error_names_the_address_without_a_stack(tool, arguments, expected, capsys, socket_enabled):
    assert run_to_exit(lambda: tool.main(["--base", NOWHERE, *arguments])) == cli.EXIT_FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert NOWHERE in line


@pytest.mark.parametrize(
    ("tool", "arguments", "missing"),
    [
        (clicks, ["erase", "acme", ""], "PERSON"),
        (clicks, ["opt-out", "", "p1"], "WORKSPACE"),
        (clicks, ["recount", "acme", ""], "CAMPAIGN"),
        (clicks, ["replay", ""], "FILE"),
        (share, ["--workspace", ""], "WORKSPACE"),
        (domains, ["verify"], "HOST"),
        (keys, ["retire", ""], "KEY"),
        (tables, ["--table", "", "--from", "restored"], "TABLE"),
        (tables, ["--table", "ClicksTable", "--from", ""], "FROM"),
    ],
)
def test_error_names_the_missing_variable(tool, arguments, missing, capsys):
    with pytest.raises(SystemExit) as end:
        tool.main(arguments)
    assert end.value.code == cli.EXIT_FAILED
    assert capsys.readouterr().err == f"{missing} is missing\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--workspace", "acme", "--hours", "two"], "HOURS is 'two', which is not a whole number"),
        (["--base", "a.example"], "BASE is 'a.example', and has to begin with http:// or https://"),
        (["--base", "http:///x"], "BASE is 'http:///x', and has to begin with http:// or https://"),
    ],
)
def test_error_names_the_invalid_variable(arguments, expected, capsys):
    with pytest.raises(SystemExit) as end:
        share.main(arguments)
    assert end.value.code == cli.EXIT_FAILED
    assert capsys.readouterr().err == f"{expected}\n"


@pytest.mark.parametrize("base", ["localhost:8080", "127.0.0.1:8080"])
def test_scheme_is_optional_for_an_address_of_this_machine(base):
    assert cli.parse_address(base) == f"http://{base}"


def test_error_for_an_unknown_environment_lists_the_known_ones():
    with pytest.raises(SystemExit, match=r"has no environment 'prod'; it has dev, us, eu"):
        share.main(["--env", "prod", "--workspace", "acme"])


def test_error_without_credentials_says_what_to_do(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nobody = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    run = subprocess.run(
        [sys.executable, "-m", "tools.clicks", *ERASE],
        cwd=TEMPLATE.parent, env=kept | nobody, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == cli.EXIT_FAILED
    (line,) = run.stderr.splitlines()
    assert "sign in to AWS first" in line
    assert "BASE=http://127.0.0.1:8080" in line
