"""By year, by device, hit by hit, and counts: tables that a stranger recomputes without the corpus"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepnb.answers import read_answers
from deepnb.breakdown import (
    BREAKDOWNS,
    YEARS,
    cross_verdicts,
    device_class,
    judge_devices,
    judge_years,
    list_hits,
)
from deepnb.calibration import crossfit_false_alarms, upper95
from deepnb.cli import main
from deepnb.core import ChoiceError, ProtocolError
from deepnb.counts import COUNTED, COUNTS, count_errors, design_of, judge_counts
from deepnb.damage import TREATMENTS
from deepnb.evaluation import count_alarms
from deepnb.scores import PROTOCOLS, Scored, Scores, read_scores
from deepnb.tasks import TASKS


@pytest.fixture(scope="module")
def scores():
    return read_scores()


@pytest.fixture(scope="module")
def answers():
    return read_answers()


def world(seed, devices, *, skill=1.0):
    "Scores on one to three pictures by each device, four off the web, and two generated ones for each device"
    rng = np.random.default_rng(seed)
    makes = ("NIKON D", "Apple iPhone ", "odd box ")
    pictures = [
        Scored(f"c{i}-{j}", "camera", 0, device=f"{makes[i % 3]}{i}", short_side=400)
        for i in range(devices) for j in range(1 + i % 3)
    ]
    pictures += [Scored(f"w{i}", "dataset_real", 0, source=f"s{i}", short_side=300) for i in range(4)]
    pictures += [Scored(f"g{i}", "generated", 1, f"n{i}", f"n{i}", short_side=300) for i in range(2 * devices)]
    made = np.array([p.label for p in pictures])[:, None]
    return Scores(tuple(pictures), {"toy": rng.normal(skill * made, 0.5, (len(pictures), 4))})


@pytest.mark.parametrize("table, words", [
    ("year", (*YEARS, *TREATMENTS, "AUC", "found", "answered", "of")),
    ("device", ("phone", "camera", "unknown", "all", "95 % bound", "answered", *TREATMENTS)),
    ("hits", ("named right", "refused as unknown", "taken for", "prob.", "cos.", "miss")),
    ("counts", (*COUNTS, "no rate is claimed", "family told", "blind")),
])
def test_a_terminal_prints_the_table(capsys, table, words):
    assert main(["evaluate", table]) == 0
    said = capsys.readouterr().out
    assert not [word for word in words if word not in said]
    assert not [line for line in said.splitlines() if line != line.rstrip()]


def test_a_wrong_name_lists_every_table(capsys):
    assert main(["evaluate", "everything"]) == 2
    said = capsys.readouterr().err
    known = (*PROTOCOLS, *TASKS, *BREAKDOWNS, "counts", "calibration", "published")
    assert not [name for name in known if name not in said]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40))
def test_parts_by_device_add_up_to_what_the_whole_says(seed, devices):
    scores = world(seed, devices)
    table, values = judge_devices(scores, "toy"), scores.of("toy")
    camera = scores.where(lambda p: p.kind == "camera")
    names = [p.device for p, keep in zip(scores.pictures, camera, strict=True) if keep]
    whole = crossfit_false_alarms(values[camera].max(axis=1), names).false_alarm
    *parts, last = table.rows
    assert last.alarm == whole == count_alarms(scores, "toy").false_alarm and last.pictures == camera.sum()
    assert sum(row.alarm.k for row in parts) == whole.k == len(last.called)
    assert sum(row.alarm.n for row in parts) == whole.n
    assert all(row.alarm.upper95 == upper95(row.alarm.k, row.alarm.n) for row in table.rows)
    assert {device_class(name) for row in parts for name in row.called} <= {row.kind for row in parts}


def test_what_is_called_of_generated_pictures_is_what_the_alarms_say(scores):
    verdicts, alarms = cross_verdicts(scores, "default"), count_alarms(scores, "default")
    big = verdicts.where(lambda p: p.kind == "generated" and p.short_side >= 256)
    assert verdicts.called[big].mean(axis=0) == pytest.approx(alarms.found)


def test_devices_need_cameras():
    scores = world(0, 4)
    made = scores.where(lambda p: p.label == 1)
    alone = Scores(tuple(p for p in scores.pictures if p.label == 1), {"toy": scores.of("toy")[made]})
    with pytest.raises(ProtocolError, match="at least 2 devices"):
        judge_devices(alone, "toy")


def test_each_generated_picture_is_in_one_year(scores):
    rows = [row for row in judge_years(scores, draws=20).rows if row.measure == "AUC" and row.treatment == "untouched"]
    made = scores.where(lambda p: p.label == 1 and PROTOCOLS["generated"].keep(p))
    assert sum(row.pictures for row in rows) == made.sum()
    assert [row.task for row in rows] == [year for year in YEARS if year in {row.task for row in rows}]


@pytest.mark.parametrize("device, kind", [
    ("SONY DSC-RX100", "camera"), ("Sony ILCE-6000", "camera"), ("Sony D5803", "phone"), ("Sony SGP311", "tablet"),
    ("SONY HDR-CX405", "camcorder"), ("SAMSUNG NX1000", "camera"), ("samsung SM-S918B", "phone"), ("samsung SM-X700", "tablet"),
    ("Nokia N95", "phone"), ("Panasonic DMC-FZ50", "camera"), ("Panasonic P-01J", "unknown"), ("Sony", "unknown"),
    ("nikon/camera-tests", "unknown"), ("", "unknown"),
])  # fmt: skip
def test_models_decide_what_a_device_is(device, kind):
    assert device_class(device) == kind


def test_hits_are_pictures_that_training_did_not_know_the_home_of(answers):
    hits = list_hits(answers)
    at = {p.sha256: p for p in answers.pictures}
    assert {h.sha256 for h in hits.rows} == {
        p.sha256 for p in answers.pictures if p.kind == "generated" and p.modern and p.lineage in answers.sources
    }
    likeness = {p.sha256: answers.embedding[i, 0] @ answers.prototypes.T for i, p in enumerate(answers.pictures)}
    for hit in hits.rows:
        assert hit.lineage == at[hit.sha256].lineage and hit.named == answers.sources[likeness[hit.sha256].argmax()]
        assert hit.cosine == pytest.approx(likeness[hit.sha256].max()) and 0 < hit.probability < 1
    assert f"{sum(h.right for h in hits.rows)} of {len(hits.rows)} pictures are named right" in str(hits)
    assert len(str(hits).splitlines()) - len(hits.text(5).splitlines()) == len(hits.rows) - 5


def test_a_perfect_embedding_hits_and_an_empty_list_is_refused(answers):
    place = {name: i for i, name in enumerate(answers.sources)}
    told = np.stack([answers.prototypes[place.get(p.lineage, 0)] for p in answers.pictures])
    known = np.array([p.lineage in place for p in answers.pictures])
    told[~known] = -answers.prototypes.mean(axis=0)
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    hits = list_hits(replace(answers, embedding=told[:, None].repeat(4, axis=1)))
    assert all(hit.right and not hit.refused for hit in hits.rows)
    with pytest.raises(ProtocolError, match="modern"):
        list_hits(replace(answers, pictures=tuple(replace(p, modern=False) for p in answers.pictures)))
    with pytest.raises(ChoiceError, match="jpeg75"):
        list_hits(answers, treatment="jpeg7")


def test_counts_are_guessed_from_other_designs_only(answers):
    "What is published of a design and its lineage changes the truth alone, never the guess"
    errors = count_errors(answers)
    layers = COUNTS.index("n_layers")
    assert set(errors.designs) <= {design_of(names[0]) for names in COUNTED.values()}
    only = [name for name in answers.trained if design_of(name) in ("", "PIX2PIX", "CYCLEGAN")]
    few = count_errors(replace(answers, trained=tuple(only)))
    for error, design in zip(few.told[:, layers], few.designs, strict=True):
        if design in ("PIX2PIX", "CYCLEGAN"):  # one relative is left, whose counts are then the guess
            assert error == pytest.approx(abs(np.log10(1 + 29) - np.log10(1 + 47)), abs=1e-9)


def test_counts_say_where_nothing_can_be_claimed(answers):
    table = judge_counts(answers)
    assert "no rate is claimed" in table.notes[0]
    read, gain = ({(r.task, r.treatment): r for r in table.tables.rows if r.measure == m} for m in ("family read", "gain"))
    right = [row.value for row in table.tables.rows if row.task == "family"]
    assert len(right) == len(TREATMENTS) and all(0 <= value <= 1 for value in right)
    for key, row in read.items():
        assert gain[key].value == pytest.approx(row.blind - row.value)
    strangers = replace(answers, lineages=(), sources=())
    assert "no rate is claimed" not in judge_counts(strangers).notes[0]
    with pytest.raises(ProtocolError, match="family"):
        count_errors(replace(answers, fields=answers.fields[1:]))
