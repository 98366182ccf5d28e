"""The bill of materials describes the build, follows CycloneDX, and has permissive licences only,
which allow distribution under the MIT licence.
"""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, Final

import pytest

from tools import sbom

ROOT: Final = Path(__file__).parents[2]
LAYER: Final = (ROOT / "layers/waypost/requirements.txt").read_text("utf-8")
PINNED: Final = dict(re.findall(r"^([a-z0-9-]+)==([^ \\]+)", LAYER, re.MULTILINE))
PERMISSIVE: Final = {"Apache-2.0", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0"}


@pytest.fixture
def installed() -> list[Distribution]:
    """The layer's libraries, as installed here."""
    return [distribution(name) for name in PINNED]


@pytest.mark.parametrize("name", PINNED)
def test_licence_of_every_library_is_permissive(name: str) -> None:
    licences = set(sbom.build_license_expression(distribution(name)).split(" OR "))
    assert licences & PERMISSIVE, licences


def test_document_follows_cyclonedx_1_6(installed: list[Distribution]) -> None:
    """Test the rules of CycloneDX 1.6 for the parts that the document uses."""
    made = sbom.build_document(installed)
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    uuid = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, made["serialNumber"])
    own = made["metadata"]["component"]
    refs = [own["bom-ref"], *(each["bom-ref"] for each in made["components"])]
    assert len(set(refs)) == len(refs)
    for each in made["components"]:
        assert {"type", "name", "version", "purl", "licenses"} <= set(each)
        assert each["type"] == "library"
        assert [set(licence) for licence in each["licenses"]] == [{"expression"}]
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert all(set(named) == {"name", "value"} for named in each["properties"])
    [root] = made["dependencies"]
    assert (root["ref"], root["dependsOn"]) == (own["bom-ref"], refs[1:])
    assert {each["name"]: each["version"] for each in made["components"]} == PINNED


def test_same_build_has_the_same_document(installed: list[Distribution]) -> None:
    assert json.dumps(sbom.build_document(installed)) == json.dumps(sbom.build_document(installed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built layer with one library."""
    source = distribution("itsdangerous")
    for file in source.files or ():
        if not str(file).startswith("..") and file.suffix != ".pyc":
            place = tmp_path / str(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), place)
    return tmp_path


def read_document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_document_describes_a_built_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sbom.main(str(folder)) == 0
    [told] = read_document(capsys)["components"]
    assert (told["name"], told["version"]) == ("itsdangerous", PINNED["itsdangerous"])
    assert told["licenses"] == [{"expression": "BSD-3-Clause"}]


def test_file_that_differs_from_its_record_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "itsdangerous/signer.py").write_text("print('mine')")
    assert sbom.main(str(folder)) == 1
    assert "itsdangerous/signer.py: differs from its RECORD" in capsys.readouterr().err


def test_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sbom.main(str(tmp_path)) == 1
    assert "make build" in capsys.readouterr().err
