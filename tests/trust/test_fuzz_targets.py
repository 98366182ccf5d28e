"""The properties of ``make fuzz`` hold for random mutations of their seeds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Final, TypeAlias

import pytest

from fuzz.output import describe_output
from fuzz.targets import TARGETS
from tests.trust.attempts import count_attempts
from tests.trust.call_budget import run_within_calls

MAX_RENDERING_BYTES: Final = 32 * 1024 * 1024
"""Some copies of a text of the maximum size; an unlimited range takes a hundred times as much."""
Mutation: TypeAlias = Callable[[Random, bytes], bytes]
PIECES: Final = (
    *(b"\0", b"\r\n", b'"', b"\\", b"%", b"{{", b"%}", b"&#x", b"=3D", b"--", b"://", b"9" * 5_000),
    *("é".encode(), "\u2028".encode(), b"\xff", b"null", b"1.5", b"[", b"{", b"\x7f", b"<", b"@"),
)


def flip_bit(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def insert_piece(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + random.choice(PIECES) + data[at:]


def delete_bytes(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at + random.randint(1, 8) :]


def repeat_bytes(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at : at + 20] * random.randint(2, 20) + data[at:]


MUTATIONS: Final[tuple[Mutation, ...]] = (flip_bit, insert_piece, delete_bytes, repeat_bytes)


@pytest.mark.parametrize("name", TARGETS)
def test_property_holds_for_mutations_of_its_seeds(name: str, random: Random) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        run_within_calls(target.count_allowed_calls(seed), partial(target.run, seed))
    for _ in range(count_attempts(short=150, long=4_000)):
        data = random.choice(target.seeds)
        for mutate in random.choices(MUTATIONS, k=random.randint(1, 4)):
            data = mutate(random, data) or data
        run_within_calls(target.count_allowed_calls(data), partial(target.run, data))


@pytest.mark.parametrize("name", ["filters", "limits", "liquid"])
def test_rendering_takes_bounded_memory(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)
    tracemalloc.start()
    try:
        for seed in target.seeds:
            tracemalloc.reset_peak()
            target.run(seed)
            _, peak = tracemalloc.get_traced_memory()
            assert peak < MAX_RENDERING_BYTES, seed
    finally:
        tracemalloc.stop()


def test_function_that_never_ends_is_stopped() -> None:
    def loop() -> None:
        while True:
            with suppress(Exception):
                len("")

    with pytest.raises(AssertionError, match="more than 1,000 calls"):
        run_within_calls(1_000, loop)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("#9 pulse\nDone 12018 runs in 6 second(s)\n", "12,018 inputs"),
        (
            (
                " === Uncaught Python exception: ===\nAssertionError: no z\nTraceback …\n"
                "artifact_prefix='x'; Test unit written to build/fuzz/html-crash-1\n"
            ),
            "FAILED: AssertionError: no z (build/fuzz/html-crash-1)",
        ),
        (
            "Test unit written to build/fuzz/html-oom-1\nSUMMARY: libFuzzer: out-of-memory\n",
            "FAILED: out-of-memory (build/fuzz/html-oom-1)",
        ),
        ("Traceback …\nImportError: no atheris\n", "FAILED: ImportError: no atheris (no input)"),
        ("Killed\n", "FAILED: ended without a reason (no input)"),
        ("", "FAILED: ended without a reason (no input)"),
    ],
)
def test_result_of_a_fuzzer_is_one_line(output: str, line: str) -> None:
    assert describe_output(output, holds="Done" in output) == line


def test_fuzzer_that_tried_no_input_failed() -> None:
    assert describe_output("", holds=True) == "FAILED: ended without a reason (no input)"
