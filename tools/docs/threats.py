"""Compare the threat model with the code: ``make docs-check``.

``python -m tools.docs.threats`` lists the entry points of the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from local.template import Resource, Template, load_template
from tests.trust.threat_model import THREAT_MODEL, ThreatModel
from tools.docs.pages import ROOT
from waypost import client
from waypost.web.app import PAGE_VIEWS

_STORES: Final = {
    "AWS::DynamoDB::Table": "table",
    "AWS::Events::EventBus": "bus",
    "AWS::S3::Bucket": "bucket",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::SNS::Topic": "topic",
    "AWS::SQS::Queue": "queue",
}
_FUNCTIONS: Final = {"AWS::Serverless::Function", "AWS::CloudFront::Function"}
_COMMAND: Final = re.compile(r"\bpython -m ((?:tools|local|fuzz)(?:\.\w+)*)")


def list_sources() -> list[str]:
    """List the names of all entry points of the code, each once."""
    template = load_template(ROOT / "template.yaml")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    names = chain(
        _list_template_sources(template),
        (f"page {name}" for name in PAGE_VIEWS),
        (f"command {name}" for name in sorted(_COMMAND.findall(makefile))),
        (f"{client.__name__}.{name}" for name in client.__all__),
    )
    return list(dict.fromkeys(names))


def _list_template_sources(template: Template) -> Iterator[str]:
    for name, resource in template.resources.items():
        if resource.type in _FUNCTIONS:
            yield f"function {name}"
            yield from _list_event_sources(resource)
        elif resource.type in _STORES:
            yield f"{_STORES[resource.type]} {name}"
    yield from (f"bucket {name}" for name in template.parameters if name.endswith("Bucket"))


def _list_event_sources(function: Resource) -> Iterator[str]:
    """List what invokes a function; a queue is listed as a resource.

    Raises ValueError for a type of event that this function does not know.
    """
    events: Any = function.properties.get("Events", {})
    for name, event in events.items():
        properties = event["Properties"]
        match event["Type"]:
            case "HttpApi" if "Path" in properties:
                yield f"{properties['Method']} {properties['Path']}"
            case "HttpApi":
                yield f"$default of {properties['ApiId']['Ref']}"
            case "DynamoDB":
                yield f"stream of {properties['Stream']['Fn::GetAtt'][0]}"
            case "Schedule":
                yield f"schedule {name} of {function.logical_id}"
            case "SQS":
                pass
            case other:
                raise ValueError(f"{function.logical_id}.{name}: unknown event type ({other})")


def list_trust_tests() -> set[str]:
    """List the tests in tests/trust as ``file::function``."""
    return {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests/trust").glob("test_*.py")
        for name in _list_tests(path)
    }


def has_test(name: str) -> bool:
    """Check that a test exists; its name is ``file::function``."""
    path, _, function = name.partition("::")
    return (ROOT / path).is_file() and function in _list_tests(ROOT / path)


@cache
def _list_tests(path: Path) -> set[str]:
    nodes = ast.parse(path.read_text("utf-8")).body
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


def find_threat_errors(
    model: ThreatModel, sources: Collection[str], trust_tests: Collection[str]
) -> Iterator[str]:
    """Find the gaps of a threat model, one line each."""
    yield from _find_source_errors(model, sources)
    yield from _find_test_errors(model, trust_tests)
    for entry in model.entry_points:
        unknown = {*entry.actors} - {*model.actors} | {*entry.assets} - {*model.assets}
        yield from (f"{entry.name}: unknown actor or asset ({name})" for name in sorted(unknown))
        if not (entry.actors and entry.assets and entry.threats):
            yield f"{entry.name}: no actor, asset or threat; add one"
    used = {name for entry in model.entry_points for name in (*entry.actors, *entry.assets)}
    for name in sorted({*model.actors, *model.assets} - used):
        yield f"{name}: no entry point names it; remove it"


def _find_source_errors(model: ThreatModel, sources: Collection[str]) -> Iterator[str]:
    patterns = [pattern for entry in model.entry_points for pattern in entry.sources]
    for source in sources:
        number = sum(fnmatchcase(source, pattern) for pattern in patterns)
        if number != 1:
            yield f"{source}: {number} entry points; name it in one"
    for pattern in patterns:
        if not any(fnmatchcase(source, pattern) for source in sources):
            yield f"{pattern}: no such entry point in the code"


def _find_test_errors(model: ThreatModel, trust_tests: Collection[str]) -> Iterator[str]:
    named = set()
    for entry in model.entry_points:
        for row in entry.threats:
            named |= {*row.tests}
            if not (row.mitigation and row.tests):
                yield f"{entry.name}: {row.threat}: no mitigation or test; add one"
    yield from (f"{name}: no such test" for name in sorted(named) if not has_test(name))
    for name in sorted({*trust_tests} - named):
        yield f"{name}: no threat names this test; add it to a row"


def find_model_errors() -> list[str]:
    """Find the gaps of the project's threat model, one line each."""
    errors = find_threat_errors(THREAT_MODEL, list_sources(), list_trust_tests())
    return [f"tests/trust/threats.toml: {error}" for error in errors]


if __name__ == "__main__":
    print("\n".join(list_sources()))
