"""The minimal client over real connections: requests, responses, and missing responses."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
import trustme
from botocore.exceptions import ClientError

from waypost.aws import AwsServiceError, MinimalClient
from waypost.aws.minimal_client import AMAZON_ROOTS_PATH, _create_tls_context
from waypost.errors import ConfigurationError, StoreUnavailable, WriteConflict
from waypost.repositories.dynamodb.client import translate_dynamo_errors

LOST_RESPONSES = {
    "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
    "message": "The conditional request failed",
}


class ScriptedServer:
    """Serves one connection after the other, each by the next script, and records the requests."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.connections = 0
        self.pause: float = 0
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread: threading.Thread | None = None

    def serve_responses(self, *scripts: list[bytes | None]) -> None:
        """Serve connections; each script has the responses of one, and None closes it."""
        self._thread = threading.Thread(target=self._serve, args=(scripts,), daemon=True)
        self._thread.start()

    def _serve(self, scripts: tuple[list[bytes | None], ...]) -> None:
        for script in scripts:
            try:
                connection, _ = self._socket.accept()
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue  # the client rejected the certificate
            except OSError:
                return
            self.connections += 1
            with connection, suppress(EOFError, ConnectionError):
                for answer in script:
                    self.requests.append(_read(connection))
                    if answer is None:
                        break
                    _send(connection, answer, self.pause)

    def close(self) -> None:
        with suppress(OSError):  # wakes accept(), which close() does not
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread:
            self._thread.join(5)


def _read(connection: socket.socket) -> tuple[dict[str, str], Any]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _read_more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(body) < int(headers["content-length"]):
        body += _read_more(connection)
    return headers, json.loads(body)


def _send(connection: socket.socket, answer: bytes, pause: float) -> None:
    """All at once, or each byte by itself with a pause before it."""
    for piece in [bytes([byte]) for byte in answer] if pause else [answer]:
        time.sleep(pause)
        connection.sendall(piece)


def _read_more(connection: socket.socket) -> bytes:
    received = connection.recv(65_536)
    if not received:
        raise EOFError
    return received


def answer(body: object, status: str = "200 OK") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


@pytest.fixture
def service() -> Iterator[ScriptedServer]:
    made = ScriptedServer()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def environment(monkeypatch, service):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{service.port}")


@pytest.fixture
def client() -> Iterator[Callable[..., MinimalClient]]:
    with ExitStack() as made:

        def make(name: str = "dynamodb", timeout: float = 2.0, attempts: int = 1) -> MinimalClient:
            return made.enter_context(
                closing(MinimalClient(name, timeout=timeout, attempts=attempts))
            )

        yield make


def test_a_call_is_the_operation_with_its_keywords_and_the_answer_as_it_is(service, client):
    service.serve_responses([answer({"Item": {"pk": {"S": "ä"}}})])
    key = {"pk": {"S": "W#1"}, "sk": {"S": "W"}}
    assert client().get_item(TableName="t", Key=key) == {"Item": {"pk": {"S": "ä"}}}
    [(headers, body)] = service.requests
    assert body == {"TableName": "t", "Key": key}
    assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["host"] == f"127.0.0.1:{service.port}"


@pytest.mark.parametrize(
    ("name", "call", "target"),
    [
        ("dynamodb", "transact_write_items", "DynamoDB_20120810.TransactWriteItems"),
        ("sqs", "send_message", "AmazonSQS.SendMessage"),
        ("secretsmanager", "get_secret_value", "secretsmanager.GetSecretValue"),
    ],
)
def test_every_service_has_its_target(service, name, call, target, client):
    service.serve_responses([answer({})])
    getattr(client(name), call)()
    assert service.requests[0][0]["x-amz-target"] == target


def test_calls_share_one_connection(service, client):
    service.serve_responses(
        [answer({}), answer({"n": 2}), answer(LOST_RESPONSES, "400 Bad Request"), answer({"n": 4})]
    )
    lean = client()
    lean.get_item()
    assert lean.get_item() == {"n": 2}
    with pytest.raises(AwsServiceError):
        lean.put_item()
    assert lean.get_item() == {"n": 4}
    assert service.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(service, client):
    service.serve_responses([answer({}), None], [answer({"n": 2})])
    lean = client()
    lean.get_item()
    assert lean.get_item() == {"n": 2}
    assert service.connections == 2


def test_a_service_that_wants_no_more_gets_a_new_connection(service, client):
    farewell = answer({"n": 1}).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    service.serve_responses([farewell], [answer({"n": 2})])
    lean = client()
    assert [lean.get_item(), lean.get_item()] == [{"n": 1}, {"n": 2}]
    assert service.connections == 2


def test_a_connection_that_breaks_at_once_is_no_answer(service, client):
    service.serve_responses([None], [answer({})])
    with pytest.raises(OSError):  # noqa: PT011 - whichever way it broke
        client().get_item()
    assert service.connections == 1


