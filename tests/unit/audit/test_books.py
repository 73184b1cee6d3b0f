"""The books between two entries, and what was in force when."""

from msgspec.structs import replace

from service.audit.books import books, rows
from service.audit.in_force import mutes_of, references_of, settings_in_force, watched_as
from service.audit.policy import policy_months
from service.values.watched import LineageFacts, MuteFacts, PolicyWatched, SettingsWatched, Why
from tests.unit.audit.recording import D0, DAY, FACTS, HOUR, model, partition, period, service


def test_a_book_is_the_difference_of_two_entries():
    entries = [
        service(-HOUR, partitions=(partition(100, 90, ignored=10),)),
        service(0, partitions=(partition(120, 108, ignored=12),)),
        service(HOUR, partitions=(partition(150, 120, ignored=20, rejected={"malformed": 5}),)),
        service(30 * HOUR, partitions=(partition(999, 999),)),
    ]
    (book,) = books(period(), entries)
    assert (book.first, book.end, book.applied, book.ignored) == (120, 150, 12, 8)
    assert book.rejected == {"malformed": 5}
    assert (book.consumed, book.gaps) == (25, 5)
    assert (book.from_seconds, book.to_seconds) == (D0, D0 + HOUR)


def test_a_book_that_began_anew_counts_since_then_and_says_so():
    entries = [
        service(0, partitions=(partition(100, 100),)),
        service(HOUR, partitions=(partition(150, 150),)),
        service(2 * HOUR, partitions=(partition(150, 0),)),
        service(3 * HOUR, partitions=(partition(170, 20),)),
    ]
    (book,) = books(period(), entries)
    assert (book.first, book.end, book.applied, book.gaps, book.restarts) == (150, 170, 20, 0, 1)


def test_each_partition_has_its_own_book_also_one_that_came_later():
    entries = [
        service(0, partitions=(partition(1, 1),)),
        service(HOUR, partitions=(partition(3, 3), partition(7, 7, number=1))),
    ]
    told = {book.partition: (book.first, book.end) for book in books(period(), entries)}
    assert told == {0: (1, 3), 1: (0, 7)}
    assert books(period(), []) == ()


def test_a_partition_that_is_new_in_the_record_counts_from_nothing():
    entries = [service(0), service(HOUR, partitions=(partition(107, 7),))]
    (book,) = books(period(), entries)
    assert (book.first, book.end, book.applied, book.gaps) == (100, 107, 7, 0)
    fresh = service(60, Why.START, started=30, partitions=(partition(107, 7),))
    (book,) = books(period(), [fresh])
    assert (book.first, book.end, book.from_seconds) == (100, 107, D0 + 30)


def test_what_was_counted_before_there_was_a_record_is_none_of_it():
    after_an_upgrade = service(60, Why.START, alive=-D0, partitions=(partition(107, 7),))
    (book,) = books(period(), [after_an_upgrade])
    assert (book.first, book.end, book.applied) == (107, 107, 0)
    assert rows(period(), [model(60, rows=100)], [after_an_upgrade]) is None
    told = rows(period(), [model(60, rows=100), model(HOUR, rows=130)], [after_an_upgrade])
    assert told.judged == 30


class TestRows:
    LIVES = (service(-2 * HOUR, Why.START),)

    def test_rows_of_a_version_are_the_difference_of_two_entries(self):
        entries = [
            model(-60, rows=100, rejected={"future": 1}),
            model(HOUR, rows=160, open_rows=4, rejected={"future": 3}, late=2, panes=1),
        ]
        told = rows(period(), entries, self.LIVES)
        assert (told.predictions, told.judged, told.late) == (64, 60, 2)
        assert told.rejected == {"future": 2}

    def test_a_version_that_was_new_in_the_period_counts_from_nothing(self):
        assert rows(period(), [model(HOUR, rows=160)], self.LIVES).judged == 160
        assert rows(period(), [], self.LIVES) is None
        assert rows(period(), [model(-60, rows=160)], self.LIVES) is None

    def test_counters_that_began_anew_are_added(self):
        entries = [model(-60, rows=100), model(HOUR, rows=130), model(2 * HOUR, rows=7)]
        told = rows(period(), entries, self.LIVES)
        assert (told.judged, told.restarts) == (37, 1)


