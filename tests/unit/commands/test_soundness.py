"""Every problem of every phase at once, as `check` and `run` tell them."""

import ssl
import subprocess
from datetime import UTC, datetime
from textwrap import dedent

import pytest

from config.errors import ConfigurationProblems
from service.commands import run, soundness
from service.monitor.references.file import write
from tests.unit.monitor.events import reference

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()


@pytest.fixture
def look(tmp_path):
    """Judges a text; gives the problems and the hints, as lines without the directory's name."""

    def look_at(text):
        file = tmp_path / "a.yaml"
        file.write_text(dedent(text).replace("HERE", str(tmp_path)), "utf-8")
        found = soundness.soundness(file, {}, NOW)
        problems, hints = (
            [str(p).replace(f"{tmp_path}/", "") for p in told]
            for told in (found.problems, found.hints)
        )
        return problems, hints

    return look_at


@pytest.fixture
def problems(look):
    return lambda text: look(text)[0]


@pytest.fixture
def hints(look):
    def find(text):
        problems, hints = look(text)
        assert problems == []
        return hints

    return find


@pytest.fixture
def references(tmp_path):
    """A directory with the references of m and other, and room for more."""
    directory = tmp_path / "references"
    directory.mkdir()
    for model in ("m", "other"):
        (directory / f"{model}.json").write_text(write(reference(200, model=model)), "utf-8")
    return directory


def places(lines):
    return [": ".join(line.split(": ")[:2]) for line in lines]


def test_one_run_tells_every_problem_of_every_phase_in_the_order_of_files_and_lines(
    problems, references
):
    (references / "broken.json").write_text("{\n'", "utf-8")
    told = problems(
        """\
        kafka:
          grup: x
          security: {protocol: SSL, ca_file: HERE/none.pem}
        sources:
          - name: a
            topics: [t]
            decode: [zip, json]
            id: value..x
            latency: {path: valu.x, unit: h}
          - name: b
            topics: [t]
            prediction: value.
        detection:
          pane: 60
          detectors: [{name: adwin, delta: 7}, page_hinkley]
        reference: {from: HERE/references}
        models:
          m: {tier: 9, reference: {from: HERE/none}}
        """
    )
    assert places(told) == [
        "a.yaml:2: kafka.grup",
        "a.yaml:3: kafka.security.ca_file",
        "a.yaml:7: sources[0].decode[0]",
        "a.yaml:8: sources[0].id",
        "a.yaml:9: sources[0].latency.unit",
        "a.yaml:9: sources[0].latency.path",
        "a.yaml:11: sources[1].topics[0]",
        "a.yaml:12: sources[1].prediction",
        "a.yaml:14: detection.pane",
        "a.yaml:15: detection.detectors[0]",
        "a.yaml:18: models.m.tier",
        "a.yaml:18: models.m.reference.from",
        "references/broken.json:2: JSON is malformed",
    ]


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("decode: [avro]", "decode[0]: no stage 'avro'; there are json, csv, base64, gzip"),
        ("decode: [json, gzip]", "decode[0]: 'json' gives a value; no stage can follow it"),
        ("model: [value.m, '\"x']", "model[1]: '\"x': a constant ends with its second quote"),
        ("version: valu.x", "version: 'valu.x': no such place"),
        ("version: topic.x", "version: 'topic.x': no group 'x' (there are: none) at position 6; a"),
        ("time: '{value.t'", "time: '{value.t': a '{' without its pair at position 0"),
        ("id: '{value.a}#{rwo}'", "id: 'rwo': no such place"),
        ("latency: valu.x", "latency: 'valu.x': no such place"),
        ("weight: {path: value.}", "weight.path: 'value.': expected .name"),
        ("keep_if: {head.x: [1]}", "keep_if.'head.x': 'head.x': no such place"),
        ("drop_if: {value..x: present}", "drop_if.'value..x': 'value..x': expected .name"),
        ("features: value..f", "features: 'value..f': expected .name"),
        ("features: {rows: value.x, take: a..b}", "features.take: 'value.a..b': expected .name"),
        ("features: {rows: value.x, layout: tensors}", "features.layout: no layout 'tensors'"),
        ("prediction: {rows: value.x, layout: zip+auto}", "prediction.layout: no stage 'zip'"),
        (
            "prediction: {rows: value.x, layout: {from: valu.k, a: auto}}",
            "prediction.layout.from: 'valu.k': no such place",
        ),
        (
            "prediction: {rows: value.x, layout: {from: value.k, a: auto, b: tensors}}",
            "prediction.layout.b: no layout 'tensors'",
        ),
        ("features: {include: [f_*]}", "features.include[0]: include 'f_*': expected a path"),
    ],
)
def test_each_part_of_a_mapping_is_told_with_its_setting(problems, mapping, told):
    (line,) = problems(f"sources:\n  - name: a\n    topics: [t]\n    {mapping}\n")
    assert line.startswith(f"a.yaml:4: sources[0].{told}")


