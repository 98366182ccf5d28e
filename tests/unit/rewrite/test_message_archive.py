from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from tests.click_factory import CAMPAIGN
from tests.fakes import InMemoryMessageRepository
from waypost.errors import StoreUnavailable
from waypost.ids import derive_campaign_id
from waypost.models.campaign import MessageAbsence, RecipientMark, SentMessage
from waypost.rewrite.message_archive import MessageArchive

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EXPIRES = int(NOW.timestamp()) + 86_400


class CountingMessageRepository(InMemoryMessageRepository):
    """Counts calls; ``down`` makes it fail."""

    def __init__(self):
        super().__init__(NOW.timestamp)
        self.asked = 0
        self.down = False

    def add(self, message):
        self.asked += 1
        if self.down:
            raise StoreUnavailable("no answer")
        return super().add(message)


@pytest.fixture
def store():
    return CountingMessageRepository()


def keep(keeper, content, *, campaign=CAMPAIGN, recipient=None):
    mark = RecipientMark(recipient) if recipient else None
    keeper.archive_message(campaign, content, EXPIRES, mark)


def test_message_is_archived_with_its_recipient_and_expiry(store):
    keep(MessageArchive(store), {"html": "<p>"}, recipient="0a")
    kept = store.get(CAMPAIGN)
    assert (kept.html, kept.rendered, kept.recipient) == ("<p>", True, "0a")
    assert kept.expires == EXPIRES


def test_message_is_written_once_per_campaign(store):
    keeper = MessageArchive(store)
    for _ in range(3):
        keep(keeper, {"html": "<p>"})
    keep(keeper, {"html": "<p>"}, campaign=derive_campaign_id("acme", "autumn"))
    assert store.asked == 2


def test_content_without_html_is_not_archived(store):
    keep(MessageArchive(store), {"text": "Hello"})
    assert store.asked == 0
    assert store.get(CAMPAIGN) is MessageAbsence.NO_HTML


def test_messages_of_two_recipients_are_written_once_each(store):
    keeper = MessageArchive(store)
    for recipient in ("0a", "0a", "1b", "0c", "1b"):
        keep(keeper, {"html": f"<p>{recipient}"}, recipient=recipient)
    assert store.asked == 2
    assert store.get(CAMPAIGN).html == "<p>0a"


def test_html_part_of_a_mime_message_is_archived(store):
    mime = EmailMessage()
    mime["subject"] = "Sale"
    mime.set_content("Hello")
    mime.add_alternative('<a href="https://example.com/ü">é</a>', subtype="html", cte="base64")
    keep(MessageArchive(store), {"mime": mime.as_string()})
    assert store.get(CAMPAIGN).html.strip() == '<a href="https://example.com/ü">é</a>'


@pytest.mark.parametrize(
    ("mime", "reason"),
    [
        ("Subject: plain\r\n\r\nHello", MessageAbsence.NO_HTML),
        ("", MessageAbsence.NO_HTML),
        ("\ud800", MessageAbsence.NO_HTML),
        (
            "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n*nonsense*",
            MessageAbsence.NOT_STORED,
        ),
        ("Content-Type: multipart/signed; boundary=x\r\n\r\n<p>", MessageAbsence.NOT_STORED),
    ],
)
def test_mime_message_without_readable_html_is_not_archived(store, mime, reason):
    keep(MessageArchive(store), {"mime": mime})
    assert store.get(CAMPAIGN) is reason


def test_html_part_in_an_unknown_charset_is_archived_as_its_links_were_found(store):
    keep(MessageArchive(store), {"mime": "Content-Type: text/html; charset=nonsense\r\n\r\n<p>"})
    assert store.get(CAMPAIGN).html == "<p>"


def test_empty_html_part_of_a_cut_mime_message_is_archived(store):
    mime = "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/html"
    keep(MessageArchive(store), {"mime": mime})
    assert store.get(CAMPAIGN).html == ""


def test_message_that_cannot_be_archived_is_sent_and_counted(store, capsys, caplog):
    keeper = MessageArchive(store)
    store.down = True
    keep(keeper, {"html": "<p>"})
    assert '"MessageNotKept":1,"reason":"store"' in capsys.readouterr().out
    (record,) = caplog.records
    assert (record.getMessage(), record.campaign) == ("Message not archived", CAMPAIGN)
    store.down = False
    keep(keeper, {"html": "<p>"})
    assert isinstance(store.get(CAMPAIGN), SentMessage)
