"Answers are plain values: whatever they hold, the way through JSON and back changes nothing"

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from samples import sample_explanation, sample_reading

from deepnb.core import ChoiceError
from deepnb.reading import (
    Comparison,
    Estimate,
    Explanation,
    FalseAlarm,
    Part,
    PictureRecord,
    ReaderRecord,
    Reading,
    Receipt,
    ScopeNote,
    Source,
    Stress,
    StressStep,
    Verdict,
    open_saved,
    record_picture,
    refusal_line,
    save,
)
from deepnb.value import SCHEMA, ReadingError

words = st.text(max_size=12)
numbers = st.floats(width=64)
shares = st.floats(0, 1)
pictures = st.builds(
    PictureRecord,
    words,
    words,
    st.integers(1, 9000),
    st.integers(1, 9000),
    words,
    st.lists(words, max_size=2),
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4), st.just(3))),
)
readers = st.builds(ReaderRecord, words, words, words)
answers = st.one_of(words, st.booleans(), st.integers(-99, 99), st.floats(allow_nan=False))
estimates = st.builds(
    Estimate,
    words,
    answers,
    shares,
    st.lists(answers, max_size=3),
    st.none() | st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    st.booleans(),
    answers,
)


def floats(*shape):
    "Arrays of any numbers, large and missing ones too"
    return arrays.arrays(np.float32, shape, elements=st.floats(width=32))


readings = st.builds(
    Reading,
    pictures,
    st.sampled_from(Verdict),
    numbers,
    shares,
    st.builds(FalseAlarm, st.integers(0, 9), st.integers(1, 99), shares),
    st.none() | shares,
    st.lists(st.builds(Source, words, shares), max_size=3),
    st.lists(words, max_size=3),
    shares,
    st.lists(estimates, max_size=3),
    st.none() | shares,
    floats(4, 4, 3),
    floats(4, 4),
    floats(5),
    arrays.arrays(np.int32, (2, 4)),
    arrays.arrays(np.float64, 2),
    st.lists(st.builds(ScopeNote, words, words, words), max_size=2),
    st.dictionaries(words, words | st.lists(st.integers()), max_size=2),
    words,
    readers,
)


def through_json(value):
    "There and back by way of text"
    return type(value).from_json(json.dumps(value.to_json(), allow_nan=False))


