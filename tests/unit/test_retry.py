"""``waypost.retry``: attempts, exceptions and pauses."""

from __future__ import annotations

import pytest

from waypost.retry import Backoff, call_with_retry


class FlakyCall:
    """Raises the errors in order, then returns the number of calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def test_a_call_is_repeated_until_it_succeeds() -> None:
    assert call_with_retry(FlakyCall(OSError()), attempts=3, retry_on=OSError) == 2


def test_the_last_attempts_error_passes() -> None:
    call = FlakyCall(OSError("first"), OSError("second"), OSError("third"))
    with pytest.raises(OSError, match="second"):
        call_with_retry(call, attempts=2, retry_on=OSError)
    assert call.calls == 2


def test_other_errors_pass_at_once() -> None:
    call = FlakyCall(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011 - raised by the test itself
        call_with_retry(call, attempts=3, retry_on=(OSError, KeyError))
    assert call.calls == 1


def test_one_attempt_is_not_repeated() -> None:
    call = FlakyCall(OSError())
    with pytest.raises(OSError):  # noqa: PT011 - raised by the test itself
        call_with_retry(call, attempts=1, retry_on=OSError)
    assert call.calls == 1


def test_the_hook_runs_between_attempts_with_the_number_of_failures() -> None:
    failures: list[int] = []
    call = FlakyCall(*[OSError()] * 5)
    with pytest.raises(OSError):  # noqa: PT011 - raised by the test itself
        call_with_retry(call, attempts=4, retry_on=OSError, before_retry=failures.append)
    assert failures == [1, 2, 3]


def test_full_jitter_draws_from_zero_to_a_pause_that_doubles_up_to_its_maximum() -> None:
    for share in (0.0, 0.25, 1.0):
        pauses: list[float] = []
        backoff = Backoff(0.5, 3.0, sleep=pauses.append, random=lambda share=share: share)  # type: ignore[misc]
        for failures in (1, 2, 3, 4, 5):
            backoff.wait(failures)
        assert pauses == [longest * share for longest in (0.5, 1.0, 2.0, 3.0, 3.0)]


def test_a_fixed_share_is_the_shortest_pause() -> None:
    pauses: list[float] = []
    for share in (0.0, 1.0):
        Backoff(2.0, fixed_share=0.5, sleep=pauses.append, random=lambda share=share: share).wait(1)  # type: ignore[misc]
    assert pauses == [1.0, 2.0]
