"""A deploy reaches what calls ``live``: SAM publishes a version only where it sees a change, and
sees neither a layer's content nor a parameter's value by itself.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.packaging.sam_build import FUNCTIONS, ROOT
from tools import stamp
from tools.stack import StackNotFound
from tools.stamp import compute_fingerprint, stamp_template

SOURCE = (ROOT / "template.yaml").read_text()
PUBLISHED = {name for name, body in FUNCTIONS.items() if "AutoPublishAlias" in body["Properties"]}


def versions(folder: Path, template: str) -> dict[str, str]:
    """The version that each published function's alias leads to, by function."""
    from tools.transform_template import (
        translate_template,  # it takes long, in each process of tests
    )

    path = folder / "template.yaml"
    path.write_text(template)
    resources = yaml.safe_load(translate_template("us-east-1", path))["Resources"]
    return {
        alias["Properties"]["FunctionName"]["Ref"]: alias["Properties"]["FunctionVersion"][
            "Fn::GetAtt"
        ][0]
        for alias in resources.values()
        if alias["Type"] == "AWS::Lambda::Alias"
    }


def packaged(layer: str) -> str:
    """The template as it is uploaded, with the layer's artefact in it."""
    assert SOURCE.count("ContentUri: layers/waypost") == 1
    return SOURCE.replace("ContentUri: layers/waypost", f"ContentUri: s3://artefacts/{layer}")


def test_new_code_in_the_layer_is_a_new_version_of_every_function_behind_an_alias(tmp_path):
    before, after = (versions(tmp_path, packaged(layer)) for layer in ("one", "two"))
    assert set(before) == set(after) == PUBLISHED
    assert not [name for name in PUBLISHED if before[name] == after[name]]


def test_the_same_code_is_the_same_version(tmp_path):
    assert versions(tmp_path, packaged("one")) == versions(tmp_path, packaged("one"))


def test_other_parameters_are_a_new_version_of_every_function_behind_an_alias(tmp_path):
    before, after = (
        versions(tmp_path, stamp_template(packaged("one"), mark)) for mark in ("aaaa", "bbbb")
    )
    assert not [name for name in PUBLISHED if before[name] == after[name]]


@pytest.mark.parametrize("function", sorted(PUBLISHED))
def test_every_function_behind_an_alias_is_marked_with_its_parameters(function):
    variables = FUNCTIONS[function]["Properties"]["Environment"]["Variables"]
    assert variables["DEPLOYED_WITH"] == "unstamped"


def test_a_mark_says_which_parameters_and_nothing_else():
    given = ["RegionLabel=us", "RetentionDays=30"]
    assert compute_fingerprint(given, "") == compute_fingerprint(list(reversed(given)), "")
    assert compute_fingerprint(given, "") != compute_fingerprint([*given, "OriginLock=closed"], "")
    assert compute_fingerprint(given, "") != compute_fingerprint(
        given, "--parameter-overrides OriginLock=closed"
    )


def test_a_template_without_a_place_for_the_mark_is_refused():
    with pytest.raises(SystemExit, match="DEPLOYED_WITH"):
        stamp_template("Resources: {}", "aaaa")


def test_what_was_built_is_marked_in_place_and_anew_at_every_deploy(tmp_path, monkeypatch):
    built = tmp_path / "template.yaml"
    built.write_text(SOURCE)
    monkeypatch.setattr(stamp, "BUILT_TEMPLATE", built)
    assert stamp.main(["--env", "us", "--more", ""]) == 0
    first = built.read_text()
    assert stamp.main(["--env", "us", "--more=--parameter-overrides OriginLock=closed"]) == 0
    assert "DEPLOYED_WITH: unstamped" not in first
    assert len({SOURCE, first, built.read_text()}) == 3


def test_an_unknown_environment_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stamp, "BUILT_TEMPLATE", tmp_path / "template.yaml")
    with pytest.raises(StackNotFound, match="nowhere"):
        stamp.main(["--env", "nowhere"])


def test_a_deploy_builds_then_marks_then_uploads():
    ran = subprocess.run(
        ["make", "--dry-run", "deploy", "ENV=us"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    steps = ["sam build", "tools.stamp --env 'us'", "sam deploy --config-env 'us'"]
    places = [ran.stdout.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
