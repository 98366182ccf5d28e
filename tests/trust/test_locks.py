"""Every installed library and tool has its hash in a lock."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.trust.install_commands import find_unverified_installs, list_command_files
from tools.lock import FULL_LOCK, INSTALLER_LOCK, LAYER_LOCK, LOCKS

ROOT = Path(__file__).parents[2]
UV = "$(UV) pip sync --require-hashes"


def read_requirements(lock: Path) -> list[str]:
    lines = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_requirement_is_pinned_by_hash(lock: Path) -> None:
    requirements = read_requirements(lock)
    assert requirements
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_make_lock_writes_every_lock() -> None:
    found = [*ROOT.glob("*.lock"), *ROOT.glob("tools/*.lock"), *ROOT.glob("layers/*/*.txt")]
    assert {path.relative_to(ROOT) for path in found} == set(LOCKS)


def test_pip_installs_uv_in_the_version_of_the_full_lock() -> None:
    (installer,) = read_requirements(INSTALLER_LOCK)
    assert installer in read_requirements(FULL_LOCK)


@pytest.mark.parametrize("lock", sorted(ROOT.glob("tools/*/package-lock.json")), ids=str)
def test_every_package_of_npm_is_pinned_by_hash(lock: Path) -> None:
    packages = json.loads(lock.read_text("utf-8"))["packages"]
    own = packages.pop("")
    assert (
        own["dependencies"]
        == json.loads(lock.with_name("package.json").read_text())["dependencies"]
    )
    assert packages
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package  # no registry's address


@pytest.mark.parametrize("path", list_command_files(ROOT), ids=lambda path: path.name)
def test_every_install_command_verifies_hashes(path: Path) -> None:
    locks = [*map(str, LOCKS), LAYER_LOCK.name]  # the layer's Makefile runs in its own folder
    assert list(find_unverified_installs(path.read_text("utf-8"), locks)) == []


@pytest.mark.parametrize(
    "command",
    [
        "pip install black",
        "python -m pip install --requirement tools/scanner.lock",
        f"{UV} tools/unknown.lock",
        f"{UV} --quiet",
        "$(UV) tool run 'pip-audit==2.10.1'",
        "pipx install pre-commit",
        "npx something",
        "npm install --ignore-scripts",
        "npm ci",
        "echo && pip install --no-deps --editable .",
        'subprocess.run(["pip", "install", "black"])',
        "pip install \\\n  black",
    ],
)
def test_install_command_without_hashes_is_found(command: str) -> None:
    assert list(find_unverified_installs(command, ["tools/scanner.lock"]))


@pytest.mark.parametrize(
    "command",
    [
        f"{UV} tools/scanner.lock",
        f"{UV} --quiet tools/$*.lock",
        "pip install --require-hashes \\\n  --requirement tools/scanner.lock",
        "pip install --no-deps --no-build-isolation --editable .",
        "pip compile --generate-hashes",
        "apt-get install make",
        "npm ci --ignore-scripts --prefix build/tool",
    ],
)
def test_install_command_with_hashes_is_accepted(command: str) -> None:
    assert list(find_unverified_installs(command, ["tools/scanner.lock"])) == []
