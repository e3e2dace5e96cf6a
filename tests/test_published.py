"""published: what a terminal prints, what was found, folds that keep twins together, F1 as others count it"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepnb
from deepnb.core import ChoiceError, ProtocolError
from deepnb.published import (
    PREDICTORS,
    Published,
    cluster_agreement,
    compare_published,
    grouped_sets,
    identical,
    load_published,
    majority,
    mean_f1,
    published_figures,
    published_sets,
    realigned_clusters,
    released_clusters,
    score_published,
    twins,
)

DATA = Path(deepnb.__file__).parent / "data"


@pytest.fixture(scope="module")
def compared():
    return compare_published(draws=100)


@pytest.fixture(params=["red116", "red140"])
def table(request):
    return load_published(request.param)


# In a terminal ------------------------------------------------------------------------------------


def test_a_terminal_prints_the_tables_without_torch():
    code = "import sys; from deepnb.cli import main; code = main(['evaluate', 'published'])\n"
    code += "print(sorted({'torch', 'scipy', 'pandas'} & set(sys.modules)), code)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0 and not asked.stderr
    *words, last = asked.stdout.splitlines()
    assert last == "[] 0"
    for head in ("RED116, published sets: 48", "RED116, grouped sets: 116", "RED140, published sets: 60"):
        assert any(line.startswith(head) for line in words)
    of = {line.split("  ")[0]: line for line in reversed(words)}  # the first table wins
    assert ".155" in of["mean"] and ".151" in of["median"] and ".808" in of["majority"]
    assert ".149 +- .019" in of["FEN-PN, recalled"] and ".813" in of["FEN-PN, seen"]
    assert max(map(len, words)) <= 120


def test_a_wrong_protocol_is_told_the_near_one(capsys):
    from deepnb.cli import main

    assert main(["evaluate", "publishd"]) == 2
    assert "Nearest: published" in capsys.readouterr().err


def test_the_door_opens_without_the_room():
    code = "import sys; from deepnb.cli import make_parser; make_parser()\n"
    code += "print('deepnb.published' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# What was found -----------------------------------------------------------------------------------


def test_a_constant_stands_beside_the_recalled_error(compared):
    row = compared.of("red116", "published sets")
    figure = {(f.method, f.measure, f.kind): f for f in compared.figures if f.known == "recalled"}
    told = figure["FEN-PN", "L1", "numbers"]
    for name, value in (("mean", 0.155), ("median", 0.151)):
        assert row[name, "L1", "numbers"].value == pytest.approx(value, abs=1e-3)
        assert abs(row[name, "L1", "numbers"].value - told.value) < told.spread
    assert row["majority", "accuracy", "losses"].value == pytest.approx(0.808, abs=1e-3)
    assert row["majority", "accuracy", "choices"].value == pytest.approx(0.608, abs=1e-3)
    assert row["majority", "accuracy", "choices"].high < figure["FEN-PN", "accuracy", "choices"].value


def test_the_mean_by_another_way():
    with (DATA / "red116.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = [[float(row[f"{name}_norm"]) for name in row if f"{name}_norm" in row] for row in rows]
    errors = []
    for test in "1234":
        train = [n for n, row in zip(numbers, rows, strict=True) if row["test_set"] != test]
        middle = [sum(column) / len(train) for column in zip(*train, strict=True)]
        for n, row in zip(numbers, rows, strict=True):
            if row["test_set"] == test:
                errors.append(sum(abs(a - b) for a, b in zip(n, middle, strict=True)) / 9)
    red116 = load_published()
    found = score_published(red116, published_sets(red116), predictors=PREDICTORS[:1], draws=0)
    assert len(errors) == 48 and found[0].value == pytest.approx(sum(errors) / 48, abs=1e-12)


def test_who_is_told_more_errs_less(compared):
    for protocol in ("published sets", "grouped sets"):
        row = compared.of("red116", protocol)
        l1 = {name: row[name, "L1", "numbers"].value for name in ("nearest", "median", "mean", "random")}
        assert l1["nearest"] < l1["median"] < l1["mean"] < l1["random"]
        row = compared.of("red140", protocol)
        for kind in ("bins", "choices", "losses"):
            names = ("random", "majority", "diffusion", "family", "nearest")
            accuracy = [row[name, "accuracy", kind].value for name in names]
            assert accuracy == sorted(accuracy)


def test_nearly_half_of_the_tested_have_a_twin_in_training():
    red116 = load_published()
    assert [len(rows) for rows in twins(red116, published_sets(red116))] == [7, 5, 6, 4]
    assert sum(map(len, twins(red116, published_sets(red116), kind="losses"))) == 40


def test_the_released_clusters_fit_the_rows_outside_set_one():
    red116, released = load_published(), released_clusters()
    fits = [
        cluster_agreement(red116, realigned_clusters(red116, released, without=tested))
        for tested in published_sets(red116)
    ]
    assert cluster_agreement(red116, released)[:2] == (13, 90)
    assert fits[0][:2] == (59, 71)
    assert fits[0][2] < min(left for _, _, left in fits[1:]) - 0.02
    with (DATA / "red116.csv").open(encoding="utf-8") as file:
        shipped = [int(row["cluster_realigned"] or -1) for row in csv.DictReader(file)]
    assert shipped == realigned_clusters(red116, released, without=published_sets(red116)[0]).tolist()


def test_every_figure_says_how_it_is_known_and_the_notes_count_them():
    figures = published_figures()
    assert sorted(f.known for f in figures) == ["recalled"] * 10 + ["seen"] * 2
    assert all(f.source and 0 < f.value < 1 for f in figures)
    notes = (DATA / "PUBLISHED.md").read_text(encoding="utf-8")
    assert all(word in notes for word in ("2106.07873", "2312.02224", "`seen`", "`recalled`", "red140.csv"))


# Protocols ----------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["red116", "red140"]), folds=st.integers(2, 30), seed=st.integers(0, 10**6))
def test_grouped_sets_test_everyone_once_and_never_split_identical_vectors(name, folds, seed):
    table = load_published(name)
    sets = grouped_sets(table, folds=folds, seed=seed)
    assert len(sets) == folds and sorted(np.concatenate(sets)) == list(range(len(table)))
    assert not sum(map(len, twins(table, sets)))
    side = {}
    for number, tested in enumerate(sets):
        for row in tested:
            assert side.setdefault(tuple(table.vectors[row]), number) == number


def test_published_sets_are_disjoint_and_leave_the_rest_in_training(table):
    sets = published_sets(table)
    assert [len(tested) for tested in sets] == [12 if table.name == "red116" else 15] * 4
    assert len(np.unique(np.concatenate(sets))) == sum(map(len, sets))


def test_no_predictor_sees_the_values_of_whom_it_must_guess(table):
    "Values that are changed under a predictor that knows nothing change no guess"
    tested = published_sets(table)[0]
    train = np.setdiff1d(np.arange(len(table)), tested)
    values = {kind: value.copy() for kind, value in table.values.items()}
    for value in values.values():
        value[tested] = 0
    blank = Published(table.name, table.names, table.families, table.vectors, values, table.sets)
    for p in (p for p in PREDICTORS if p.name != "nearest" and p.only in ("", table.name)):
        told, untold = (p.guess(t, train, tested, np.random.default_rng(0)) for t in (table, blank))
        assert all(np.array_equal(told[kind], untold[kind]) for kind in told), p.name


def test_the_same_seed_gives_the_same_table_and_another_other_random_rows():
    red116 = load_published()
    one, same, other = (score_published(red116, published_sets(red116), draws=20, seed=s) for s in (0, 0, 1))
    assert one == same
    differing = {a.predictor for a, b in zip(one, other, strict=True) if a.value != b.value}
    assert differing == {"random"}


def test_wrong_names_and_empty_protocols_are_told_in_words():
    red116 = load_published()
    with pytest.raises(ChoiceError, match="red116"):
        load_published("red115")
    with pytest.raises(ChoiceError, match="losses"):
        twins(red116, published_sets(red116), kind="loss")
    with pytest.raises(ChoiceError, match="weighted"):
        mean_f1(np.zeros((2, 1), int), np.zeros((2, 1), int), average="weihgted")
    with pytest.raises(ProtocolError, match="2 to 78 folds"):
        grouped_sets(red116, folds=1)
    with pytest.raises(ProtocolError, match="at least one"):
        score_published(red116, [np.array([], int)])


# F1 -----------------------------------------------------------------------------------------------

codes = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n).map(np.array)] * 2)
)


def f1_by_hand(truth, guess, average):
    "From the definition: twice the hits over all that is true or guessed"
    scores = []
    for code in set(truth) | set(guess):
        hits = sum(t == g == code for t, g in zip(truth, guess, strict=True))
        total = list(truth).count(code) + list(guess).count(code)
        scores.append((2 * hits / total, 1 if average == "macro" else list(truth).count(code)))
    return sum(f1 * share for f1, share in scores) / sum(share for _, share in scores)


@settings(deadline=None)  # the first import of scikit-learn takes its time
@given(pair=codes, average=st.sampled_from(["macro", "weighted"]))
def test_f1_is_the_one_of_the_definition_and_of_scikit_learn(pair, average):
    truth, guess = pair
    found = mean_f1(truth[:, None], guess[:, None], average=average)
    assert found.shape == (1,) and found[0] == pytest.approx(f1_by_hand(truth, guess, average))
    try:
        from sklearn.metrics import f1_score
    except ImportError:
        return
    assert found[0] == pytest.approx(f1_score(truth, guess, average=average, zero_division=0))


@settings(deadline=None)
@given(pair=codes, data=st.data())
def test_a_row_that_counts_twice_is_a_row_that_stands_there_twice(pair, data):
    truth, guess = (side[:, None] for side in pair)
    n = len(truth)
    times = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any).map(np.array))
    weighted = mean_f1(truth, guess, weights=times[None])[0]
    assert weighted == pytest.approx(mean_f1(truth.repeat(times, 0), guess.repeat(times, 0))[0])


@settings(deadline=None)
@given(pair=codes)
def test_f1_lies_between_none_and_all_and_ignores_order(pair):
    truth, guess = (side[:, None] for side in pair)
    found = mean_f1(truth, guess)[0]
    assert 0 <= found <= 1 and mean_f1(truth, truth)[0] == 1
    assert mean_f1(truth[::-1], guess[::-1])[0] == pytest.approx(found)
    assert mean_f1(guess, truth)[0] == pytest.approx(found), "macro F1 does not mind which side is true"


@settings(deadline=None)
@given(pair=codes)
def test_no_constant_is_right_more_often_than_the_majority(pair):
    rows = np.stack(pair, axis=1)
    best = (rows == majority(rows)).sum(axis=0)
    assert all((rows == code).sum(axis=0)[f] <= best[f] for code in range(5) for f in range(2))


def test_identical_groups_are_the_vectors(table):
    group = identical(table)
    assert len(set(group)) == len({tuple(vector) for vector in table.vectors})
    for one in set(group):
        assert len({tuple(vector) for vector in table.vectors[group == one]}) == 1
