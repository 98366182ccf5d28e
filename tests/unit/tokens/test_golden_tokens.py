"""Links live for ever: what these tokens carried when they were written, every version reads."""

import json
from pathlib import Path
from typing import cast

import pytest

from waypost.tokens import ClickToken, TokenSealer

VECTORS = json.loads((Path(__file__).parent / "golden_v1.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_a_link_of_version_1_opens(sealer: TokenSealer, vector: dict[str, object]) -> None:
    fields = dict(cast(dict[str, object], vector["token"]))
    fields["stored_digest"] = fields.pop("stored")  # the vectors keep the field's first name
    assert sealer.open(str(vector["sealed"])) == ClickToken(**fields)  # type: ignore[arg-type]


def test_the_vectors_cover_every_form_and_way_of_holding() -> None:
    assert len(VECTORS) >= 8
    assert any(v["token"]["stored"] for v in VECTORS)
    assert any(v["token"]["person"] is None for v in VECTORS)
