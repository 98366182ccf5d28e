"""Test the built artefacts: complete, for the right processor, compiled, and small enough."""

import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

from tests.packaging.sam_build import (
    FUNCTIONS,
    ROOT,
    RUNTIME,
    find_runtime_python,
    list_statements,
)

UNPACKED_LIMIT = 250_000_000  # Lambda's, for a function and its layers together, in bytes
ARM64 = 183  # e_machine in the head of an ELF file
SDK_NAME = {"ses": "sesv2"}  # botocore's name, if it differs from IAM's
UNCHECKED_HASH = b"\x01\x00\x00\x00"  # flags of an unchecked hash-based .pyc (PEP 552)


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_imports_only_its_artefact_and_the_layer(local_build, function):
    probe = (
        "import sys; sys.path[:0] = sys.argv[1:]; import app, waypost;"
        "assert callable(app.handler); print(waypost.__file__)"
    )
    folders = [str(local_build.function_folder(function)), str(local_build.layer_folder)]
    run = subprocess.run(  # -I -S: without this project and installed libraries
        [sys.executable, "-I", "-S", "-c", probe, *folders],
        cwd=local_build.folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(local_build.layer_folder))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_artefact_contains_only_its_handler(lambda_build, function):
    sources = {file.name for file in lambda_build.function_folder(function).iterdir()} - {
        "__pycache__"
    }
    assert sources == {"app.py"}


def test_layer_binaries_match_the_runtime_and_arm64(lambda_build):
    binaries = [file for file in lambda_build.layer_folder.rglob("*.so*") if file.is_file()]
    assert binaries
    for binary in binaries:
        head = binary.read_bytes()[:20]
        assert head[:4] == b"\x7fELF"
        assert int.from_bytes(head[18:20], "little") == ARM64, binary
        assert f"cpython-{RUNTIME.replace('.', '')}-" in binary.name or "abi3" in binary.name


def test_layer_contains_exactly_the_pinned_requirements(lambda_build):
    pinned = re.findall(
        r"^(\S+)==(\S+)", (ROOT / "layers/waypost/requirements.txt").read_text(), re.MULTILINE
    )
    found = importlib.metadata.distributions(path=[str(lambda_build.layer_folder)])
    names = {re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in found}
    assert names == dict(pinned)


def test_layer_and_function_fit_the_unpacked_size_limit(lambda_build, capsys):
    layer = size(lambda_build.layer_folder)
    largest = max(size(lambda_build.function_folder(function)) for function in FUNCTIONS)
    with capsys.disabled():
        print(f"\nunpacked: layer {layer / 1e6:.1f} MB, largest function {largest / 1e3:.1f} kB")
        for package in sorted(lambda_build.layer_folder.iterdir(), key=size, reverse=True)[:5]:
            print(f"  {package.name:24} {size(package) / 1e6:5.1f} MB")
    assert layer + largest < UNPACKED_LIMIT


def test_every_module_has_unchecked_bytecode_for_the_runtime(lambda_build):
    if not find_runtime_python():
        pytest.skip(f"Python {RUNTIME} is not installed, so the build compiles nothing")
    magic = subprocess.run(
        [find_runtime_python(), "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    sources = [
        *lambda_build.layer_folder.rglob("*.py"),
        *lambda_build.folder.glob("*Function/app.py"),
    ]
    assert len(sources) > len(FUNCTIONS)
    tag = f"cpython-{RUNTIME.replace('.', '')}"
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert compiled.read_bytes()[:8] == bytes.fromhex(magic) + UNCHECKED_HASH, source


def test_build_without_the_runtime_python_skips_bytecode_and_reports_it(tmp_path):
    run = subprocess.run(
        ["make", "build-RedirectFunction", "RUNTIME_PYTHON=no-such-python"],
        cwd=ROOT / "functions/redirect",
        env=os.environ | {"ARTIFACTS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "built without .pyc" in run.stdout
    assert [file.name for file in tmp_path.rglob("*")] == ["app.py"]


def test_layer_keeps_the_botocore_model_of_every_permitted_service(local_build):
    opened = {
        action.split(":")[0]
        for function in FUNCTIONS
        for statement in list_statements(function)
        for action in statement["Action"]
    } - {"logs"}
    described = {folder.name for folder in (local_build.layer_folder / "botocore/data").iterdir()}
    assert {SDK_NAME.get(service, service) for service in opened} <= described
