"""Print template.yaml after the SAM transform, for one region.

Linters do not look into serverless resources, but they check the CloudFormation resources that the
transform creates, canaries included (a first deploy has none).

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
    """An empty list of managed policies: the template names its policies by ARN."""

    def load(self) -> dict[str, str]:
        return {}


def translate_template(region: str, template: Path = TEMPLATE) -> str:
    """Transform a template, and return it as YAML.

    :raises InvalidSamDocumentException: when the transform rejects the template.
    """
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it logs its feature flags
    validator = SamTemplateValidator(
        yaml_parse(template.read_text()),
        NoManagedPolicies(),
        region=region,
        parameter_overrides={"Canary": "true"},
    )
    return str(validator.get_translated_template_if_valid())


if __name__ == "__main__":
    try:
        print(translate_template(sys.argv[1]))
    except InvalidSamDocumentException as error:
        sys.exit(f"{TEMPLATE.name}: {error}")
