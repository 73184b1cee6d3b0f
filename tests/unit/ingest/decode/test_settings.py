"""What a source's settings accept and refuse."""

import pytest
from pydantic import ValidationError

from config.sources import FeatureSettings, SourceSettings, WeightSettings
from tests.unit.ingest.decode.decoding import source


def test_a_name_and_topics_are_enough_for_native_events():
    assert source() == source(
        format="native", model="value.model", latency={"path": "value.latency_ms", "unit": "ms"}
    )


def test_a_path_alone_means_one_row():
    settings = source(features="value.inputs", weight="value.w", topics="events")
    assert settings.features == FeatureSettings(rows=("value.inputs",), layout="single")
    assert settings.weight == WeightSettings(path=("value.w",))
    assert settings.topics == ("events",)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"topics": None}, "exactly one of `topics` and `files`"),
        ({"files": ["*.csv"]}, "exactly one of `topics` and `files`"),
        ({"featurs": "x"}, "Extra inputs are not permitted"),
        ({"topics": {"pattern": "("}}, "not a regular expression"),
        ({"version_pattern": "["}, "not a regular expression"),
        ({"path_pattern": "x"}, "`path_pattern` belongs to `files`"),
        ({"features": {"rows": "value.x", "include": "value.*"}}, "either `rows` or `include`"),
        ({"features": {"rows": "value.x", "strip_prefix": "f_"}}, "belongs to `include`"),
        ({"features": {"rows": "value.x", "layout": {"CSV": "csv"}}}, "needs the key `from`"),
        ({"keep_if": {"value.x": "absent"}}, "present"),
        ({"model": []}, "at least 1 item"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        source(**settings)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        source().name = "other"
    assert isinstance(source(), SourceSettings)
