"""The Makefile passes variables to its tools unchanged; every tool here prints its arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack import TEMPLATE

NAMES = ["o'hara", 'a"b', "a$b", "$(HOME)", "`id`", "two words", "Ünï#code", r"back\slash"]
PRINTS = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


@pytest.fixture
def make(tmp_path: Path):
    """Run make; return its exit code, the arguments of the tool, and its errors."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(PRINTS)
    python.chmod(0o755)
    (tmp_path / "ready").touch()

    def run(*arguments: str) -> tuple[int, list[str], str]:
        ended = subprocess.run(
            [shutil.which("make") or "make", f"VENV={tmp_path}", *arguments],
            cwd=TEMPLATE.parent, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return ended.returncode, ended.stdout.splitlines(), ended.stderr

    return run


@pytest.mark.parametrize("name", NAMES)
def test_name_reaches_the_tool_unchanged(make, name):
    status, told, wrong = make("erase", f"WORKSPACE={name}", f"PERSON={name}")
    assert (status, wrong) == (0, "")
    assert told[-3:] == ["erase", name, name]


@pytest.mark.parametrize("name", NAMES)
def test_file_and_campaign_reach_the_tool_unchanged(make, name):
    _, told, _ = make("rewrite", f"FILE={name}", f"CAMPAIGN={name}")
    assert told[told.index("--file") + 1] == name
    assert told[told.index("--campaign") + 1] == name
    assert told[told.index("--person") + 1] == "p1"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("target", "variable", "option"),
    [
        ("domains", "HOST", "--host"),
        ("domain-add", "SENDING", "--sending"),
        ("retire-key", "KEY", "retire"),
        ("retire-key", "SURE", "--sure"),
        ("fill-table", "TABLE", "--table"),
        ("fill-table", "FROM", "--from"),
        ("fill-table", "FROM_PROFILE", "--from-profile"),
        ("smoke", "ENV", "--env"),
        ("smoke", "BASE", "--base"),
        ("share", "HOURS", "--hours"),
        ("rewrite", "CHANNEL", "--channel"),
        ("serve", "PORT", "--port"),
    ],
)
def test_every_variable_reaches_the_tool_unchanged(make, target, variable, option, name):
    status, told, wrong = make(target, f"{variable}={name}")
    assert (status, wrong) == (0, "")
    assert told[told.index(option) + 1] == name


FLAGS = [
    ("rewrite", "DRY", "--dry-run"),
    ("rotate-keys", "NOW", "--now"),
    ("recount", "REPAIR", "--repair"),
    ("fill-table", "REPLACE", "--replace"),
    ("share", "PEOPLE", "yes"),
]


@pytest.mark.parametrize(("target", "flag", "passed"), FLAGS)
def test_flag_is_passed_only_for_yes(make, target, flag, passed):
    assert passed in make(target, f"{flag}=yes")[1]
    assert passed not in make(target, f"{flag}=no")[1]
    assert passed not in make(target)[1]


@pytest.mark.parametrize(("target", "flag", "passed"), FLAGS)
@pytest.mark.parametrize("said", ["true", "Yes", "0"])
def test_invalid_flag_stops_make_before_the_tool_runs(make, target, flag, passed, said):
    status, told, wrong = make(target, f"{flag}={said}")
    assert (status, told) == (2, [])
    assert f"{flag} is '{said}'; say {flag}=yes, or leave it out" in wrong


@pytest.mark.parametrize("name", ["ROUNDS", "SEED"])
@pytest.mark.parametrize("said", ["x", "-1", "1.5", "1 0", "1x"])
def test_invalid_number_stops_the_soak(make, name, said):
    status, told, wrong = make("soak", f"{name}={said}")
    assert (status, told) == (2, [])
    assert f"{name} is '{said}'; say a whole number" in wrong
    assert len(wrong.splitlines()) == 1


def test_soak_of_zero_rounds_is_refused(make):
    assert "ROUNDS is '0'; say 1 or more" in make("soak", "ROUNDS=0")[2]


def test_soak_uses_the_given_numbers_or_the_defaults(make):
    given, usual = make("soak", "ROUNDS=30", "SEED=7")[1], make("soak")[1]
    assert 'WAYPOST_SOAK="30" WAYPOST_SEED="7" WAYPOST_FAULT_SEED="7"' in given[0]
    assert 'WAYPOST_SOAK="10" WAYPOST_SEED="1" WAYPOST_FAULT_SEED="1"' in usual[0]


def test_empty_environment_reaches_the_tool(make):
    _, told, _ = make("keys", "ENV=")
    assert told[told.index("--env") + 1] == ""


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [((), ["30", ""]), (("TARGET=html", "SECONDS=600"), ["600", "html"])],
)
def test_fuzz_runs_every_target_or_the_given_one(make, tmp_path, variables, arguments):
    ready = tmp_path / "fuzzer" / "ready"
    ready.parent.mkdir()
    ready.touch()
    assert make("fuzz", *variables) == (0, ["-m", "fuzz", *arguments], "")
