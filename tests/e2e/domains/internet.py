"""A small internet on loopback: real DNS, HTTP and HTTPS servers, and connections to them.

Names get addresses that look public. The public-address guard is the real one; only the connection
knows the server behind an address.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

from dnslib import QTYPE, RCODE, RR, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from waypost.domains import probe_token
from waypost.tokens.signer import Keyring

PathResponder = Callable[[str], bytes]
"""Returns a web server's response to a path, byte for byte."""

KEYRING = Keyring((b"k" * 32,))
RECURSIVE = "127.0.0.1"
NAMESERVERS = ("127.0.0.2", "127.0.0.3")


@dataclass
class Zones(BaseResolver):  # type: ignore[misc]  # dnslib ships no types
    """The records of one DNS server. Keys are (name, type); names may start with ``*.``."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    failing_names: set[str] = field(default_factory=set)
    queries: list[tuple[str, str]] = field(default_factory=list)

    def add_record(self, name: str, record_type: str, *values: str) -> None:
        self.records[name, record_type] = list(values)

    def resolve(self, request: DNSRecord, _handler: DNSHandler) -> DNSRecord:
        name, record_type = str(request.q.qname).rstrip(".").lower(), QTYPE[request.q.qtype]
        self.queries.append((name, record_type))
        time.sleep(self.delays.get(name, 0))
        reply = request.reply()
        if name in self.failing_names:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        self._answer(reply, name, record_type)
        if not reply.rr and not self._exists(name):
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _answer(self, reply: DNSRecord, name: str, record_type: str) -> None:
        """Add the records of a name and of its CNAME targets, as a recursive resolver does."""
        for _ in range(12):
            cname = self._find(name, "CNAME")
            if record_type == "CNAME" or not cname:
                break
            reply.add_answer(*RR.fromZone(f"{name}. 60 IN CNAME {cname[0]}."))
            name = cname[0]
        for value in self._find(name, record_type):
            dotted = f"{value}." if record_type in ("CNAME", "NS") else value
            reply.add_answer(*RR.fromZone(f"{name}. 60 IN {record_type} {dotted}"))

    def _find(self, name: str, record_type: str) -> list[str]:
        wildcard = f"*.{name.partition('.')[2]}"
        exact = self.records.get((name, record_type))
        if exact is not None or self._exists(name, wildcards=False):
            return exact or []
        return self.records.get((wildcard, record_type), [])

    def _exists(self, name: str, *, wildcards: bool = True) -> bool:
        names = {stored for stored, _ in self.records}
        if name in names or any(stored.endswith("." + name) for stored in names):
            return True
        return wildcards and f"*.{name.partition('.')[2]}" in names


class WebServer:
    """A web server on loopback, with TLS if it has a certificate."""

    def __init__(self, respond: PathResponder, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        web = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with accept_connection(self.request, tls) as connection:
                    if connection is None:
                        return
                    head = connection.recv(4096).decode("latin-1")
                    web.requests.append(head)
                    path = head.split(" ")[1] if " " in head else ""
                    # The client may have closed the connection already.
                    with _ignore_closed_connections():
                        connection.sendall(respond(path))

        class Server(ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Ignore handshakes that clients break off because they reject the certificate."""

        self._server = Server((RECURSIVE, 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def accept_connection(
    raw: socket.socket, tls: ssl.SSLContext | None
) -> Iterator[socket.socket | None]:
    if tls is None:
        yield raw
        return
    try:
        wrapped = tls.wrap_socket(raw, server_side=True)
    except (ssl.SSLError, OSError):
        yield None
        return
    with wrapped:
        yield wrapped


@contextmanager
def _ignore_closed_connections() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


@dataclass
class LoopbackInternet:
    """Web servers by address and port; ``connections`` records every connection."""

    servers: dict[tuple[str, int], WebServer] = field(default_factory=dict)
    connections: list[tuple[str, int]] = field(default_factory=list)

    def serve(
        self, address: str, port: int, respond: PathResponder, tls: ssl.SSLContext | None = None
    ) -> WebServer:
        self.close_at(address, port)
        self.servers[address, port] = WebServer(respond, tls)
        return self.servers[address, port]

    def close_at(self, address: str, port: int) -> None:
        if (address, port) in self.servers:
            self.servers.pop((address, port)).close()

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """Connect to the server of an address, as ``waypost.domains.network.Connector``."""
        self.connections.append((address, port))
        server = self.servers.get((address, port))
        if server is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.create_connection((RECURSIVE, server.port), timeout=seconds)

    def close(self) -> None:
        for address, port in list(self.servers):
            self.close_at(address, port)


def build_response(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Build the bytes of an HTTP response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def respond_to_probe(path: str) -> bytes:
    """Respond to a probe as the redirect function does, with its code."""
    response = probe_token.build_probe_response(KEYRING, path.removeprefix(probe_token.PROBE_PATH))
    return build_response(f"{response['statusCode']} OK", response["body"].encode())


def respond_for_sale(_path: str) -> bytes:
    return build_response("200 OK", b"<h1>This domain is for sale</h1>")


def start_dns_server(zones: Zones, address: str, port: int = 0) -> DNSServer:
    """Start a DNS server over UDP; servers of one test share a port and differ in address."""
    server = DNSServer(zones, port=port, address=address, logger=DNSLogger(log="-request,-reply"))
    thread = threading.Thread(target=server.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    return server