def test_a_sound_mapping_has_no_fault(look):
    text = """\
        sources:
          - name: a
            topics: {pattern: '(?P<region>[a-z]+)\\.p'}
            decode: [base64, gzip, json]
            version: [topic.region, '"none"']
            id: '{header.id}#{row}'
            features: {include: ['value.f_*'], strip_prefix: f_}
            keep_if: {header.status: [200]}
    """
    assert look(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("kafka: {security: {protocol: SASLSSL, username: x}}", ["kafka.security.protocol"]),
        ("detection: {pane: 60, windows: [90s]}", ["detection.pane"]),
        (
            "sources: [{name: a, topics: {pattern: '('}, version: topic.region}]",
            ["sources[0].topics.pattern"],
        ),
        ("kafka: {security: {password: '${env:NONE}'}}", ["kafka.security.password"]),
        ("reference: {from: [1]}", ["reference.from"]),
    ],
)
def test_what_may_be_a_consequence_of_another_problem_is_not_told(problems, text, wrong):
    assert places(problems(text)) == [f"a.yaml:1: {path}" for path in wrong]


def test_how_values_go_together_is_judged_although_another_value_is_wrong(problems):
    told = problems(
        """\
        detection:
          recover_after: x
          windows: [1h, 5m]
        sources:
          - {name: a, topics: [t], files: [f], latency: {path: value.x, unit: h}}
          - {name: a, topics: [u], path_pattern: x, weight: 5}
        """
    )
    assert places(told) == [
        "a.yaml:2: detection.recover_after",
        "a.yaml:3: detection.windows",
        "a.yaml:5: sources[0].latency.unit",
        "a.yaml:5: sources[0]",
        "a.yaml:6: sources[1].weight",
        "a.yaml:6: sources[1]",
        "a.yaml:6: sources[1].name",
    ]


def test_a_topic_belongs_to_one_source(problems):
    told = problems(
        """\
        kafka: {dead_letters: dead}
        sources:
          - {name: a, topics: {pattern: 'ml\\..*'}}
          - {name: b, topics: [ml.b, mlb, dead]}
          - {name: c, topics: {pattern: 'ml\\..*'}}
        """
    )
    named, dead, same = told
    assert named == (
        "a.yaml:4: sources[1].topics[0]: the topic ml.b is read by sources[0] (a) already: "
        "take it out of one, or put this one first"
    )
    assert dead.startswith("a.yaml:4: sources[1].topics[2]: dead is also kafka.dead_letters, so")
    assert same.startswith(
        "a.yaml:5: sources[2].topics.pattern: matches what sources[0] (a) reads, such as ml.x, "
        "which goes to the first of the two, so that nothing is left for this one"
    )


def test_patterns_that_overlap_are_a_hint_and_others_are_not(hints):
    (told,) = hints(
        """\
        sources:
          - {name: a, topics: {pattern: '(?P<region>[a-z]+)\\.predictions'}}
          - {name: b, topics: {pattern: 'x\\..+'}}
          - {name: c, topics: {pattern: 'scores-\\d+'}}
        """
    )
    assert told.startswith(
        "a.yaml:3: sources[1].topics.pattern: matches what sources[0] (a) reads, such as "
        "x.predictions, which goes to the first of the two"
    )


