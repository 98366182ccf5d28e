"""Stop the processes of functions, as if Lambda had no capacity left for them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from local.stack import EmbeddedStack


@contextmanager
def stop_processes(stack: EmbeddedStack, functions: Iterable[str]) -> Iterator[list[int]]:
    """Stop all live processes of the functions until the context ends; yield their ids.

    A stopped process still occupies its place in the pool, so invocations wait.
    """
    pools = [stack._function_pools.pools[name] for name in functions]
    workers = [worker for pool in pools for worker in pool.workers if worker.is_alive]
    pids = [worker._process.pid for worker in workers if worker._process is not None]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
