"""Every message is pinned with its line: they are what an operator works from."""

import itertools
from pathlib import Path

import pytest

from config.errors import ConfigurationProblems
from config.loader import load

FILE = "anchorwatch.yaml"
LATER = "comes with a later version and has no effect in this one; take it out"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "detection:\n  tollerance: {shift: 1}",
            "2: detection.tollerance: unknown key. Did you mean tolerance?",
        ),
        (
            "log:\n  qqq: 1",
            "2: log.qqq: unknown key. Known here: format, level",
        ),
        (
            "kafka:\n  group: a\n  group: b",
            "3: kafka.group: stands here twice; the first is in line 2",
        ),
        ("version: 2", "1: version: must be one of 1 (it is 2)"),
        (
            "detection: {pane: 60}",
            (
                "1: detection.pane: must be a duration with its unit: "
                "500ms, 30s, 5m, 24h, 30d or 2w (it is 60)"
            ),
        ),
        ("detection: {pane: 2h}", "1: detection.pane: must be from 100ms to 1h (it is 2h)"),
        ("detection: {pane: 2m}", "1: detection.windows: must be whole panes: multiples of 2m"),
        ("detection:\n  windows: [1h, 5m]", "2: detection.windows: must ascend, each window once"),
        ("detection:\n  windows: []", "2: detection.windows: must have at least 1 of them"),
        (
            "models: {a: {prediction: {cutoffs: [0.5, 0.5]}}}",
            "1: models.a.prediction.cutoffs: a cut-off is there twice",
        ),
        ("detection:\n  windows: 5m", "2: detection.windows: must be a list (it is 5m)"),
        (
            "detection:\n  windows:\n  - 5m\n  - 90",
            (
                "4: detection.windows[1]: must be a duration "
                "with its unit: 500ms, 30s, 5m, 24h, 30d or 2w (it is 90)"
            ),
        ),
        (
            "detection:\n  recover_after: 1.5",
            "2: detection.recover_after: must be a whole number (it is 1.5)",
        ),
        (
            "detection:\n  recover_after: true",
            "2: detection.recover_after: must be one value from 1 to 100000 (it is true)",
        ),
        (
            "detection:\n  tolerance: {shift: .nan}",
            "2: detection.tolerance.shift: must be from 0 to 10 (it is .nan)",
        ),
        (
            "detection:\n  tolerance: 2",
            "2: detection.tolerance: must be a mapping (key: value) (it is 2)",
        ),
        (
            "detection:\n  false_alarm_budget: 3 per month",
            (
                "2: detection.false_alarm_budget: must "
                "read like: 1 per 30d per team (or per model, or in all) (it is 3 per month)"
            ),
        ),
        (
            "detection:\n  false_alarm_budget: 0 per 30d in all",
            (
                "2: detection.false_alarm_budget: "
                "must allow for some alarms in some time: 0.1 per 30d in all is rare "
                "(it is 0 per 30d in all)"
            ),
        ),
        (
            "detection:\n  detectors: [adwn]",
            (
                "2: detection.detectors[0]: must be one of e_detector, adwin, "
                "page_hinkley, or a class of river.drift: river.KSWIN (it is adwn)"
            ),
        ),
        (
            "detection:\n  detectors: [adwin, {name: adwin, delta: 0.1}]",
            "2: detection.detectors: each detector may be named once",
        ),
        (
            "kafka:\n  start: yesterday",
            (
                "2: kafka.start: must be latest, earliest, or how far "
                "back, such as -7d (it is yesterday)"
            ),
        ),
        (
            "kafka:\n  bootstrap_servers: [kafka]",
            (
                "2: kafka.bootstrap_servers[0]: must be "
                "host:port, for example kafka-1:9092 (it is kafka)"
            ),
        ),
        (
            "kafka:\n  bootstrap_servers: []",
            "2: kafka.bootstrap_servers: must have at least 1 of them",
        ),
        ("kafka:\n  group: ''", "2: kafka.group: must not be empty (it is '')"),
        ("kafka:\n  group: 5", "2: kafka.group: must be text (it is 5)"),
        ("kafka: 7", "1: kafka: must be a mapping (key: value) (it is 7)"),
        (
            "limits: {record: 1024}",
            (
                "1: limits.record: must be a size with its unit: 512B, "
                "256KiB, 1MiB, 1GiB (or kB, MB, GB) (it is 1024)"
            ),
        ),
        ("limits: {record: 1GiB}", "1: limits.record: must be from 1KiB to 64MiB (it is 1GiB)"),
        (
            "metrics: {detail: all}",
            "1: metrics.detail: must be one of summary, episode, full, auto (it is all)",
        ),
        ("web: {listen: 9108}", "1: web.listen: must be text (it is 9108)"),
        (
            "web: {listen: 'host'}",
            "1: web.listen: must be host:port, for example 0.0.0.0:9108 (it is host)",
        ),
        (
            "detection: {forget_after: 59s}",
            "1: detection.forget_after: must be from 1m to 400d (it is 59s)",
        ),
        ("role: worker", "1: state.store: role worker keeps its state in a topic: write topic"),
        (
            "role: judge\nstate: {store: directory}",
            "2: state.store: role judge keeps its state in a topic: write topic",
        ),
        ("role: everything", "1: role: must be one of all, worker, judge (it is everything)"),
        (
            "role: judge\nstate: {store: topic, topics: {state: a, panes: a}}",
            "2: state.topics.panes: is the topic of the state too: a; name another",
        ),
        (
            "role: judge\nstate: {store: topic, topics: {state: a, schedules: a}}",
            "2: state.topics.schedules: is the topic of something else too: a; name another",
        ),
        (
            "reference: {if_missing: inherits}",
            "1: reference.if_missing: must be one of inherit, learn, stop (it is inherits)",
        ),
        (
            "reference: {from: 's3://bucket/refs'}",
            (
                "1: reference.from: only a directory or a topic can be read; "
                "object stores come with a later version"
            ),
        ),
        (
            "reference: {from: 'topic:no topic'}",
            "1: reference.from: topic: must be followed by the name of a topic",
        ),
        ("models:\n  a:\n    tier: 4", "3: models.a.tier: must be from 1 to 3 (it is 4)"),
        (
            "models:\n  a.b*: {windows: [90s]}",
            "2: models.'a.b*'.windows: must be whole panes: multiples of 1m",
        ),
        (
            "models:\n  a: {runbook: 'http://x/{team}'}",
            (
                "2: models.a.runbook: must be an http(s) "
                "address; {model} in it stands for the model's name (it is http://x/{team})"
            ),
        ),
        (
            "models:\n  a: {missing: [true]}",
            (
                "2: models.a.missing[0]: must be a number or a text "
                "(null is missing anyway) (it is true)"
            ),
        ),
        (
            "models:\n  a:\n    features:\n      f:\n        mute: {by: me, why: x}",
            "5: models.a.features.f.mute.until: is needed",
        ),
        (
            "models:\n  a: {features: {f: {mute: {until: tomorrow, by: me, why: x}}}}",
            "2: models.a.features.f.mute.until: must be a date such as 2026-12-31 (it is tomorrow)",
        ),
        (
            "models:\n  a: {features: {f: {kind: number}}}",
            (
                "2: models.a.features.f.kind: must be "
                "one of numeric, categorical, boolean (it is number)"
            ),
        ),
        (
            "sources:\n  - {name: a, topics: [t]}\n  - {name: a, topics: [t]}",
            "3: sources[1].name: each source needs a name of its own; sources[0] has it",
        ),
        (
            "sources:\n  - {name: a, topics: [t]}\n  - {topics: [t]}",
            "3: sources[1].name: is needed",
        ),
        (
            "sources:\n  - {name: a, topics: [t], format: kserve}",
            (
                "2: sources[0].format: kserve comes with a later version; write native, and below "
                "it where in the record things sit"
            ),
        ),
        (
            "sources:\n  - {name: a, topics: [t], missing: [true]}",
            (
                "2: sources[0].missing[0]: must be a number or a text "
                "(null is missing anyway) (it is true)"
            ),
        ),
        (
            "sources:\n  - {name: a, topics: [t], version_pattern: '['}",
            (
                "2: sources[0].version_pattern: not a regular expression: "
                "unterminated character set at position 0"
            ),
        ),
        (
            "sources:\n  - {name: a, topics: 5}",
            "2: sources[0].topics: must be a mapping (key: value) or a list (it is 5)",
        ),
        (
            "sources:\n  - {name: a, topics: {patern: x}}",
            "2: sources[0].topics.patern: unknown key. Did you mean pattern?",
        ),
        (
            "a: [",
            (
                "1: not YAML: while parsing a flow node, expected the node content, but found "
                "'<stream end>'"
            ),
        ),
        (
            "a: 1\n---\nb: 2",
            "2: not YAML: expected a single document in the stream, but found another document",
        ),
        ("- a", "1: must be a mapping: sections such as `kafka:` with their keys"),
        ("just text", "1: must be a mapping: sections such as `kafka:` with their keys"),
        (
            "log: !!python/name:os.system {}",
            "1: log: the tag tag:yaml.org,2002:python/name:os.system is not understood",
        ),
        ("? [a, b]\n: 1", "1: a key must be text"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(problems, text, message):
    assert f"{FILE}:{message}" in problems(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        *(
            (f"{key}: {{}}", key)
            for key in (
                "labels",
                "schema_registry",
                "team",
            )
        ),
        ("reference: {versions: {}}", "reference.versions"),
        ("kafka: {security: {token_command: []}}", "kafka.security.token_command"),
        *(
            (f"sources: [{{name: a, topics: [t], {key}: x}}]", f"sources[0].{key}")
            for key in ("part", "pair", "outputs", "segments", "kpis")
        ),
        (
            "sources: [{name: a, topics: [t], features: {request: {rows: value.x}}}]",
            "sources[0].features.request",
        ),
        ("models: {a: {schedule: continuous}}", "models.a.schedule"),
        ("models: {a: {features: {f: {importance: 1}}}}", "models.a.features.f.importance"),
    ],
)
def test_a_key_of_a_later_version_is_refused_by_name(problems, text, path):
    assert problems(text) == [f"{FILE}:1: {path}: {LATER}"]


