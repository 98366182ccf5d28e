"""Load the embedded stack for a minute, and check that no request fails and memory does not grow.

    python -m bench.load [seconds]        needs wrk (packages of Debian and Homebrew)

wrk clicks the links of a mailing's recipients in turn over HTTP, through the emulated CloudFront
and API Gateway into the redirect's processes, while the tally counts. The throughput of this
machine does not carry over to AWS, but the absence of errors, losses and leaks does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from local.stack import EmbeddedStack

SECONDS, RECIPIENTS, CONNECTIONS = 60, 500, 8
SAMPLE_SECONDS = 2.0
WARMUP_SAMPLES = 5
"""First samples of a process, which are ignored: it still loads modules."""
HTML = "".join(f'<a href="https://shop.example.com/{n}">n</a>' for n in range(5))
SCRIPT = """\
local paths = {{{paths}}}
local number = 0
request = function()
  number = number % #paths + 1
  return wrk.format("GET", paths[number])
end
response = function(status) if status ~= 302 then wrong = (wrong or 0) + 1 end end
local threads = {{}}
setup = function(thread) table.insert(threads, thread) end
done = function(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + (thread:get("wrong") or 0) end
  local e = summary.errors
  io.write(string.format('\\nRESULT {{"requests": %d, "seconds": %.2f, "wrong": %d, "failed": %d, '
    .. '"p50": %.2f, "p99": %.2f}}\\n', summary.requests, summary.duration / 1e6, wrong,
    e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def create_tracking_paths(stack: EmbeddedStack) -> list[str]:
    """Rewrite a mailing, and return the paths of its tracking links."""
    body = {
        "workspace": "acme",
        "campaign": "load",
        "kind": "broadcast",
        "channel": "email",
        "content": {"html": HTML},
        "recipients": [{"delivery": f"d{n}", "person": f"p{n}"} for n in range(RECIPIENTS)],
    }
    answer = json.loads(stack.invoke("RewriteFunction", body).payload)
    messages = "".join(each["content"]["html"] for each in answer["deliveries"])
    return re.findall(r"/e/c/[\w-]+/[\w-]+", messages)


class MemorySampler(threading.Thread):
    """Samples the resident memory of the functions' processes, in MB, every two seconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: dict[int, list[float]] = {}
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            for pid, size in _list_processes():
                self.samples.setdefault(pid, []).append(size)

    def stop(self) -> None:
        self._done.set()
        self.join()

    def measure_growth(self) -> list[tuple[float, float]]:
        """Compute each warm process's median sizes in the first third and in the last."""
        settled = [sizes[WARMUP_SAMPLES:] for sizes in self.samples.values()]
        long_ones = [sizes for sizes in settled if len(sizes) >= 6]
        return [(_median(s[: len(s) // 3]), _median(s[-(len(s) // 3) :])) for s in long_ones]


def _median(sizes: list[float]) -> float:
    return sorted(sizes)[len(sizes) // 2]


def _list_processes() -> list[tuple[int, float]]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(") ")[2].split()[1])
            if parent == os.getpid() and b"awslambdaric" in (process / "cmdline").read_bytes():
                pages = int((process / "statm").read_text().split()[1])
                found.append((int(process.name), pages * 4096 / 1e6))
        except OSError:
            continue  # the process has ended
    return found


def run_wrk(stack: EmbeddedStack, seconds: int) -> dict[str, float]:
    """Run wrk, and parse its result."""
    paths = ",".join(f'"{path}"' for path in create_tracking_paths(stack))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(paths=paths))
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout=10s", "--latency"]
        run = subprocess.run(
            ["wrk", *options, "-s", script.name, stack.url],
            capture_output=True,
            text=True,
            check=True,
        )
    result: dict[str, float] = json.loads(run.stdout.rpartition("RESULT ")[2])
    return result


def fetch_report(stack: EmbeddedStack) -> dict[str, Any]:
    """Fetch the campaign's report when all clicks are counted."""
    if not stack.wait_until_counted(timeout=300):
        raise RuntimeError("tally: clicks not counted within 300 s")
    url = f"{stack.url}/v1/workspaces/acme/campaigns/load"
    with urllib.request.urlopen(url) as answer:
        report: dict[str, Any] = json.load(answer)
    return report


def main() -> int:
    """Run the load; return 1 if a request failed, a click was lost or memory grew."""
    if shutil.which("wrk") is None:
        print("skipped: wrk is not installed; Debian, Ubuntu and Homebrew have a package wrk")
        return 0
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with EmbeddedStack() as stack:
        memory = MemorySampler()
        memory.start()
        result = run_wrk(stack, seconds)
        memory.stop()
        started = time.perf_counter()
        clicks = fetch_report(stack)["clicks"]["total"]
        lag = time.perf_counter() - started
    growth = memory.measure_growth()
    print(
        f"{CONNECTIONS} connections for {result['seconds']:.0f} s on links of {RECIPIENTS} people"
    )
    print(f"requests            {result['requests']:>10,.0f}")
    print(f"other responses     {result['wrong']:>10,.0f}")
    print(f"failed              {result['failed']:>10,.0f}")
    print(f"counted             {clicks:>10,}   {lag:.1f} s after the last")
    print(f"p50, p99 in ms      {result['p50']:>10.1f} {result['p99']:.1f}")
    for before, after in sorted(growth, key=lambda pair: -pair[1]):
        print(f"a function's memory {before:>10.1f} MB, then {after:.1f} MB")
    # The response of a connection's last request may come after wrk has ended.
    has_lost_clicks = not result["requests"] <= clicks <= result["requests"] + CONNECTIONS
    has_grown = any(after > before * 1.1 + 2 for before, after in growth)
    return int(bool(result["wrong"] or result["failed"] or has_lost_clicks or has_grown))


if __name__ == "__main__":
    sys.exit(main())
