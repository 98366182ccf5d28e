"""Prints template.yaml as CloudFormation gets it: serverless resources spelt out, for one region.

Linters look at a serverless resource only from outside; here they see what it turns into, canaries
included, which a first deploy goes without. Usage:

    python -m tools.transform_template eu-west-1 > build/template.eu-west-1.yaml
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from samcli.commands.validate.lib.exceptions import InvalidSamDocumentException
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

TEMPLATE = Path(__file__).parent.parent / "template.yaml"


class NoManagedPolicies:
    """Stands for the account's list of policies: the template names none by its bare name."""

    def load(self) -> dict[str, str]:
        return {}


def translate_template(region: str, template: Path = TEMPLATE) -> str:
    """The template after the serverless transform, as YAML.

    Raises InvalidSamDocumentException where the transform refuses it, saying what and where.
    """
    validator = SamTemplateValidator(
        yaml_parse(template.read_text()),
        NoManagedPolicies(),
        region=region,
        parameter_overrides={"Canary": "true"},
    )
    return str(validator.get_translated_template_if_valid())


if __name__ == "__main__":
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # its feature flags are no news
    try:
        print(translate_template(sys.argv[1]))
    except InvalidSamDocumentException as refused:
        sys.exit(f"{TEMPLATE.name}: {refused}")
