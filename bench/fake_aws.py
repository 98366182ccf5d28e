"""A fake AWS that answers the redirect's calls over TLS; it runs as a process.

    python -m bench.fake_aws CERTIFICATE SECRET

It prints its port. To read its responses costs the caller the same processor time as AWS'
responses. Its own speed does not matter, because only the caller's processor time is compared.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from typing import Final

RESPONSES: Final[dict[str, Callable[[str], object]]] = {
    "PutItem": lambda _: {},
    "GetItem": lambda _: {},
    "SendMessage": lambda _: {"MessageId": "1"},  # a put that took too long is parked
    "GetSecretValue": lambda secret: {"Name": "keyring", "SecretString": secret},
}


async def serve(certificate: str, secret: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answers = {
        operation: json.dumps(answer(secret)).encode() for operation, answer in RESPONSES.items()
    }

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                answer = answers[await _read_operation(reader)]
                writer.write(_build_head(answer) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _read_operation(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    await reader.readexactly(int(headers["content-length"]))
    wanted = headers["x-amz-target"].rpartition(".")[2]
    return next(operation for operation in RESPONSES if operation.lower() == wanted)


def _build_head(answer: bytes) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(answer)}\r\nConnection: keep-alive\r\n"
        "x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        "Date: Sun, 22 Nov 2026 10:45:00 GMT\r\n\r\n"
    ).encode()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
