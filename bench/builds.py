"""Build the benchmarks' artefacts as `sam build` does, for this machine's processor."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build/bench"
RUNTIME = "3.13"
_MACHINE = platform.machine()
PLATFORMS = [f"manylinux_2_28_{_MACHINE}", f"manylinux2014_{_MACHINE}"]
BASELINE_PACKAGES = ("aws-lambda-powertools", "boto3", "itsdangerous")


def find_runtime_python() -> Path | None:
    """Find an interpreter of Lambda's Python version, or return None."""
    found = subprocess.run(
        [ROOT / "tools/find-python", RUNTIME], capture_output=True, text=True, check=False
    )
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def build_waypost(python: Path) -> tuple[Path, Path]:
    """Build the redirect and the layer with their Makefiles; return the two folders."""
    layer, function = BUILD / "layer", BUILD / "function"
    settings = {
        "PYTHON": sys.executable,
        "RUNTIME_PYTHON": str(python),
        "PLATFORMS": " ".join(PLATFORMS),
    }
    _run_make("layers/waypost", "build-WaypostLayer", layer, settings)
    _run_make("functions/redirect", "build-RedirectFunction", function, settings)
    return function, layer / "python"


def _run_make(folder: str, target: str, artefact: Path, settings: dict[str, str]) -> None:
    """Run a build target in a scratch copy, because the recipes may change their folder."""
    shutil.rmtree(artefact, ignore_errors=True)
    artefact.mkdir(parents=True)
    scratch = BUILD / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(ROOT / folder, scratch)
    variables = [f"{name}={value}" for name, value in settings.items()]
    command = ["make", "--silent", target, f"ARTIFACTS_DIR={artefact}", *variables]
    subprocess.run(command, cwd=scratch, stderr=subprocess.DEVNULL, check=True)
    shutil.rmtree(scratch)


def build_baseline() -> Path:
    """Build the usual redirect as SAM's Python builder does: not compiled, nothing removed."""
    folder = BUILD / "usual"
    install_packages(folder, BASELINE_PACKAGES)
    shutil.copy(ROOT / "bench/usual/app.py", folder)
    return folder


def build_runtime(python: Path) -> Path:
    """Install Lambda's runtime client for the interpreter, compiled as in the runtime."""
    folder = BUILD / "runtime"
    install_packages(folder, ("awslambdaric", "snapshot-restore-py"))
    compile_bytecode(folder, python)
    return folder


def build_tracing(python: Path) -> Path:
    """Install the libraries of powertools' Tracer, compiled; the layer does not have them."""
    folder = BUILD / "tracing"
    install_packages(folder, ("aws-xray-sdk",))
    compile_bytecode(folder, python)
    return folder


def install_packages(folder: Path, packages: tuple[str, ...]) -> None:
    """Install packages with their dependencies, without .pyc, as in the lock."""
    shutil.rmtree(folder, ignore_errors=True)
    (BUILD / "requirements.lock").write_text(select_requirements(packages))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--require-hashes",
        f"-r{BUILD}/requirements.lock",
    ]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    wheels = ["--only-binary=:all:", "--implementation=cp", f"--python-version={RUNTIME}"]
    platforms = [f"--platform={each}" for each in PLATFORMS]
    subprocess.run(
        [*pip, *quiet, *wheels, *platforms, f"--target={folder}"],
        env=os.environ | {"PIP_NO_WARN_CONFLICTS": "1"},
        stderr=subprocess.DEVNULL,
        check=True,
    )


def select_requirements(packages: tuple[str, ...]) -> str:
    """Return the lines of the lock, with hashes, for packages and all of their dependencies."""
    entries = re.split(r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    locked = {entry.partition("==")[0].partition("[")[0]: entry for entry in entries if entry}
    needed: dict[str, str] = {}
    waiting = [*packages]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in needed:
            needed[name] = locked[name]
            waiting += _list_dependencies(name)
    return "".join(needed.values())


def _list_dependencies(package: str) -> Iterator[str]:
    environment = {"python_version": RUNTIME, "extra": ""}
    for text in importlib.metadata.requires(package) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement.name


def compile_bytecode(folder: Path, python: Path) -> None:
    mode = "--invalidation-mode=unchecked-hash"
    subprocess.run([python, "-m", "compileall", "-q", "-j0", mode, folder], check=True)


def copy_artefact(folder: Path, name: str, *, bytecode: bool) -> Path:
    """Copy an artefact, with its .pyc files or without."""
    copy = BUILD / name
    shutil.rmtree(copy, ignore_errors=True)
    ignored = None if bytecode else shutil.ignore_patterns("__pycache__")
    shutil.copytree(folder, copy, ignore=ignored)
    return copy
