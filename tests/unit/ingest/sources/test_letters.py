"""What a rejected record looks like in the dead-letter topic, and what it may cost to send it."""

from threading import Timer

from service.ingest.kafka import dead_letters
from service.ingest.kafka.dead_letters import NoDeadLetters, Pending, letter
from service.values.records import Partition, Record
from service.values.rejects import Reason, Reject

A = Partition("events", 3)


def reject(value=b"{broken", row=None, reason=Reason.MALFORMED, detail="no object", **record):
    return Reject(reason, detail, A, Record(17, 1.0, value, **record), row)


def test_a_letter_holds_the_record_as_it_came_and_why_it_was_refused():
    original = (("trace", b"t-1"), ("empty", None))
    message = letter(reject(key=b"k", headers=original))
    assert (message.key, message.value) == (b"k", b"{broken")
    assert message.headers == [
        ("trace", b"t-1"),
        ("empty", b""),
        ("anchorwatch-reason", b"malformed"),
        ("anchorwatch-detail", b"no object"),
        ("anchorwatch-topic", b"events"),
        ("anchorwatch-partition", b"3"),
        ("anchorwatch-offset", b"17"),
    ]


def test_a_refused_row_tells_its_place_in_the_record():
    message = letter(reject(row=4, reason=Reason.LATE))
    assert dict(message.headers)["anchorwatch-row"] == b"4"
    assert dict(message.headers)["anchorwatch-reason"] == b"late"


def test_a_long_value_is_cut_and_its_length_told():
    message = letter(reject(b"x" * 300_000))
    assert len(message.value) == 256 * 1024
    assert dict(message.headers)["anchorwatch-truncated"] == b"300000"


def test_a_detail_that_is_no_text_or_very_long_does_no_harm():
    message = letter(reject(detail="\ud800" + "ä" * 10_000))
    assert len(dict(message.headers)["anchorwatch-detail"]) == dead_letters.DETAIL_BYTES_MAX


def test_an_empty_record_becomes_an_empty_value_since_kafka_wants_one():
    assert letter(reject(None)).value == b""
    assert letter(reject(None, key=b"k")).value is None


def test_no_more_messages_are_pending_than_allowed(monkeypatch):
    monkeypatch.setattr(dead_letters, "PENDING_RECORDS_MAX", 3)
    pending = Pending()
    assert [pending.admit(10) for _ in range(5)] == [True] * 3 + [False] * 2
    pending.done(10, sent=True)
    assert pending.admit(10)
    assert (pending.sent_total, pending.failed_total) == (1, 2)


def test_what_is_pending_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(dead_letters, "PENDING_BYTES_MAX", 2500)
    pending = Pending()
    assert [pending.admit(1000) for _ in range(3)] == [True, True, False]
    pending.done(1000, sent=False)
    assert pending.admit(1500)


def test_waiting_ends_with_the_last_message_or_the_time():
    pending = Pending()
    pending.admit(10)
    assert not pending.wait(0.01)
    Timer(0.05, lambda: pending.done(10, sent=True)).start()
    assert pending.wait(5)


def test_at_the_end_what_is_left_has_failed_once():
    pending = Pending()
    pending.admit(10)
    pending.close()
    pending.done(10, sent=True)
    assert (pending.sent_total, pending.failed_total) == (0, 1)
    assert not pending.admit(10)


def test_without_a_topic_rejects_are_forgotten():
    sink = NoDeadLetters()
    sink.send([reject()])
    assert sink.flush(0)
    assert (sink.sent_total, sink.failed_total) == (0, 0)
    sink.close()
