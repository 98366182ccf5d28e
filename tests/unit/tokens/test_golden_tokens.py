"""Links are valid for ever: every version reads these tokens of version 1."""

import json
from pathlib import Path
from typing import cast

import pytest

from waypost.tokens import ClickToken, TokenSealer

VECTORS = json.loads((Path(__file__).parent / "golden_v1.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_golden_link_of_version_1_opens(sealer: TokenSealer, vector: dict[str, object]) -> None:
    fields = dict(cast(dict[str, object], vector["token"]))
    fields["stored_digest"] = fields.pop("stored")  # the vectors have the field's first name
    assert sealer.open(str(vector["sealed"])) == ClickToken(**fields)  # type: ignore[arg-type]


def test_golden_vectors_cover_every_form_and_encoding() -> None:
    assert len(VECTORS) >= 8
    assert any(v["token"]["stored"] for v in VECTORS)
    assert any(v["token"]["person"] is None for v in VECTORS)
