"""The audit: self-contained, without a script, and with every fact it was given."""

import base64
import hashlib
import re
from html import unescape

import pytest
from msgspec.structs import replace

from service.audit.assembly import Recorded, audit
from service.publish.audit_page import audit_page
from service.publish.audit_sentences import broker_says, of_books, opening, share
from service.values.audits import AuditedEpisode, Broker, Recount
from tests.unit.audit.recording import D0, DAY, period, three_days
from tests.unit.monitor.verdicts import Timeline
from tests.unit.state.test_episode_record import verdict

NOW = D0 + 3 * DAY


def episodes():
    told = Timeline().draw({"income": "124.11"}).told
    first = told[0].onset_seconds
    moved = [
        replace(
            event,
            model="credit-risk",
            onset_seconds=D0 + DAY + event.onset_seconds - first,
            started_seconds=D0 + DAY + event.started_seconds - first,
            ended_seconds=None,
        )
        for event in told
    ]
    return [AuditedEpisode(tuple(moved), (verdict(moved[0], at=D0 + 2 * DAY),))]


def made(start=0.0, end=3 * DAY, **more):
    recorded = Recorded.of(three_days())
    whole = audit("credit-risk", None, period(start, end), recorded, episodes(), NOW)
    return replace(whole, **more)


@pytest.fixture(scope="module")
def page():
    return audit_page(made()).decode()


def text(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_policy_allows_the_style_by_its_hash_and_nothing_else(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in unescape(policy)
    assert "default-src 'none'" in unescape(policy)
    assert "script" not in policy


def test_the_file_needs_nothing_else_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.search(r"\sstyle=", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.findall(r'(?:src|href)="(?!#)', page)


def test_what_others_wrote_is_escaped(page):
    assert "campaign &lt;b&gt;" in page


def test_every_link_leads_somewhere_and_no_name_is_there_twice(page):
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)


def test_all_that_was_found_is_told(page):
    told = text(page)
    for fact in (
        "credit-risk was watched in 4,230 of 4,320 minutes (97.92 %)",
        "90 minutes: no event came",
        "Of 4,230 minutes in which events came, 100 % were watched.",
        "120 watched minutes lie in a time in which the service was down",
        "60 watched minutes were judged more than an hour after they were over",
        "In 2,160 watched minutes at least one feature was muted.",
        "2023-11-15 03:00 2023-11-15 04:30 90 no events",
        "2023-11-16 10:00 2023-11-16 12:00 2 h stopped",
        "253,800 records consumed = applied + ignored + rejected",
        "events/0 2023-11-14 23:59 to 2023-11-18 00:00 1000 254802 253,802 253,800 253,790 10 0",
        "2 features: age, income. Team credit, tier 1.",
        "- lateness: 1m + lateness: 2m",
        "train.parquet 10,000 2023-11-06 00:00 by ada dataset loans-2023-10",
        "income 2023-11-16 12:00 2023-11-17 00:00 bob campaign <b> OPS-7",
        "1 episode: 0 real, 1 not real, 0 without a verdict.",
        "not real, by ada: campaign",
    ):
        assert fact in told, fact


def test_days_add_up_to_the_whole():
    whole = made()
    assert [day.day for day in whole.days] == ["2023-11-15", "2023-11-16", "2023-11-17"]
    for name in ("total", "blind", "muted", "late", "afterwards"):
        assert sum(getattr(day.minutes, name) for day in whole.days) == getattr(whole.minutes, name)
    assert sum(day.rows for day in whole.days) == whole.versions[0].rows.judged


def test_a_record_that_begins_or_ends_within_the_period_is_said():
    notes = made(-2 * DAY, 9 * DAY).notes
    assert "The record begins at 2023-11-14 23:59 UTC" in notes[0]
    assert "The last entry of the record is of 2023-11-18 00:00 UTC" in notes[1]
    assert made().notes == ()


def test_an_episode_of_another_time_or_model_is_none_of_it():
    assert made(0, DAY).episodes == ()
    assert len(made(DAY, 2 * DAY).episodes) == 1
    other = audit("other", None, period(0, 3 * DAY), Recorded.of([]), episodes(), NOW)
    assert other.episodes == ()
    assert other.notes == ("The record is empty.",)
    assert opening(other).startswith("other was watched in 0 of 4,320 minutes (0 %)")


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 9, "0 %"), (9, 9, "100 %"), (99_999, 100_000, "99.99 %"), (1, 10**6, "0.01 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part, whole, said):
    assert share(part, whole) == said


class TestTheBrokerSays:
    BOOK = made().books[0]

    def book(self, first=0, end=10**6, by_time=(1000, 254_802), recount=None):
        return replace(self.BOOK, broker=Broker(first, end, by_time, recount))

    def test_what_it_holds_and_that_it_can_be_counted(self):
        told = broker_says(self.book())
        assert "253,802 offsets in the period, 1000 to 254802" in told
        assert "still holds offsets 1000 to 254802; --recount counts them" in told

    def test_that_a_recount_agrees_or_does_not(self):
        agrees = self.book(recount=Recount(1000, 254_802, 253_800))
        assert broker_says(agrees).endswith("holds 253,800 records at 1000 to 254802, as consumed")
        less = self.book(recount=Recount(1000, 254_802, 253_801))
        assert broker_says(less).endswith(", but 253,800 were consumed")

    def test_what_cannot_be_checked_any_more(self):
        gone = broker_says(self.book(first=300_000, by_time=None))
        assert "retention deleted its beginning" in gone
        assert "holds none of these offsets any more" in gone
        partly = broker_says(self.book(first=2000, recount=Recount(2000, 254_802, 5)))
        assert "(those before 2000 are deleted)" in partly
        assert "consumed" not in partly

    def test_that_records_of_the_period_lie_behind_the_last_entry(self):
        assert "5 of them after the last entry" in broker_says(self.book(by_time=(1000, 254_807)))


def test_books_that_balance_and_those_that_do_not_are_told():
    book = made().books[0]
    even = replace(book, end=book.first + book.consumed)
    assert "each offset is accounted for" in of_books(made(books=(even,)))
    more = replace(book, end=book.first + book.consumed - 3)
    assert "do not balance" in of_books(made(books=(more,)))
    assert "no book can be checked" in of_books(made(books=()))
