"""Reference files: what is written is read, and what is wrong is named."""

import json
import math

import pytest

from detectors.summary.profile import Profile
from service.errors import ConfigurationError
from service.monitor.references.directory import ReferenceDirectory
from service.monitor.references.file import read, write
from service.monitor.references.reference import build_reference, reference_cells
from service.values.references import Lineage
from service.values.streams import LATENCY, PREDICTION, Kind, StreamKey


def reference(model="credit-risk", version="3", rows=40, **lineage):
    columns = {
        StreamKey(Kind.INPUT, "age"): [*map(float, range(rows - 1)), None],
        StreamKey(Kind.INPUT, "größe \u2028"): ["a", "b\n"] * (rows // 2),
        StreamKey(Kind.INPUT, "card"): [True, None] * (rows // 2),
        StreamKey(Kind.INPUT, "empty"): [None] * rows,
        StreamKey(Kind.INPUT, "zone"): ["a"] * (rows - 2) + ["b", "c"],
        PREDICTION: [0.1] * rows,
        LATENCY: [1e-9, 1.7976931348623157e308] * (rows // 2),
    }
    profiles = {}
    for key, values in columns.items():
        profiles[key] = Profile()
        profiles[key].update(values)
    told = {"source": "a.csv", "data_hash": "ff", "created_seconds": 1.7e9, "created_by": "ada"}
    told |= {"from_seconds": 1234567890.1234567, "metadata": {"depth": "6"}} | lineage
    return build_reference(model, version, profiles, rows, Lineage(**told))


def tree(**changes):
    return json.loads(write(reference())) | {"hash": None} | changes


def stream_tree(position, **changes):
    whole = tree()
    whole["streams"][position] |= changes
    return whole


def test_every_float_comes_back_as_it_was():
    p = Profile()
    p.update([1 / 3, 2 / 3, 5e-324, -1e-300, 1e22])
    built = build_reference("m", "1", {PREDICTION: p}, 5, Lineage("a", "b", 1.0, "c"))
    found = read(write(built), "x").streams[0]
    assert found.edges.tolist() == built.streams[0].edges.tolist()
    assert found.quantiles == built.streams[0].quantiles


def test_what_is_read_equals_what_was_written():
    built = reference()
    found = read(write(built), "ref.json")
    assert write(found) == write(built)
    assert found.hash == built.hash
    assert (found.model, found.version, found.rows) == ("credit-risk", "3", 40)
    assert found.lineage == built.lineage
    assert reference_cells(found).tolist() == reference_cells(built).tolist()
    for left, right in zip(found.streams, built.streams, strict=True):
        assert (left.key, left.type, left.categories) == (right.key, right.type, right.categories)
        assert (left.rare, left.open_ended) == (right.rare, right.open_ended)
        assert left.quantiles == right.quantiles
        assert left.mean == right.mean or math.isnan(right.mean)


def test_a_reference_for_any_version_and_without_rows_is_read():
    built = build_reference("m", None, {}, 0, Lineage("learned", "", 5.0, "aw"))
    assert read(write(built), "x") == built


def test_the_file_is_for_people():
    text = write(reference())
    lines = text.splitlines()
    assert lines[:4] == ["{", '  "format": 1,', '  "model": "credit-risk",', '  "version": "3",']
    assert '      "categories": ["a", "b\\n"],' in lines
    assert '    "from": "2009-02-13T23:31:30.123457Z",' in lines
    assert "größe" in text
    assert max(map(len, lines)) < 400
    assert text.endswith("}\n")


def test_a_hash_that_does_not_match_says_how_to_accept_the_edit():
    text = write(reference()).replace('"missing": 1', '"missing": 2')
    with pytest.raises(ConfigurationError, match=r'ref.json: hash: .*removing its "hash" line'):
        read(text, "ref.json")
    edited = "\n".join(line for line in text.split("\n") if '"hash"' not in line)
    assert read(edited, "ref.json").streams[0].missing == 2


def test_a_newer_format_is_refused_by_its_number_whatever_else_it_holds():
    with pytest.raises(ConfigurationError, match=r"ref.json: format 2 was written by a newer"):
        read('{"format": 2, "unheard": []}', "ref.json")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (tree(format=0), r"format: 0 is not known"),
        (tree(model=""), r"model: must not be empty"),
        (tree(rows=-1), r"rows: must not be negative"),
        (tree(rows="many"), r"rows: Expected `int`"),
        (tree(colour="red"), r"Object contains unknown field `colour`"),
        (tree(lineage={}), r"lineage: .*missing required field"),
        (stream_tree(0, edges=[1.0, 1.0]), r"streams\[0\].edges: not ascending"),
        (stream_tree(0, edges=[2.0, 1.0]), r"streams\[0\].edges: not ascending"),
        (stream_tree(0, edges=[1, None]), r"streams\[0\].edges\[1\]: Expected `float`"),
        (stream_tree(0, counts=[1, 2]), r"streams\[0\].counts: 2 counts where \d+ cells"),
        (stream_tree(0, counts=[-1], edges=[]), r"streams\[0\].counts\[0\]: is not a count"),
        (stream_tree(0, counts=[2**63], edges=[]), r"streams\[0\].counts\[0\]: is not a count"),
        (stream_tree(0, fenced=True, counts=[3], edges=[]), r"streams\[0\].fenced: the outermost"),
        (stream_tree(5, fenced=True), r"streams\[5\].fenced: only numeric"),
        (stream_tree(0, missing=-1), r"streams\[0\].missing: must not be negative"),
        (stream_tree(0, categories=["a"]), r"streams\[0\].categories: only categorical"),
        (stream_tree(0, sd=-1.0), r"streams\[0\].sd: must not be negative"),
        (stream_tree(0, name=""), r"streams\[0\].name: must not be empty"),
        (stream_tree(0, name="x" * 129), r"streams\[0\].name: is longer than 128 bytes"),
        (stream_tree(0, kind="colour"), r"streams\[0\].kind: Invalid enum value"),
        (stream_tree(0, quantiles={"1.5": 1.0}), r"streams\[0\].quantiles: '1.5' is not a prob"),
        (stream_tree(0, quantiles={"p": 1.0}), r"streams\[0\].quantiles: 'p' is not a prob"),
        (stream_tree(1, kind="input", name="age"), r"streams\[1\]: input 'age' is there twice"),
        (
            stream_tree(3, categories=["no", "yes"]),
            r"streams\[3\].categories: a boolean stream has",
        ),
        (
            stream_tree(5, categories=["a", "a"]),
            r"streams\[5\].categories: a category is named twice",
        ),
        (stream_tree(5, counts=[1]), r"streams\[5\].counts: 1 counts for 2 categories"),
        (stream_tree(5, edges=[1.0]), r"streams\[5\].edges: only numeric"),
        (stream_tree(6, kind="latency"), r"streams\[6\].type: a latency, class prob"),
        (stream_tree(6, kind="output"), r"streams\[6\].type: a latency, class prob"),
        (stream_tree(0, rare=["a"]), r"streams\[0\].rare: only categorical"),
        (stream_tree(6, rare=["a", "b"]), r"streams\[6\].rare: a category is named twice"),
        (stream_tree(6, rare=["b", "b"]), r"streams\[6\].rare: a category is named twice"),
        (stream_tree(6, rare=[]), r"streams\[6\].rare: names what `other` counts, unless"),
        (stream_tree(6, other=0), r"streams\[6\].rare: names what `other` counts, unless"),
        (stream_tree(6, open_ended=True), r"streams\[6\].rare: an open-ended stream has none"),
        (tree(streams=tree()["streams"][::-1]), r"streams\[4\]: numeric streams must come before"),
        (
            tree(lineage=tree()["lineage"] | {"created": "soon"}),
            r"lineage.created: 'soon' is not a",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field(changed, message):
    with pytest.raises(ConfigurationError, match=r"ref\.json: " + message):
        read(json.dumps(changed), "ref.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": "1"}', b"\xff", "[" * 9000])
def test_what_is_no_reference_is_a_configuration_error(text):
    with pytest.raises(ConfigurationError, match=r"ref\.json: "):
        read(text, "ref.json")


def put(path, model, version):
    path.write_text(write(reference(model, version)), encoding="utf-8")


def test_a_directory_finds_a_version_before_any_version(tmp_path):
    put(tmp_path / "a.json", "m", "1")
    put(tmp_path / "b.json", "m", None)
    put(tmp_path / "c.json", "other", "1")
    (tmp_path / ".hidden.json").write_text("{")
    (tmp_path / "notes.txt").write_text("{")
    directory = ReferenceDirectory(tmp_path)
    assert directory.find("m", "1").version == "1"
    assert directory.find("m", "2").version is None
    assert directory.find("m", "2").model == "m"
    assert directory.find("other", "2") is None
    assert [(r.model, r.version) for r in directory] == [("m", None), ("m", "1"), ("other", "1")]
    assert len(directory) == 3


@pytest.mark.parametrize(
    ("version", "title"), [("1", "model 'm', version '1'"), (None, "any version")]
)
def test_two_files_for_one_version_are_both_named(tmp_path, version, title):
    put(tmp_path / "a.json", "m", version)
    put(tmp_path / "b.json", "m", version)
    with pytest.raises(ConfigurationError, match=rf"a\.json and .*b\.json .*{title}"):
        ReferenceDirectory(tmp_path)


def test_an_unsound_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"a\.json"):
        ReferenceDirectory(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        ReferenceDirectory(tmp_path / "nowhere")
