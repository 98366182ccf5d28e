"""A question to a DNS server and its answer, as dnspython has them and as the rest does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

RecordKind = Literal["A", "AAAA", "CNAME", "TXT", "CAA", "NS"]
Status = Literal["ok", "empty", "nxdomain", "timeout", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says about one kind of record at one name. ``records`` in presentation form, names
    in lower case without the dot at the end.
    """

    status: Status
    records: tuple[str, ...] = ()


def query(name: str, kind: RecordKind, *, recursive: bool) -> dns.message.Message | None:
    """A question; None about a name that is too long for anybody to have."""
    try:
        made = dns.message.make_query(absolute(name), kind)
    except dns.name.NameTooLong:
        return None
    if not recursive:
        made.flags &= ~dns.flags.RD
    return made


def read(response: dns.message.Message, kind: RecordKind) -> Answer:
    """What a response says about one kind of record, wherever CNAMEs led."""
    wanted = dns.rdatatype.from_text(kind)
    found = {
        _text(record) for rrset in response.answer if rrset.rdtype == wanted for record in rrset
    }
    if found:
        return Answer("ok", tuple(sorted(found)))
    if response.rcode() == dns.rcode.NXDOMAIN:
        return Answer("nxdomain")
    return Answer("empty" if response.rcode() == dns.rcode.NOERROR else "failed")


def absolute(name: str) -> dns.name.Name:
    """A name that no search list is added to."""
    return dns.name.from_text(name, origin=dns.name.root)


def _text(record: object) -> str:
    """A record as text: TXT as its strings joined, names without the dot at the end."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record).lower().removesuffix(".")
