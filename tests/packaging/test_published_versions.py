"""Test that each deploy publishes versions for the alias ``live``.

SAM publishes a version only if the function changes in the template; changed layer code or
parameters need a changed property.
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


def load_alias_versions(folder: Path, template: str) -> dict[str, str]:
    """Return the version of each alias, by function."""
    from tools.transform_template import (
        translate_template,  # a slow import, in each xdist process
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


def build_packaged_template(layer: str) -> str:
    """Return the template as it is uploaded, with the URI of the layer's artefact."""
    assert SOURCE.count("ContentUri: layers/waypost") == 1
    return SOURCE.replace("ContentUri: layers/waypost", f"ContentUri: s3://artefacts/{layer}")


def test_new_layer_code_publishes_a_version_of_every_aliased_function(tmp_path):
    before, after = (
        load_alias_versions(tmp_path, build_packaged_template(layer)) for layer in ("one", "two")
    )
    assert set(before) == set(after) == PUBLISHED
    assert not [name for name in PUBLISHED if before[name] == after[name]]


def test_same_code_has_the_same_version(tmp_path):
    assert load_alias_versions(tmp_path, build_packaged_template("one")) == load_alias_versions(
        tmp_path, build_packaged_template("one")
    )


def test_changed_parameters_publish_a_version_of_every_aliased_function(tmp_path):
    before, after = (
        load_alias_versions(tmp_path, stamp_template(build_packaged_template("one"), mark))
        for mark in ("aaaa", "bbbb")
    )
    assert not [name for name in PUBLISHED if before[name] == after[name]]


@pytest.mark.parametrize("function", sorted(PUBLISHED))
def test_every_aliased_function_has_the_parameter_fingerprint(function):
    variables = FUNCTIONS[function]["Properties"]["Environment"]["Variables"]
    assert variables["DEPLOYED_WITH"] == "unstamped"


def test_fingerprint_depends_only_on_the_parameters():
    given = ["RegionLabel=us", "RetentionDays=30"]
    assert compute_fingerprint(given, "") == compute_fingerprint(list(reversed(given)), "")
    assert compute_fingerprint(given, "") != compute_fingerprint([*given, "OriginLock=closed"], "")
    assert compute_fingerprint(given, "") != compute_fingerprint(
        given, "--parameter-overrides OriginLock=closed"
    )


def test_template_without_a_fingerprint_variable_is_refused():
    with pytest.raises(SystemExit, match="DEPLOYED_WITH"):
        stamp_template("Resources: {}", "aaaa")


def test_built_template_gets_the_current_fingerprint_at_every_deploy(tmp_path, monkeypatch):
    built = tmp_path / "template.yaml"
    built.write_text(SOURCE)
    monkeypatch.setattr(stamp, "BUILT_TEMPLATE", built)
    assert stamp.main(["--env", "us", "--more", ""]) == 0
    first = built.read_text()
    assert stamp.main(["--env", "us", "--more=--parameter-overrides OriginLock=closed"]) == 0
    assert "DEPLOYED_WITH: unstamped" not in first
    assert len({SOURCE, first, built.read_text()}) == 3


def test_stamp_refuses_an_unknown_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(stamp, "BUILT_TEMPLATE", tmp_path / "template.yaml")
    with pytest.raises(StackNotFound, match="nowhere"):
        stamp.main(["--env", "nowhere"])


def test_deploy_builds_then_stamps_then_uploads():
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