def test_every_problem_is_told_at_once_in_the_order_of_lines(problems):
    told = problems(
        """\
        kafka:
          grup: x
          start: never
        labels: []
        detection:
          pane: 60
        models:
          '*': {tier: 9}
        """,
        ANCHORWATCH_STATE__EVERY="5x",
    )
    places = [line.split(": ")[:2] for line in told]
    assert places == [
        ["anchorwatch.yaml:2", "kafka.grup"],
        ["anchorwatch.yaml:3", "kafka.start"],
        ["anchorwatch.yaml:4", "labels"],
        ["anchorwatch.yaml:6", "detection.pane"],
        ["anchorwatch.yaml:8", "models.*.tier"],
        ["environment ANCHORWATCH_STATE__EVERY", "state.every"],
    ]


def test_a_section_that_is_no_yaml_hides_no_other(problems):
    told = problems(
        """\
        kafka:
          start: never
        web: {listen: [1}
        detection:
          pane: 60
          windows: [1h, 5m]
        models:
          a: {windows: [90s], team: "x}
        """
    )
    places = [line.split(": ")[:2] for line in told]
    assert places == [
        ["anchorwatch.yaml:2", "kafka.start"],
        ["anchorwatch.yaml:3", "not YAML"],
        ["anchorwatch.yaml:5", "detection.pane"],
        ["anchorwatch.yaml:6", "detection.windows"],
        ["anchorwatch.yaml:9", "not YAML"],
    ]


