"""What was seen of a mailing on its way, and what a pipeline is told of it before it sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from waypost.rewrite import diagnostics
from waypost.rewrite.compiler import links_of
from waypost.rewrite.link_writer import Codes, Start, unstamped
from waypost.rewrite.links.channels import Path
from waypost.rewrite.schemas import Message
from waypost.rewrite.sms_segments import Segments
from waypost.rewriting.report.entries import LinkEntry, LinksSeen, entry
from waypost.rewriting.report.sample import Sample
from waypost.rewriting.report.segment_counts import SegmentCounts, SegmentReport
from waypost.sending.rendering import Ready

SMS: Final[Path] = ("text",)


@dataclass(slots=True, kw_only=True)
class Findings:
    """Fields are as in ``Mailing``; ``template``: recipients' messages differ."""

    request: Message
    template: bool
    codes: Codes
    start: Start
    sent: int
    short: bool
    _segments: SegmentReport = field(default_factory=SegmentReport)
    _links: LinksSeen = field(default_factory=LinksSeen)
    _sample: Sample | None = None
    _recipients: int = 0
    _empty: dict[str, None] = field(default_factory=dict)

    def note(self, one: Ready) -> None:
        """Note a recipient's message."""
        if self._sample is None:
            who = one.recipient
            self._sample = Sample(
                who.delivery, who.person, self.sent, one.query, one.texts, short=self.short
            )
        if self.template:
            self._links.add(one.texts)
        self._recipients += 1
        if one.query.empty and any(link.verdict.parameters for link in links_of(one.texts)):
            self._empty.update(dict.fromkeys(one.query.empty))

    def note_segments(self, before: str, after: str) -> Segments:
        """Note a text message, as its author wrote it and as it is sent; how it is sent."""
        return self._segments.add(before, after)

    def links(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        seen = self._sample.seen(self.codes, self.start) if self._sample else {}
        return [entry(link, self.codes, seen) for link in self._seen()]

    def segments(self, *, rehearsed: bool) -> SegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None.
        ``rehearsed``: no message was made, so the sample's stands for all.
        """
        if rehearsed and self._sample is not None and self.request.channel == "sms":
            preview = self._sample.preview(self._sample.seen(self.codes, self.start))
            for text in self._sample.texts:
                if text.path == SMS:
                    self._segments.add(unstamped(text.plan), preview[text.path])
        return self._segments.told()

    def warnings(self, *, rehearsed: bool) -> list[str]:
        """What a pipeline should know before it sends."""
        found = list(diagnostics.of_parameters(self._empty))
        if self._sample is not None:
            seen = self._sample.seen(self.codes, self.start)
            texts = self._sample.preview(seen)
            found += diagnostics.of_content(self.request.channel, texts)
            found += diagnostics.of_segments(self.segments(rehearsed=rehearsed))
            found += diagnostics.of_links(seen)
            if self.request.content.mime is not None:
                found += diagnostics.of_mime(self.request.content.mime, texts[("mime",)])
        links = self._seen()
        one_offs = links.one_offs() if self.template else 0
        found += diagnostics.of_identities(links, one_offs, self._recipients)
        return found

    def _seen(self) -> LinksSeen:
        """What was rendered before is everybody's message, and so are its links: no need to note
        them with every recipient.
        """
        if self.template or self._sample is None:
            return self._links
        links = LinksSeen()
        links.add(self._sample.texts)
        return links