def test_every_unsound_reference_is_told_and_two_for_one_version(problems, references):
    (references / "again.json").write_text((references / "m.json").read_text("utf-8"), "utf-8")
    (references / "cut.json").write_text('{\n"format": 1,\n', "utf-8")
    newer = (references / "other.json").read_text("utf-8").replace('"format": 1', '"format": 9')
    (references / "newer.json").write_text(newer, "utf-8")
    cut, clash, later = problems("reference: {from: HERE/references}")
    assert cut.startswith("references/cut.json:3: ends too early: restore the file")
    assert clash.startswith("references/m.json: references/again.json and references/m.json are")
    assert later.startswith("references/newer.json: format 9 was written by a newer version")


def test_references_that_nobody_looks_for_and_globs_that_match_nothing_are_hints(
    hints, references, tmp_path
):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "m.json").write_text((references / "m.json").read_text("utf-8"), "utf-8")
    told = hints(
        """\
        reference: {from: HERE/references}
        models:
          oter: {tier: 1}
          oth*:
            reference: {from: HERE/own}
            features:
              x: {source: feed}
              incom: {source: feed}
              '*_key': {ignore: true}
              state: {mute: {until: 2026-11-23, by: me, why: x}}
          m: {features: {x: {mute: {until: 2026-11-24, by: me, why: x}}}}
        """
    )
    beginnings = [
        "a.yaml:3: models.oter: matches no model that has a reference; these have: m, other",
        "a.yaml:5: models.oth*.reference.from: own has no reference of a model like oth*, it has ",
        "a.yaml:8: models.oth*.features.incom: matches no feature in the references of these",
        "a.yaml:10: models.oth*.features.state.mute: was over on 2026-11-23 and has no effect",
        "own/m.json: nobody uses it: model m looks in references; move the file there",
        "references/other.json: nobody uses it: model other looks in own; move the file there",
    ]
    assert len(told) == len(beginnings)
    for line, beginning in zip(told, beginnings, strict=True):
        assert line.startswith(beginning)


def test_without_references_no_glob_is_doubted(hints):
    assert hints("models: {nobody: {tier: 1}}") == []


def test_certificates_have_to_be_such_and_to_fit_their_key(problems, tmp_path):
    for name in ("one", "two"):
        _certificate(tmp_path, name)
    (tmp_path / "text.pem").write_text("no certificate", "utf-8")
    (tmp_path / "empty").write_text("", "utf-8")
    security = "kafka:\n  security:\n    protocol: SSL\n    ca_file: HERE/{}\n"
    identity = "    certificate_file: HERE/{}.crt\n    key_file: HERE/{}.key\n"
    assert problems(security.format("one.crt") + identity.format("one", "one")) == []
    authority, key = problems(security.format("text.pem") + identity.format("one", "two"))
    assert authority.startswith("a.yaml:4: kafka.security.ca_file: text.pem holds no certificate")
    assert key.startswith("a.yaml:6: kafka.security.key_file: two.key is no private key that fits")
    (empty,) = problems(security.format("empty"))
    assert empty == "a.yaml:4: kafka.security.ca_file: empty is empty: put its content there"


def test_run_refuses_with_the_same_list(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("log: {levl: x}\nsources: [{name: a, topics: [t], id: valu.x}]\n", "utf-8")
    expected = soundness.soundness(file, {}, NOW).problems
    with pytest.raises(ConfigurationProblems) as caught:
        run.command.main(["--config", str(file)], standalone_mode=False)
    assert caught.value.problems == expected
    assert len(expected) == 2


def _certificate(directory, name):
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.crt"]
    subject = ["-nodes", "-days", "9", "-subj", f"/CN={name}"]
    subprocess.run([*made, *files, *subject], check=True, capture_output=True)
    assert ssl.create_default_context(cafile=f"{directory}/{name}.crt")
