"""Write the bill of materials of the built layer, as CycloneDX 1.6 in JSON.

    python -m tools.sbom FOLDER >build/sbom.cdx.json        FOLDER: the layer's python folder

Functions contain only Waypost's own code, so the layer has all libraries. Versions and licences are
from each distribution's METADATA. The files are compared with RECORD, whose digest stands for all
of them. The same build gives the same document, byte for byte.
"""

from __future__ import annotations

import json
import sys
import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from email.message import Message
from hashlib import sha256
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

ROOT: Final = Path(__file__).parents[1]
_LICENCE: Final = "License :: "
_SPDX: Final = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD-3": "BSD-3-Clause",
    "GNU LGPL v3+": "LGPL-3.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
}
"""SPDX ids of the licences that METADATA names in other words. "BSD" has three clauses here."""
_LICENCE_OVERRIDES: Final = {"crawler-user-agents": "MIT"}
"""Licences of distributions whose METADATA names none, from their LICENSE file."""


def main(folder: str) -> int:
    """Print the bill of materials of a built layer; return 1 if a file differs from its RECORD."""
    distributions = sorted(find_distributions(Path(folder)), key=normalize_name)
    changed = [file for each in distributions for file in find_changed_files(each)]
    for file in changed:
        print(f"{file}: differs from its RECORD; run `make build`", file=sys.stderr)
    if not distributions:
        print(f"{folder}: no distributions; run `make build`", file=sys.stderr)
    if changed or not distributions:
        return 1
    print(json.dumps(build_document(distributions), indent=2))
    return 0


def find_distributions(folder: Path) -> Iterator[Distribution]:
    """Find the distributions installed in a folder."""
    return (PathDistribution(info) for info in folder.glob("*.dist-info"))


def build_document(distributions: list[Distribution]) -> dict[str, Any]:
    """Build the bill of materials of some distributions."""
    components = [build_component(each) for each in distributions]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    application = {
        "type": "application",
        "bom-ref": "waypost",
        "name": project["name"],
        "version": project["version"],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    references = [each["bom-ref"] for each in components]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(components))}",
        "version": 1,
        "metadata": {"component": application},
        "components": components,
        "dependencies": [{"ref": "waypost", "dependsOn": references}],
    }


def build_component(distribution: Distribution) -> dict[str, Any]:
    """Build the entry of one distribution, with the digest of its RECORD."""
    name, version = normalize_name(distribution), distribution.version
    record = sha256((distribution.read_text("RECORD") or "").encode()).hexdigest()
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": [{"expression": build_license_expression(distribution)}],
        "properties": [{"name": "waypost:record:sha-256", "value": record}],
    }


def build_license_expression(distribution: Distribution) -> str:
    """Build the SPDX expression of a distribution's licences.

    :raises ValueError: when no licence is known.
    """
    metadata: Message = distribution.metadata  # type: ignore[assignment]  # it is one
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith(_LICENCE)
    ]
    text = str(metadata.get("License") or "").strip()
    names = (
        classified
        or [text] * bool(text)
        or [_LICENCE_OVERRIDES.get(normalize_name(distribution), "")]
    )
    if not all(names):
        raise ValueError(
            f"{normalize_name(distribution)}: no licence in METADATA; add it to _LICENCE_OVERRIDES"
        )
    return " OR ".join(dict.fromkeys(_SPDX.get(name, name) for name in names))


def find_changed_files(distribution: Distribution) -> Iterator[Path]:
    """Find files that differ from RECORD; the build leaves out some files, which is fine."""
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if file.hash is None or not path.is_file():
            continue
        digest = urlsafe_b64encode(sha256(path.read_bytes()).digest()).decode().rstrip("=")
        if (file.hash.mode, file.hash.value) != ("sha256", digest):
            yield path


def normalize_name(distribution: Distribution) -> str:
    """Normalize a distribution's name as package URLs do."""
    return distribution.name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