class TestPolicy:
    def test_months_tell_hours_at_the_limits_and_the_highest_distance(self):
        facts = replace(FACTS, policy="psi: amber 0.1, red 0.25")
        levels = [(0.05, 0, 0), (0.12, 1, 0), (0.31, 0, 1), (0.2, 1, 0)]
        entries = [
            model(
                number * HOUR,
                facts=facts if number == 0 else None,
                policy=PolicyWatched(1, amber, red, 0, 0, highest, "input income", 0.5),
            )
            for number, (highest, amber, red) in enumerate(levels)
        ]
        entries.append(replace(entries[-1], at_seconds=entries[-1].at_seconds + 60))
        (month,) = policy_months(period(), entries)
        assert (month.month, month.policy) == ("2023-11", facts.policy)
        assert (month.hours, month.amber_hours, month.red_hours) == (4, 3, 1)
        assert (month.highest, month.stream) == (0.31, "input income")
        assert month.at_seconds == D0 + 2 * HOUR
        assert policy_months(period(20 * DAY, 30 * DAY), entries) == ()

    def test_without_a_policy_there_is_nothing_to_tell(self):
        assert policy_months(period(), [model(HOUR)]) == ()
        assert policy_months(period(), []) == ()


class TestInForce:
    def test_settings_have_their_time_and_what_changed(self):
        entries = [service(0), service(HOUR), service(2 * HOUR, config_hash="c2")]
        entries += [service(3 * HOUR, config_hash="c2")]
        texts = [
            SettingsWatched(D0, "c1", "a: 1\nb: 2\n"),
            SettingsWatched(D0, "c2", "a: 1\nb: 3\n"),
        ]
        first, second = settings_in_force(period(), entries, texts)
        assert (first.config_hash, first.to_seconds) == ("c1", D0 + 2 * HOUR)
        assert (second.config_hash, second.to_seconds) == ("c2", D0 + 3 * HOUR)
        assert second.changed == ("-b: 2", "+b: 3")
        (only,) = settings_in_force(period(2.5 * HOUR), entries, texts)
        assert only.config_hash == "c2"

    def test_settings_of_which_the_text_is_gone_are_told_by_their_hash(self):
        (one,) = settings_in_force(period(), [service(0)], [])
        assert (one.text, one.changed) == (None, ())

    def test_references_follow_each_other_with_their_lineage(self):
        old = LineageFacts("r1", "train.csv", D0, "ada", 100)
        new = LineageFacts("r2", "accepted", D0, "bob", 90)
        entries = [
            model(0, facts=FACTS),
            model(HOUR, facts=replace(FACTS, reference=old)),
            model(1.5 * HOUR),
            model(2 * HOUR, facts=replace(FACTS, reference=new)),
            model(3 * HOUR),
        ]
        first, second = references_of(period(), entries)
        assert (first.facts.reference, first.to_seconds) == (old, D0 + 2 * HOUR)
        assert (second.facts.reference, second.to_seconds) == (new, D0 + 3 * HOUR)
        assert len(watched_as(period(), entries)) == 3
        assert references_of(period(5 * HOUR), entries) == ()

    def test_a_mute_is_told_once_with_who_why_and_until_when(self):
        mute = MuteFacts("income", D0 + DAY, "ada", "campaign", "T-1")
        entries = [model(h * HOUR, facts=replace(FACTS, mutes=(mute,))) for h in range(3)]
        (one,) = mutes_of(period(), entries)
        assert (one.mute, one.from_seconds) == (mute, D0)
        assert mutes_of(period(2 * DAY, 3 * DAY), entries) == ()
