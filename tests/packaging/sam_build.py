"""Run `sam build` into a folder of the test, and read the template."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.template import parse_yaml

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = parse_yaml((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
RUNTIME = "3.13"


@cache
def find_runtime_python() -> str:
    """Return the path of the Lambda runtime's Python, or an empty string if it is not installed."""
    return subprocess.run(
        [ROOT / "tools/find-python", RUNTIME], capture_output=True, text=True, check=False
    ).stdout.strip()


def list_resources(resource_type: str) -> dict[str, Any]:
    """List the template's resources of a type, by logical id."""
    return {name: body for name, body in RESOURCES.items() if body["Type"] == resource_type}


FUNCTIONS = list_resources("AWS::Serverless::Function")


def list_statements(function_id: str) -> Iterator[dict[str, Any]]:
    """List the statements of a function's role, with actions as lists."""
    role = RESOURCES[FUNCTIONS[function_id]["Properties"]["Role"]["Fn::GetAtt"][0]]
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            yield statement | {"Action": [actions] if isinstance(actions, str) else actions}


@dataclass(frozen=True, slots=True)
class Build:
    """The folder of a build, with one folder for the layer and each function, and its output."""

    folder: Path
    output: str

    @property
    def layer_folder(self) -> Path:
        return self.folder / "WaypostLayer/python"

    def function_folder(self, name: str) -> Path:
        return self.folder / name


def run_sam_build(folder: Path, variables: Mapping[str, str], *resources: str) -> Build:
    """Build without SAM's cache, so that no file of an earlier build remains."""
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
        "PYTHON": sys.executable,
    }
    options = ["--no-cached", "--template", str(ROOT / "template.yaml"), "--build-dir", str(folder)]
    run = subprocess.run(
        [sys.executable, "-m", "samcli", "build", *options, *resources],
        cwd=folder.parent,
        env={**os.environ, **environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return Build(folder, run.stdout + run.stderr)
