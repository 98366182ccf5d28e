"""Fuzz targets for isolation: names of workspaces, files of workspaces, and cells of exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect
from tests.colliding_names import COLLIDING, OWNER
from tests.fakes import (
    InMemoryObjectStore,
)
from tests.rewrite_harness import create_rewrite_service
from tests.workspace_harness import WorkspaceHarness
from waypost.api.workspace_settings import SettingsChange
from waypost.composition import ApiServices
from waypost.domains.schemas import AddDomainRequest
from waypost.errors import AlreadyExists, WaypostError
from waypost.path_names import encode_path_name
from waypost.reports.csv_export import format_csv
from waypost.reports.share_links import ShareRequest
from waypost.repositories.objects import ObjectUrl
from waypost.rewrite_files.schemas import FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.tokens import Keyring, TokenSealer
from waypost.validation import validate_value

_BUCKET: Final = "files"
_SEALER: Final = TokenSealer(Keyring((b"of the fuzzer, thirty-two bytes or so",)))
_RECIPIENT_LINE: Final = b'{"delivery":"d1"}\n'
_FIGURES: Final = ("2026-11-22T09:00:00.000Z", "2026-11-22T09:00:00.000Z", 3)
_OTHER_FILES: Final = tuple(
    ObjectUrl(_BUCKET, f"{folder}/{name}")
    for folder in ("acme", "wonka")
    for name in ("out", "out.progress", "out.report.json", "new.progress")
)

Operation = Callable[[ApiServices, str], object]


def _ignore_audit(action: str, *, workspace: str, person: str) -> None:
    """Log nothing."""


WRITES: Final[tuple[Operation, ...]] = (
    lambda services, name: services.workspace_settings.change_settings(
        name, SettingsChange(cio_id=False)
    ),
    lambda services, name: services.privacy_requests.opt_out(name, "p1", _ignore_audit),
    lambda services, name: services.privacy_requests.opt_in(name, "p1", _ignore_audit),
    lambda services, name: services.privacy_requests.erase(name, "p1", _ignore_audit),
    lambda services, name: services.share_links.create_link(name, ShareRequest()),
    lambda services, name: services.domain_service.add_domain(
        name, AddDomainRequest(host=f"{name}.shop.example")
    ),
)
READS: Final[tuple[Operation, ...]] = (
    lambda services, name: services.workspace_settings.get_settings(name),
    lambda services, name: services.privacy_requests.get_opt_out(name, "p1"),
    lambda services, name: services.campaign_reports.list_campaigns(name, None, 10),
    lambda services, name: services.people_reports.get_activity(name, "p1", None, 10),
    lambda services, name: services.domain_service.list_domains(name),
    lambda services, name: services.domain_service.remove_domain(name, f"{OWNER}.shop.example"),
)


def fuzz_workspace_names(data: bytes) -> None:
    """Let one name use an id from its first write on, and refuse the other name everywhere."""
    harness = WorkspaceHarness(OWNER)
    services, refused = harness.create_services(), set[str]()
    operations = WRITES + READS
    for step in data[:50]:
        name, operation = (OWNER, COLLIDING)[step % 2], operations[step // 2 % len(operations)]
        is_refused = _is_refused(operation, services, name)
        expect(is_refused == (name in refused), f"{name} is refused: {is_refused}")
        now = {n for n in (OWNER, COLLIDING) if _is_refused(_resolve_id, services, n)}
        expect(refused <= now, "a refused name stays refused")
        expect(name not in now or is_refused, "a name that was used stays usable")
        expect(now or operation is not WRITES[0], "a write claims the id")
        refused = now


def _resolve_id(services: ApiServices, name: str) -> object:
    return services.repositories.workspaces.resolve_id(name)


def _is_refused(operation: Operation, services: ApiServices, name: str) -> bool:
    """Run an operation; return True if the id of the workspace belongs to another name."""
    try:
        operation(services, name)
    except AlreadyExists as error:
        return "id belongs to another name" in str(error)
    except WaypostError:
        return False
    return False


def fuzz_files(data: bytes) -> None:
    """Create files in the workspace's folder only, and change no file that exists."""
    form, workspace, source, target = (decode_text(data) + "\n\n\n").split("\n")[:4]
    message = {"workspace": workspace, "campaign": "sale", "content": {"text": "x"}}
    body: dict[str, Any] = {"input": source, "output": target}
    if form:
        body["message"] = message
    with suppress(WaypostError):
        request = validate_value(FileRequest, body)
        first_line = b"" if form else json.dumps(message).encode() + b"\n"
        objects = InMemoryObjectStore()
        files = dict.fromkeys(_OTHER_FILES, b"{}") | {request.source: first_line + _RECIPIENT_LINE}
        for url, content in files.items():
            objects.put(url, content)
        try:
            _create_file_service(objects).rewrite_file(request)
        finally:
            _expect_new_files_in_folder(objects, files, f"{encode_path_name(workspace)}/")


def _expect_new_files_in_folder(
    objects: InMemoryObjectStore, before: dict[ObjectUrl, bytes], folder: str
) -> None:
    after = {url: objects.read(url) for url in objects.list_urls()}
    for url, content in before.items():
        found = after.pop(url, None)
        expect(found is not None and found.data == content, f"{url} has changed")
    for url in after:
        is_inside = url.bucket == _BUCKET and url.key.startswith(folder)
        expect(is_inside, f"{url} is outside of {folder}")


def fuzz_csv(data: bytes) -> None:
    """Write names that read back, and that no spreadsheet evaluates, at any separator."""
    names = decode_text(data).split("|")
    text = format_csv((name, *_FIGURES) for name in names)
    written = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    expect(len(written) == len(names), "each name has a row")
    for name, row in zip(names, written, strict=True):
        expect(row[0] in (name, f"'{name}"), f"{name!a} reads back as {row[0]!a}")
        expect(row[1:] == [*map(str, _FIGURES)], "the other cells read back")
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for cell in row:
                begins = cell.strip().startswith(("=", "+", "-", "@"))
                expect(not begins, f"{cell!a} begins a formula")


def _create_file_service(objects: InMemoryObjectStore) -> FileRewriteService:
    rewrite_service = create_rewrite_service(get_sealer=lambda: _SEALER)
    return FileRewriteService(
        rewrite_service, objects, _BUCKET, lambda: 1_000.0, lambda _, __: None
    )


TARGETS: Final = {
    "names": FuzzTarget(fuzz_workspace_names, (bytes(range(24)), bytes(range(23, -1, -1)))),
    "files": FuzzTarget(
        fuzz_files,
        (
            b"1\nacme\ns3://files/acme/in\ns3://files/acme/first",
            b"\nwonka\ns3://files/wonka/in\ns3://files/wonka/b/first",
            b"1\nacme\ns3://files/wonka/out\ns3://files/acme/../wonka/out",
            b"1\nacme\ns3://files/acme/in\ns3://files/acme/new",
            "\n../é\ns3://files/~Li4vw6k/in\ns3://files/~Li4vw6k/out".encode(),
        ),
    ),
    "csv": FuzzTarget(
        fuzz_csv, (b'=1+1|a"b||-1|@x||\t=1|;=1|\r\n+2', "\u00a0=1|＝1||'=1|\u200b-1".encode())
    ),
}
