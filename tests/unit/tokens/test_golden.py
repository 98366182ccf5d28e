"""Links live for ever: what these tokens carried when they were written, every version reads."""

import json
from pathlib import Path

import pytest

from waypost.tokens import ClickToken, Sealer

VECTORS = json.loads((Path(__file__).parent / "golden_v1.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_a_link_of_version_1_opens(sealer: Sealer, vector: dict[str, object]) -> None:
    assert sealer.open(str(vector["sealed"])) == ClickToken(**vector["token"])  # type: ignore[arg-type]


def test_the_vectors_cover_every_form_and_way_of_holding() -> None:
    assert len(VECTORS) >= 8
    assert any(v["token"]["stored"] for v in VECTORS)
    assert any(v["token"]["person"] is None for v in VECTORS)