def test_an_anchor_of_a_section_that_is_no_yaml_is_no_further_problem(problems):
    assert len(problems("a: &x [\nlog: *x\n")) == 1


def test_two_documents_in_a_file_are_one_problem(problems):
    assert len(problems("a: 1\n---\nb: 2")) == 1


def test_a_missing_file_is_a_problem(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigurationProblems) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


def test_a_directory_is_a_problem(tmp_path):
    with pytest.raises(ConfigurationProblems, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_bytes_that_are_no_text_are_a_problem(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"log: \xff")
    with pytest.raises(ConfigurationProblems, match=r"is not UTF-8 text \(byte 5\)"):
        load(path, {})


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "\n".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in itertools.pairwise("abcdefgh")
        ),
        "a: &a {b: *a}",
        "a: " + "[" * 200 + "]" * 200,
    ],
    ids=["a billion laughs", "an alias to itself", "deep"],
)
def test_a_file_that_would_never_end_is_refused(problems, text):
    assert any("more than a configuration may hold" in line for line in problems(text))


def test_nesting_beyond_the_parser_is_a_problem_and_no_crash(problems):
    (line,) = problems("a: " + "[" * 20_000)
    assert "not YAML" in line


def test_control_characters_are_a_problem(problems):
    (line,) = problems("a: \x00")
    assert "not YAML: unacceptable character" in line


def test_problems_say_where_they_are_to_programs_too(write):
    with pytest.raises(ConfigurationProblems) as caught:
        load(write("\nlog: {level: loud}"), {})
    (problem,) = caught.value.problems
    assert (Path(problem.file).name, problem.line, problem.path) == (FILE, 2, "log.level")
    assert problem.message == "must be one of debug, info, warning, error (it is loud)"
