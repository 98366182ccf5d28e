"""Write a fingerprint of the deployment's parameters into the built template.

    make deploy ENV=us        runs it between ``sam build`` and ``sam deploy``

SAM publishes a new version of a function, and moves the alias ``live`` to it, if the function's
lines in the template changed. A parameter's value does not change these lines, so ``live`` would
keep the old value. The fingerprint changes them.
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
    """Stamp the built template with the fingerprint of an environment's parameters."""
    parser = cli.build_parser("stamp", __doc__)
    parser.add_argument("--more", default="", help="further arguments of `sam deploy`")
    options = parser.parse_args(arguments)
    fingerprint = compute_fingerprint(load_parameters(options.env), options.more)
    template = BUILT_TEMPLATE.read_text("utf-8")
    BUILT_TEMPLATE.write_text(stamp_template(template, fingerprint), "utf-8")
    print(f"Deploying with parameters {fingerprint}")
    return EXIT_DONE


def load_parameters(environment: str) -> list[str]:
    """Load an environment's parameters from samconfig.toml.

    :raises StackNotFound: when the environment is unknown.
    """
    DeployedStack.from_environment(environment)
    deploy = tomllib.loads(CONFIG_FILE.read_text("utf-8"))[environment]["deploy"]["parameters"]
    return list(deploy.get("parameter_overrides", []))


def compute_fingerprint(parameters: list[str], more: str) -> str:
    """Compute a fingerprint that does not depend on the order of the parameters."""
    return sha256("\n".join([*sorted(parameters), more]).encode()).hexdigest()[:12]


def stamp_template(template: str, fingerprint: str) -> str:
    """Put the fingerprint into every DEPLOYED_WITH.

    :raises SystemExit: when the template has none.
    """
    stamped, count = _PLACEHOLDER.subn(rf"\g<1>{fingerprint}", template)
    if not count:
        sys.exit("template: no DEPLOYED_WITH, so functions would keep old parameters")
    return stamped


if __name__ == "__main__":
    cli.run_command(main)