@settings(max_examples=25, deadline=None)
@given(readings)
def test_a_reading_survives_json_exactly(reading):
    back = through_json(reading)
    assert back == reading and hash(back) == hash(reading)
    assert back.fingerprint.tobytes() == reading.fingerprint.tobytes()
    strict = json.loads(reading.to_line(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "\n" not in reading.to_line() and strict["schema"] == SCHEMA


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.data(),
    pictures,
    st.none() | st.builds(Receipt, st.sampled_from(("explains", "does not explain", "cannot tell")), numbers),
)
def test_an_explanation_survives_json_and_sums(rows, bands, data, picture, receipt):
    count = rows * bands
    parts = [
        Part(f"{r}.{b}", r, b, (0, r, 9, r + 1), (b / 8, (b + 1) / 8))
        for r in range(rows)
        for b in range(bands)
    ]
    values = data.draw(arrays.arrays(np.float64, count, elements=st.floats(-1e6, 1e6)))
    covered = data.draw(arrays.arrays(bool, count))
    why = Explanation(
        picture,
        "generated",
        1.0,
        0.0,
        values,
        parts,
        covered,
        (rows, 1),
        tuple(b / 8 for b in range(bands + 1)),
        [[0, 0, 9, rows]],
        0.0,
        "default",
        "near",
        "words",
        receipt,
        None,
        raw=object(),
    )
    assert through_json(why) == why
    np.testing.assert_allclose(why.matrix().sum(), values.sum(), atol=1e-6)
    np.testing.assert_allclose(why.by_region().sum(), why.by_band().sum(), atol=1e-6)
    assert why.matrix().shape == (rows, bands)
    assert why.covered_regions().tolist() == covered.reshape(rows, bands).any(1).tolist()
    assert len(why.to_frame()) == count and "raw" not in why.to_json()


def test_the_line_of_a_reading_is_the_one_promised():
    line = json.loads(sample_reading().to_line())
    assert list(line) == [
        "schema",
        "picture",
        "verdict",
        "score",
        "probability",
        "false_alarm",
        "sources",
        "source_set",
        "unknown_source",
        "hyperparameters",
        "fingerprint",
        "scope",
        "sentence",
        "reader",
        "seconds",
    ]
    assert list(line["picture"]) == ["name", "sha256", "width", "height", "format"]
    assert list(line["false_alarm"]) == ["k", "n", "upper95"]
    assert list(line["fingerprint"]) == ["embedding"]
    assert list(line["hyperparameters"]["up_sampling"]) == [
        "value",
        "set",
        "probability",
        "interval",
        "informative",
        "blind_guess",
    ]
    assert sum(s["probability"] for s in line["sources"]) + line["unknown_source"] == pytest.approx(1)


def test_the_line_of_an_explanation_is_the_one_promised():
    line = json.loads(sample_explanation().to_line())
    assert list(line) == [
        "schema",
        "picture",
        "score_name",
        "score",
        "baseline_score",
        "convergence_delta",
        "parts",
        "by_region",
        "by_band",
        "receipt",
        "sentence",
    ]
    assert list(line["parts"][0]) == ["region", "band", "box", "frequency", "value"]
    assert sum(p["value"] for p in line["parts"]) == pytest.approx(line["score"] - line["baseline_score"])


def test_a_refusal_has_a_line_of_its_own():
    line = json.loads(refusal_line("b\n.jpg", "truncated", message="It ends early."))
    assert line == {
        "schema": 1,
        "picture": {"name": "b\n.jpg"},
        "error": {"cause": "truncated", "message": "It ends early."},
    }


def test_numbers_that_are_missing_are_null_in_the_line():
    reading = dataclasses.replace(sample_reading(), score=math.nan)
    assert json.loads(reading.to_line())["score"] is None
    assert math.isnan(through_json(reading).score)


def test_an_answer_cannot_be_changed():
    reading = sample_reading()
    with pytest.raises(dataclasses.FrozenInstanceError):
        reading.score = 0
    for name in ("fingerprint", "spectrum", "embedding", "crop_boxes", "crop_scores"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(reading, name)[...] = 0


def test_equality_looks_into_arrays_and_ignores_the_clock():
    reading = sample_reading()
    assert reading == dataclasses.replace(reading, seconds=99)
    assert reading != dataclasses.replace(reading, embedding=reading.embedding + 1)
    assert reading != dataclasses.replace(reading, spectrum=reading.spectrum[:-1])
    assert reading != sample_explanation()


@pytest.mark.parametrize(
    "data", ["", "[]", "null", "{}", b"\xff\xfe", '{"schema": 1}', '{"schema": 1, "kind": "Reading"}']
)
def test_what_is_no_reading_is_refused_in_words(data):
    with pytest.raises(ReadingError, match="Reading.from_json needs"):
        Reading.from_json(data)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_reading_is_refused_or_opened_but_never_a_traceback(data):
    held = json.loads(json.dumps(sample_reading(side=8).to_json()))
    name = data.draw(st.sampled_from(sorted(held)))
    held[name] = data.draw(
        st.none() | st.integers() | words | st.lists(words) | st.dictionaries(words, words)
    )
    try:
        Reading.from_json(held)
    except (ReadingError, ChoiceError) as error:
        assert str(error)


def test_words_outside_the_lists_are_refused():
    with pytest.raises((ChoiceError, ValueError), match="fake"):
        dataclasses.replace(sample_reading(), verdict="fake")
    with pytest.raises(ChoiceError, match="explains"):
        Receipt("explain")
    picture, reader = sample_reading().picture, sample_reading().reader
    with pytest.raises(ChoiceError, match="same"):
        Comparison(picture, picture, 0.5, 0.0, "similar", "", reader)


def test_saved_answers_open_as_what_they_are(tmp_path):
    reading, why = sample_reading(), sample_explanation()
    pair = Comparison(reading.picture, why.picture, 0.5, 0.0, "cannot_say", "Too small.", reading.reader)
    stress = Stress([StressStep("untouched", 1, 0.7, "generated")], True, "It holds.", reading.picture)
    for value in (reading, why, pair, stress):
        assert open_saved(save(value, tmp_path / "answer.json")) == value
    (tmp_path / "other.json").write_text('{"kind": "Novel"}')
    with pytest.raises(ReadingError, match="Novel"):
        open_saved(tmp_path / "other.json")


def test_a_saved_reading_opens_without_torch(tmp_path):
    path = save(sample_reading(), tmp_path / "answer.json")
    code = (
        "import sys; from deepnb.reading import open_saved; print(open_saved(sys.argv[1]).sentence);"
        "print(sorted({'torch', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [sample_reading().sentence, "[]"]


def test_a_name_from_a_file_is_escaped_in_the_table():
    reading = sample_reading(name="<script>alert(1)</script>.png")
    assert "<script>" not in reading._repr_mimebundle_()["text/html"]
    assert "<script>" in reading._repr_mimebundle_()["text/plain"]


def test_every_bundled_picture_has_a_record(bundled):
    from deepnb.picture import load

    for path in bundled:
        picture = load(path)
        record = record_picture(picture)
        assert record.sha256 == picture.sha256 and (record.width, record.height) == picture.size
        assert max(record.thumbnail.shape) <= 512 and record.thumbnail.std() > 0
        assert through_json(record) == record


@pytest.mark.parametrize("probability, ratio", [(0.5, 1), (0.9, 9), (0.1, 1 / 9), (1.0, 1e9)])
def test_the_likelihood_ratio_is_the_odds_at_equal_odds_beforehand(probability, ratio):
    assert sample_reading(probability=probability).likelihood_ratio == pytest.approx(ratio)


def test_an_explanation_saved_with_a_field_that_is_gone_opens():
    made = sample_explanation()
    old = json.loads(json.dumps(made.to_json()))
    old["receipt"]["agreement"] = 0.9
    for name in ("band_agreement", "region_agreement", "radius_auc"):
        del old["receipt"][name]
    opened = Explanation.from_json(old)
    assert opened.receipt.verdict == made.receipt.verdict and opened.receipt.band_agreement is None
