"""The bill of materials names what `sam build` put into the layer, no more and no less."""

import json
import re

from tests.packaging.sam_build import ROOT
from tools import sbom


def test_built_layer_has_the_versions_of_the_lock(lambda_build, capsys):
    assert sbom.main(str(lambda_build.layer_folder)) == 0
    told = {
        each["name"]: each["version"] for each in json.loads(capsys.readouterr().out)["components"]
    }
    lock = (ROOT / "layers/waypost/requirements.txt").read_text()
    assert told == dict(re.findall(r"^([a-z0-9-]+)==([^ \\]+)", lock, re.MULTILINE))


def test_functions_contain_no_libraries(lambda_build):
    folders = [each for each in lambda_build.folder.iterdir() if each.name.endswith("Function")]
    assert folders
    assert not [found for each in folders for found in each.rglob("*.dist-info")]