def test_an_answer_cut_short_is_no_answer(service, client):
    service.serve_responses([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
    with pytest.raises(OSError):  # noqa: PT011
        client().get_item()


@pytest.mark.parametrize("given", [b"[" * 100_000, b'{"n":' * 100_000])
def test_an_answer_nested_without_end_is_no_answer(service, given, client):
    service.serve_responses([answer(given)])
    with pytest.raises(ConnectionAbortedError):
        client().get_item()


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "given",
    [
        CHUNKED_HEAD + b'5\r\n{"n":\r\n2;note=x\r\n1}\r\n0\r\n\r\n',
        CHUNKED_HEAD + b'7\r\n{"n":1}\r\n0\r\nX-Checksum: 0\r\n\r\n',
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer({"n": 1}),
    ],
)
def test_an_answer_in_pieces_or_after_a_word_beforehand_is_whole(service, given, client):
    service.serve_responses([given, answer({"n": 2})])
    one = client()
    assert [one.get_item(), one.get_item()] == [{"n": 1}, {"n": 2}]
    assert service.connections == 1


def test_an_answer_whose_last_piece_is_missing_is_no_answer(service, client):
    service.serve_responses([CHUNKED_HEAD + b'7\r\n{"n":1}\r\n'])
    with pytest.raises(ConnectionAbortedError):
        client().get_item()


def test_an_answer_that_comes_drop_by_drop_has_no_more_time_than_another(service, client):
    service.pause = 0.05
    service.serve_responses([answer({"n": 1})], [answer({"n": 2})])
    one = client(timeout=0.2)
    with pytest.raises(TimeoutError):
        one.get_item()
    service.pause = 0
    assert one.get_item() == {"n": 2}


def test_silence_ends_with_the_time_and_the_next_call_has_a_new_connection(service, client):
    service.serve_responses([b"", b""], [answer({"n": 2})])
    lean = client(timeout=0.1)
    with pytest.raises(TimeoutError):
        lean.get_item()
    assert lean.get_item() == {"n": 2}


def test_a_refusal_has_the_shape_that_botocore_gives_it(service, client):
    service.serve_responses([answer(LOST_RESPONSES, "400 Bad Request")])
    with pytest.raises(AwsServiceError) as lean:
        client().put_item()
    theirs = ClientError(
        {
            "Error": {
                "Code": "ConditionalCheckFailedException",
                "Message": LOST_RESPONSES["message"],
            }
        },
        "PutItem",
    )
    assert lean.value.response["Error"] == theirs.response["Error"]


def test_the_store_takes_refusals_and_silence_as_it_takes_botocores(service, client):
    service.serve_responses([answer(LOST_RESPONSES, "400 Bad Request"), None], [None])
    lean = client()
    with pytest.raises(WriteConflict), translate_dynamo_errors():
        lean.put_item()
    with pytest.raises(StoreUnavailable), translate_dynamo_errors():
        lean.put_item()


def test_a_cancelled_transaction_says_why(service, client):
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]
    cancelled = {"__type": "x#TransactionCanceledException", "CancellationReasons": reasons}
    service.serve_responses([answer(cancelled, "400 Bad Request")])
    with pytest.raises(AwsServiceError) as error:
        client().transact_write_items()
    assert error.value.response["CancellationReasons"] == reasons


@pytest.mark.parametrize("page", [b"<html>", b"", b"[]"])
def test_a_page_in_the_place_of_json_is_a_refusal_by_its_status(service, page, client):
    service.serve_responses([answer(page, "503 Service Unavailable")])
    with pytest.raises(AwsServiceError) as error:
        client().put_item()
    assert error.value.response["Error"]["Code"] == "503"


@pytest.mark.parametrize("first", [answer({}, "500 Oops"), answer({}, "429 Too Many Requests")])
def test_what_may_pass_is_tried_again_as_often_as_allowed(service, first, client):
    service.serve_responses([first, answer({"n": 2})])
    assert client(attempts=2).get_item() == {"n": 2}


def test_silence_is_tried_again_as_often_as_allowed(service, client):
    service.serve_responses([None], [answer({"n": 2})])
    assert client(attempts=2).get_item() == {"n": 2}


def test_a_refusal_that_will_not_pass_is_not_tried_again(service, client):
    service.serve_responses([answer(LOST_RESPONSES, "400 Bad Request"), answer({})])
    with pytest.raises(AwsServiceError):
        client(attempts=2).put_item()
    assert len(service.requests) == 1


def test_a_service_has_an_endpoint_of_its_own_or_the_regions(monkeypatch, service, client):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{service.port}")
    service.serve_responses([answer({"MessageId": "1"})])
    assert client("sqs").send_message() == {"MessageId": "1"}
    monkeypatch.delenv("AWS_ENDPOINT_URL_SQS")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert client("sqs")._connection.host == "sqs.eu-central-1.amazonaws.com"


def test_without_a_region_it_says_so(monkeypatch, client):
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        client()


# Whom it trusts


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority, monkeypatch) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    made = ScriptedServer(context)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{made.port}")
    yield made
    made.close()


@pytest.fixture
def bundle(authority, tmp_path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    return str(tmp_path / "roots.pem")


def test_a_stranger_is_not_spoken_to(secure, client):
    secure.serve_responses([answer({})], [answer({})])
    with pytest.raises(ssl.SSLCertVerificationError):
        client().get_item()
    assert not secure.requests


def test_whom_the_operator_trusts_is_spoken_to(secure, bundle, monkeypatch, client):
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    secure.serve_responses([answer({"n": 1})])
    assert client().get_item() == {"n": 1}


def test_should_amazons_roots_not_do_one_day_the_systems_are_taken(
    secure, bundle, monkeypatch, client
):
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    _create_tls_context.cache_clear()
    secure.serve_responses([], [answer({"n": 1})])
    assert client().get_item() == {"n": 1}


def test_amazons_roots_are_five_and_valid_for_years():
    context = ssl.create_default_context(cafile=AMAZON_ROOTS_PATH)
    subjects: list[Any] = [root["subject"] for root in context.get_ca_certs()]
    roots = {subject[-1][0][1] for subject in subjects}
    assert roots == {f"Amazon Root CA {n}" for n in range(1, 5)} | {
        "Starfield Services Root Certificate Authority - G2"
    }
