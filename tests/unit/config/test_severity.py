"""Section `severity`: whom an episode may reach."""

import textwrap

import pytest

from config.loader import load
from config.settings import Settings
from service.composition.wiring import episode_rules
from service.values.episodes import Category, Severity


def loaded(tmp_path, text):
    file = tmp_path / "a.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")
    return load(file, {}).settings


def test_unless_told_only_the_first_tier_may_page_and_the_third_is_only_logged():
    severities = episode_rules(Settings(), "h").severities
    assert severities.of(Category.UPSTREAM, 1) is Severity.PAGE
    assert severities.of(Category.DRIFT, 1) is Severity.TICKET
    assert severities.of(Category.SILENT, 1) is Severity.PAGE
    assert {severities.of(c, 2) for c in Category} == {Severity.TICKET, Severity.LOG}
    assert severities.of(Category.STALE, 2) is Severity.LOG
    assert {severities.of(category, 3) for category in Category} == {Severity.LOG}


def test_a_tier_that_is_set_is_set_whole_and_the_others_stay(tmp_path):
    settings = loaded(tmp_path, "severity: {1: {page: [drift]}}")
    severities = episode_rules(settings, "h").severities
    assert severities.of(Category.DRIFT, 1) is Severity.PAGE
    assert severities.of(Category.QUALITY, 1) is Severity.LOG
    assert severities.of(Category.QUALITY, 2) is Severity.TICKET


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("severity: {1: {page: [drift], log: [drift]}}", "drift may stand in one list only"),
        (
            "severity: {1: {page: [performance]}}",
            "performance comes with a later version; leave it out",
        ),
        ("severity: {1: {page: [drfit]}}", "drfit"),
        ("severity: {4: {page: [drift]}}", "severity.4"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(Exception, match=r"a\.yaml") as caught:
        loaded(tmp_path, text)
    assert message in str(caught.value)


def test_the_environment_sets_a_list():
    settings = load(None, {"ANCHORWATCH_SEVERITY__3__TICKET": "[upstream]"}).settings
    assert settings.severity.third.ticket == ("upstream",)
