"""Marks the built template with the parameters that it is deployed with.

    make deploy ENV=us        does so between ``sam build`` and ``sam deploy``

SAM publishes a version of a function, to which ``live`` then leads, where the function's own lines
of the template changed. A parameter stands there by its name alone: whatever its value, the lines
stay the same, and the function that is called keeps the value it had. With the mark, a fingerprint
of all parameters, they differ.
"""

from __future__ import annotations

import re
import sys
import tomllib
from hashlib import sha256
from typing import Final

from tools import cli
from tools.cli import EXIT_DONE
from tools.stack import CONFIG_FILE, DeployedStack

BUILT_TEMPLATE: Final = CONFIG_FILE.parent / ".aws-sam/build/template.yaml"

_PLACEHOLDER: Final = re.compile(r"(\bDEPLOYED_WITH: )\S+")


def main(arguments: list[str] | None = None) -> int:
    """Write the mark of an environment's parameters into what was built."""
    parser = cli.build_parser("stamp", __doc__)
    parser.add_argument("--more", default="", help="what else `sam deploy` is told")
    options = parser.parse_args(arguments)
    mark = compute_fingerprint(load_parameters(options.env), options.more)
    BUILT_TEMPLATE.write_text(stamp_template(BUILT_TEMPLATE.read_text("utf-8"), mark), "utf-8")
    print(f"Deploying with parameters {mark}")
    return EXIT_DONE


def load_parameters(environment: str) -> list[str]:
    """What samconfig.toml sets for an environment. Raises NoStack for an unknown one."""
    DeployedStack.from_environment(environment)
    deploy = tomllib.loads(CONFIG_FILE.read_text("utf-8"))[environment]["deploy"]["parameters"]
    return list(deploy.get("parameter_overrides", []))


def compute_fingerprint(parameters: list[str], more: str) -> str:
    """The same for the same parameters, in whatever order."""
    return sha256("\n".join([*sorted(parameters), more]).encode()).hexdigest()[:12]


def stamp_template(template: str, fingerprint: str) -> str:
    """A template with the mark in every place for it. Ends the process where it has none."""
    marked, places = _PLACEHOLDER.subn(rf"\g<1>{fingerprint}", template)
    if not places:
        sys.exit("the template has no DEPLOYED_WITH: its functions would keep old parameters")
    return marked


if __name__ == "__main__":
    cli.run_command(main)
