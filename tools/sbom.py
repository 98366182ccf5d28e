"""What the layer is made of, as a bill of materials in CycloneDX 1.6 (JSON), from what was built.

    python -m tools.sbom FOLDER >build/sbom.cdx.json        FOLDER: the layer's python folder

A function's own folder holds only code of ours, so the layer is all there is to tell. Versions and
licences are those of each distribution's METADATA; its files are compared with its RECORD first,
whose digest then stands for all of them. The same build gives the same document, byte by byte.
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
"""How METADATA names licences that SPDX names otherwise. The BSD ones here are of three clauses."""
_LICENCE_OVERRIDES: Final = {"crawler-user-agents": "MIT"}
"""Of distributions whose METADATA names none: what the file LICENSE beside it is."""


def main(folder: str) -> int:
    """Print the bill of a built layer. 1 where its files are not those of its RECORDs."""
    distributions = sorted(find_distributions(Path(folder)), key=normalize_name)
    spoilt = [file for each in distributions for file in find_changed_files(each)]
    for file in spoilt:
        print(f"{file} is not what its RECORD says", file=sys.stderr)
    if not distributions:
        print(f"{folder} holds no distribution; `make build` makes the layer", file=sys.stderr)
    if spoilt or not distributions:
        return 1
    print(json.dumps(build_document(distributions), indent=2))
    return 0


def find_distributions(folder: Path) -> Iterator[Distribution]:
    """The distributions that were installed into a folder."""
    return (PathDistribution(info) for info in folder.glob("*.dist-info"))


def build_document(distributions: list[Distribution]) -> dict[str, Any]:
    """The bill of materials of these distributions."""
    components = [build_component(each) for each in distributions]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    own = {
        "type": "application",
        "bom-ref": "waypost",
        "name": project["name"],
        "version": project["version"],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    listed = [each["bom-ref"] for each in components]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(components))}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": "waypost", "dependsOn": listed}],
    }


def build_component(distribution: Distribution) -> dict[str, Any]:
    """One distribution. ``record``: the digest of the list of its files and their digests."""
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
    """The licences as an SPDX expression. Raises ValueError where nobody names one."""
    metadata: Message = distribution.metadata  # type: ignore[assignment]  # it is one
    if given := metadata.get("License-Expression"):
        return str(given)
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
        raise ValueError(f"{normalize_name(distribution)} names no licence")
    return " OR ".join(dict.fromkeys(_SPDX.get(name, name) for name in names))


def find_changed_files(distribution: Distribution) -> Iterator[Path]:
    """Files that are there and differ from what RECORD says; what a build leaves out is fine."""
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if file.hash is None or not path.is_file():
            continue
        digest = urlsafe_b64encode(sha256(path.read_bytes()).digest()).decode().rstrip("=")
        if (file.hash.mode, file.hash.value) != ("sha256", digest):
            yield path


def normalize_name(distribution: Distribution) -> str:
    """The name in the one spelling that package URLs have."""
    return distribution.name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
