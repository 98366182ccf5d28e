"""The use case: part by part, going on where it stopped.

Nothing is counted as sent before everything is written, and then once: before, nobody can read the
output. After every part what was done is noted, and whoever invokes again with the same body goes
on from there; after the end, they get the report again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from waypost.ids import campaign_code
from waypost.repositories.objects import ObjectStore
from waypost.rewrite.service import Sending
from waypost.rewrite_files.input import Line
from waypost.rewrite_files.output import Notes, Progress
from waypost.rewrite_files.schemas import FileProgress, FileReport, FileRequest
from waypost.sending.files.job import Job, job_of
from waypost.sending.files.output import Output
from waypost.sending.files.pace import Pace
from waypost.sending.files.parts import Part, part, room
from waypost.sending.files.reporting import Report

REHEARSED: Final = 10_000
"""Lines of a file that a dry run looks at."""


@dataclass(frozen=True, slots=True)
class FileRewriting:
    """``remaining``: seconds left of the invocation; ``note`` is told each part that was written,
    and how far the work is with it.
    """

    sending: Sending
    objects: ObjectStore
    remaining: Callable[[], float]
    note: Callable[[FileProgress, Part], None]

    def rewrite(self, asked: FileRequest) -> FileProgress | FileReport:
        """Do as much of the work as there is time for.

        :raises InvalidRequest: when message, input or output is not as it must be, or the input
            changed meanwhile.
        :raises TooLarge: when the message is over a limit.
        :raises Clash: when the output is somebody else's, or another invocation works on it.
        :raises StoreUnavailable: when a store fails; what was noted stays done.
        :raises Conflict: when another invocation came to its end meanwhile; ask again.
        """
        job = job_of(asked, self.objects)
        output = Output(self.objects, job.target, Notes(self.objects, job.target))
        noted = output.notes.read()
        if noted is not None and noted.version == job.version and not job.message.dry_run:
            return self._continued(job, output, output.notes.claim(noted))
        if (finished := output.finished(job.version)) is not None:
            return finished
        if job.message.dry_run:
            return self._rehearsed(job, output)
        sent = int(self.sending.now().timestamp())
        begun = Progress(job.version, output.begin(), sent, offset=job.start)
        return self._continued(job, output, output.notes.claim(begun))

    def _continued(self, job: Job, output: Output, progress: Progress) -> FileProgress | FileReport:
        report = Report(progress.report)
        lines = job.lines(self.objects, progress.offset)
        pace = Pace(self.remaining, job.seconds)
        while not progress.ended:
            progress = self._with_part(job, output, progress, lines, report)
            if not progress.ended and not pace.has_time():
                return _told(job, progress)
        return self._finished(job, output, progress, report)

    def _with_part(
        self, job: Job, output: Output, before: Progress, lines: Iterator[Line], report: Report
    ) -> Progress:
        """Write a part, note that it is done: in this order."""
        # One mailing a part: what is told of a part, and kept in memory, is its own.
        mailing = self.sending.mailing(job.message, datetime.fromtimestamp(before.sent, UTC))
        made = part(mailing, lines, before.offset, job.first + before.lines, room(before.claimed))
        tag = output.put(before, bytes(made.data)) if made.data or not before.parts else None
        report.add(mailing, made.failures)
        progress = before.with_part(made, tag, mailing.take_signed(), report.note())
        output.notes.write(progress)
        self.note(_told(job, progress), made)
        return progress

    def _finished(self, job: Job, output: Output, progress: Progress, report: Report) -> FileReport:
        """Count, hand over, tell: each step may have been done by an invocation before."""
        self.sending.campaigns.add_sent(
            campaign_code(job.message.workspace, job.message.campaign),
            progress.delivered,
            job.message.idempotency_key or f"{job.version} {job.target}",
            progress.signed,
        )
        output.complete(progress)
        told = _report(job, _told(job, progress), report)
        output.report(told)
        output.notes.drop()
        return told

    def _rehearsed(self, job: Job, output: Output) -> FileReport:
        """The report alone, on the first lines; nothing is signed, counted or put out."""
        mailing = self.sending.rehearsal(job.message, self.sending.now())
        lines = islice(job.lines(self.objects, job.start), REHEARSED)
        made = part(mailing, lines, job.start, job.first, sys.maxsize)
        report = Report()
        report.add(mailing, made.failures)
        progress = FileProgress(
            done=True,
            lines=made.lines,
            delivered=0,
            failed=made.failed,
            read=made.offset,
            size=job.state.size,
        )
        told = _report(job, progress, report)
        output.report(told)
        return told


def _told(job: Job, progress: Progress) -> FileProgress:
    return FileProgress(
        done=progress.ended,
        lines=progress.lines,
        delivered=progress.delivered,
        failed=progress.failed,
        read=progress.offset,
        size=job.state.size,
    )


def _report(job: Job, progress: FileProgress, report: Report) -> FileReport:
    return FileReport(
        **progress,
        version=job.version,
        dry_run=job.message.dry_run,
        failures=report.failures,
        **report.told(),
    )
