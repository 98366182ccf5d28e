"""Build the stack for this machine, and deploy it to the emulator with ``sam deploy``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

import yaml

from local.template import parse_yaml
from tools.emulator.overlay import apply_overlay, load_overlay
from tools.emulator.server import FOLDER, REGION, ROOT_KEY
from tools.stack import CONFIG_FILE
from tools.stamp import compute_fingerprint, load_parameters, stamp_template

ENVIRONMENT: Final = "dev"
"""The environment of samconfig.toml that is deployed."""

LOG_FILE: Final = FOLDER / "sam.log"

_BUILD: Final = FOLDER / "sam"
_TEMPLATE: Final = _BUILD / "emulated.yaml"
_RUNTIME: Final = "3.13"
_SAM_SECONDS: Final = 900


class DeployFailed(SystemExit):
    """SAM could not build or deploy the stack."""


def build_stack() -> None:
    """Build the layer and the functions for this machine's processor and libraries.

    :raises DeployFailed: when ``sam build`` fails.
    """
    python = subprocess.run(
        ["tools/find-python", _RUNTIME], cwd=CONFIG_FILE.parent, stdout=subprocess.PIPE, text=True,
        check=False,
    ).stdout.strip()  # fmt: skip
    platforms = {"PLATFORMS": "", "RUNTIME_PYTHON": python}  # without one, pip takes this one's
    folders = ("--build-dir", str(_BUILD), "--cache-dir", str(FOLDER / "cache"))
    _run_sam(["build", *folders], {**os.environ, **platforms})


def deploy_stack(url: str, changed: Sequence[str] = ()) -> str:
    """Deploy to the emulator at ``url``, with ``changed`` parameters; return SAM's output.

    :raises DeployFailed: when ``sam deploy`` fails.
    """
    parameters = [*load_parameters(ENVIRONMENT), *changed]
    template = apply_overlay(
        parse_yaml((_BUILD / "template.yaml").read_text("utf-8")), load_overlay()
    )
    text = yaml.safe_dump(template, sort_keys=False)
    _TEMPLATE.write_text(stamp_template(text, compute_fingerprint(parameters, "")), "utf-8")
    settings = ("--config-file", str(CONFIG_FILE), "--config-env", ENVIRONMENT)
    overrides = ("--parameter-overrides", *parameters) if changed else ()
    return _run_sam(
        ["deploy", *settings, "--template-file", str(_TEMPLATE), "--no-progressbar", *overrides],
        build_root_environment(url),
    )


def build_root_environment(url: str) -> dict[str, str]:
    """Return the environment of a command that calls the emulator at ``url`` as root."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
    }


def _run_sam(arguments: list[str], environment: Mapping[str, str]) -> str:
    try:
        ended = subprocess.run(
            ["sam", *arguments], cwd=CONFIG_FILE.parent, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=_SAM_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise DeployFailed(f"sam {arguments[0]}: no end after {_SAM_SECONDS} s") from error
    with LOG_FILE.open("a", encoding="utf-8") as log:
        log.write(ended.stdout)
    if ended.returncode:
        last = (ended.stdout.strip().splitlines() or ["no output"])[-1]
        raise DeployFailed(f"sam {arguments[0]}: failed ({last}); read {LOG_FILE}")
    return ended.stdout
