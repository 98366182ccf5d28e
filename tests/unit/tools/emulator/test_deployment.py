"""Test SAM's part of `make emulate` with a command that stands for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from local.stack import TEMPLATE
from local.template import parse_yaml
from tools.emulator import deployment
from tools.emulator.deployment import DeployFailed, deploy_stack
from tools.emulator.journey import Journey
from tools.smoke_steps import StepFailed

URL = "http://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a build in ``tmp_path``, which is the template itself."""
    monkeypatch.setattr(deployment, "LOG_FILE", tmp_path / "sam.log")
    monkeypatch.setattr(deployment, "_BUILD", tmp_path)
    monkeypatch.setattr(deployment, "_TEMPLATE", tmp_path / "emulated.yaml")
    (tmp_path / "template.yaml").write_text(TEMPLATE.read_text("utf-8"), "utf-8")
    return tmp_path


def install_sam(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    sam = folder / "sam"
    sam.write_text(f"#!/bin/sh\n{script}\n")
    sam.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_sam_deploys_the_changed_template_as_root_of_the_emulator(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    install_sam(folder, monkeypatch, 'env; echo "$@"')
    output = deploy_stack(URL, ["LogLevel=WARNING"])
    assert f"AWS_ENDPOINT_URL={URL}" in output.splitlines()
    assert "AWS_PROFILE" not in output
    assert f"--template-file {folder / 'emulated.yaml'}" in output
    assert output.rstrip().endswith("ClickRate=100 LogLevel=WARNING")
    emulated = parse_yaml((folder / "emulated.yaml").read_text("utf-8"))
    assert "ConnectionGroup" not in emulated["Resources"]


def test_changed_parameter_changes_the_fingerprint_of_the_functions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_sam(folder, monkeypatch, "true")
    stamps = []
    for changed in ([], [], ["LogLevel=WARNING"]):
        deploy_stack(URL, changed)
        function = yaml.safe_load((folder / "emulated.yaml").read_text("utf-8"))["Resources"][
            "RedirectFunction"
        ]
        stamps.append(function["Properties"]["Environment"]["Variables"]["DEPLOYED_WITH"])
    assert stamps[0] == stamps[1] != stamps[2]


def test_failed_deploy_is_one_line_with_the_last_line_of_sam(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_sam(folder, monkeypatch, "echo first; echo 'Error: no such bucket' >&2; exit 1")
    with pytest.raises(DeployFailed) as failed:
        deploy_stack(URL)
    log = folder / "sam.log"
    assert str(failed.value) == f"sam deploy: failed (Error: no such bucket); read {log}"
    assert log.read_text() == "first\nError: no such bucket\n"


def test_second_deploy_must_have_no_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_sam(folder, monkeypatch, "echo 'No changes to deploy. Stack waypost-dev is up to date'")
    assert Journey(9).second_deploy() == "no changes"
    install_sam(folder, monkeypatch, "echo 'Successfully created/updated stack'")
    with pytest.raises(StepFailed, match="has changes"):
        Journey(9).second_deploy()
