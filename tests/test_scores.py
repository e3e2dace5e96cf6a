"""scores: the measure against an independent source, the table's round trip, resuming, protocols"""

import json

import numpy as np
import pytest
from PIL import Image

from deepnb.core import ChoiceError, ProtocolError, sha256_hex
from deepnb.corpus import Corpus, Item
from deepnb.damage import TREATMENTS
from deepnb.scores import (
    PROTOCOLS,
    Scored,
    Scores,
    auc_interval,
    empty_scores,
    read_scores,
    score_corpus,
    score_pixels,
    scored,
)


class Smooth:
    "A reader whose only question is how smooth a picture is; it counts what it was asked"

    name = "smooth"

    def __init__(self):
        self.asked = 0

    def logits(self, pixels):
        self.asked += 1
        return {"generated": float(5 - np.abs(np.diff(pixels.astype(float), axis=1)).mean()), "other": 1.0}


@pytest.fixture
def corpus(tmp_path):
    "Three pictures of 140 px and one that is too small"
    items = []
    for i, side in enumerate((140, 140, 140, 100)):
        file = tmp_path / f"{i}.png"
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file)
        kind, maker = ("generated", "net") if i == 1 else ("camera", "")
        data = file.read_bytes()
        items.append(Item(file.name, "dev", kind, maker, width=side, height=side, sha256=sha256_hex(data)))
    return Corpus(tmp_path, tuple(items))


@pytest.mark.parametrize("seed", range(4))
def test_auc_is_the_one_that_everybody_knows(seed):
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    rng = np.random.default_rng(seed)
    made, others = rng.integers(0, 9, 70) + 1, rng.integers(0, 9, 50)
    auc, low, high = auc_interval(made, others, made_groups=np.arange(70), other_groups=np.arange(50))
    assert auc == pytest.approx(roc_auc_score([1] * 70 + [0] * 50, [*made, *others]))
    assert low < auc < high


def test_auc_interval_matches_a_plain_bootstrap_over_groups():
    rng = np.random.default_rng(0)
    groups, sources = rng.integers(0, 8, 60), rng.integers(0, 12, 80)
    made, others = rng.normal(1, 1, 60) + groups / 4, rng.normal(0, 1, 80)
    _, low, high = auc_interval(made, others, made_groups=groups, other_groups=sources, draws=4000)
    plain = []
    for _ in range(1500):
        a = np.concatenate([made[groups == g] for g in rng.integers(0, 8, 8)])
        b = np.concatenate([others[sources == s] for s in rng.integers(0, 12, 12)])
        plain.append((a[:, None] > b).mean())
    assert (low, high) == pytest.approx(tuple(np.quantile(plain, (0.025, 0.975))), abs=0.015)


def test_auc_interval_hangs_on_its_seed_and_on_nothing_else():
    sides = ([1.0, 2.0, 0.3], [0.0, 1.5])
    groups = {"made_groups": "abc", "other_groups": "de"}
    assert auc_interval(*sides, **groups) == auc_interval(*sides, **groups)
    assert auc_interval([1.0], [0.0], made_groups="a", other_groups="b") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("made, others", [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_auc_of_nothing_is_refused(made, others):
    with pytest.raises(ProtocolError, match="both sides"):
        auc_interval(made, others, made_groups=made, other_groups=others)


def test_table_round_trip_keeps_what_is_missing(tmp_path):
    pictures = (
        Scored("a" * 16, "other", None, short_side=200),
        Scored("b" * 16, "generated", 1, "net, the", "net", "us/ours", modern=True, seen=True),
        Scored("c" * 16, "aligned", 0, "_input", photograph="f" * 16, short_side=160),
    )
    values = np.array([[1.5, np.nan, -2.25, 0.0]] * 3)
    scores = Scores(pictures, {"one": values, "two: branch": -values})
    again = read_scores(scores.write(tmp_path / "s.csv"))
    assert again.pictures == pictures and list(again.values) == ["one", "two: branch"]
    np.testing.assert_array_equal(again.of("two: branch"), -values)
    assert (tmp_path / "s.csv").read_bytes() == again.write(tmp_path / "t.csv").read_bytes()


def test_joining_goes_by_picture_not_by_order():
    a, b = Scored("a", "other"), Scored("b", "other")
    left = Scores((a, b), {"one": np.zeros((2, 4))})
    joined = left.joined(Scores((b,), {"two": np.ones((1, 4))}))
    assert list(joined.values) == ["one", "two"]
    assert np.isnan(joined.of("two")[0]).all() and (joined.of("two")[1] == 1).all()


def test_wrong_names_shapes_and_files_are_refused(tmp_path):
    scores = Scores((Scored("a", "other"),), {})
    with pytest.raises(ChoiceError, match="model"):
        scores.of("one")
    with pytest.raises(ProtocolError, match="1 rows of 4"):
        scores.added("one", np.zeros((2, 4)))
    with pytest.raises(ProtocolError, match="missing"):
        read_scores(tmp_path / "none.csv")


def test_scoring_resumes_without_asking_twice_and_survives_a_half_written_line(corpus, tmp_path):
    keep, reader = tmp_path / "keep" / "scores.jsonl", Smooth()
    whole = score_corpus(reader, corpus, keep=keep, progress=False)
    assert reader.asked == 3 * len(TREATMENTS) and whole.pictures == empty_scores(corpus).pictures
    assert list(whole.values) == ["smooth", "smooth: other"]
    text = keep.read_text()
    keep.write_text(text[: text.rindex("[", 0, len(text) - 60)])
    assert not keep.read_text().endswith("\n")
    again = score_corpus(reader, corpus, keep=keep, progress=False)
    assert reader.asked == 4 * len(TREATMENTS)
    np.testing.assert_array_equal(again.of("smooth"), whole.of("smooth"))
    assert all(json.loads(line) for line in keep.read_text().splitlines())
    score_corpus(reader, corpus, keep=keep, progress=False)
    assert reader.asked == 4 * len(TREATMENTS)


def test_what_is_remembered_belongs_to_one_reader_even_under_one_name(corpus, tmp_path, monkeypatch):
    class Rough(Smooth):
        def logits(self, pixels):
            return {name: -value for name, value in super().logits(pixels).items()}

    monkeypatch.setenv("DEEPNB_CACHE", str(tmp_path / "cache"))
    smooth, rough = (score_corpus(reader, corpus, progress=False) for reader in (Smooth(), Rough()))
    np.testing.assert_array_equal(smooth.of("smooth"), -rough.of("smooth"))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_every_treatment_is_scored_in_its_order():
    flat = np.full((70, 70, 3), 90, np.uint8)
    assert score_pixels(Smooth(), flat) == {"generated": [5.0] * 4, "other": [1.0] * 4}


def test_a_photograph_is_never_seen_whatever_its_data_set_is_called():
    item = Item("a.jpg", "dev", "dataset_real", "imagenet", width=200, height=200, sha256="0" * 64)
    assert scored(item, seen=frozenset({"imagenet"})).seen is False


def test_shipped_scores_hold_the_pictures_that_the_corpus_readme_counts():
    shipped = read_scores()
    counts = {}
    for name, protocol in PROTOCOLS.items():
        labels = [p.label for p in shipped.pictures if protocol.keep(p)]
        counts[name] = (labels.count(1), labels.count(0))
    assert counts == {
        "generated": (345, 339),
        "unseen": (114, 339),
        "strangers": (52, 197),  # the README: count repositories that train also uses apart
        "modern": (159, 339),
        "aligned": (200, 60),
        "controls": (200, 50),
    }
    assert len({p.sha256 for p in shipped.pictures}) == len(shipped.pictures)
