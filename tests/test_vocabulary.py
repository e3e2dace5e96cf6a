"The vocabulary: codes go there and back exactly, two vocabularies never mix, shipped tables hold known words"

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepnb import vocabulary
from deepnb.core import ChoiceError, DeepnbError
from deepnb.vocabulary import FIELDS, PUBLISHED, Hyperparameters, decode, encode


def values_of(field):
    "Any value that a field allows"
    if field.kind == "choice":
        return st.sampled_from(field.values)
    return st.booleans() if field.kind == "flag" else st.integers(*field.range)


@st.composite
def hyperparameters(draw, fields):
    "Any hyperparameters of a vocabulary, some fields missing"
    chosen = draw(st.sets(st.sampled_from([field.name for field in fields])))
    return Hyperparameters({f.name: draw(values_of(f)) for f in fields if f.name in chosen}, fields=fields)


@pytest.mark.parametrize("fields", [FIELDS, PUBLISHED], ids=["deepnb", "published"])
@given(data=st.data())
def test_the_code_goes_there_and_back(fields, data):
    known = data.draw(hyperparameters(fields))
    vector, mask = encode(known)
    assert decode(vector, mask, fields=fields) == known
    assert not vector[~mask].any()
    assert hash(decode(vector, mask, fields=fields)) == hash(known)


@given(known=hyperparameters(FIELDS))
def test_copies_are_equal(known):
    assert pickle.loads(pickle.dumps(known)) == known == copy.deepcopy(known)
    assert eval(repr(known).replace("Hyperparameters(", "dict(")) == dict(known)


def test_the_layout_covers_every_place_once():
    for fields in (FIELDS, PUBLISHED):
        places = np.concatenate([np.arange(s.start, s.stop) for s in vocabulary.layout(fields).values()])
        assert places.tolist() == list(range(sum(field.width for field in fields)))


def test_the_vocabularies_do_not_mix():
    assert not {f.name for f in FIELDS} & {f.name for f in PUBLISHED}
    assert Hyperparameters() != Hyperparameters(fields=PUBLISHED)
    with pytest.raises(ChoiceError):
        Hyperparameters({"norm_type": "batch"})
    with pytest.raises(DeepnbError):
        vocabulary.to_deepnb(Hyperparameters({"family": "gan"}))
    with pytest.raises(DeepnbError):
        decode(*encode(Hyperparameters({"family": "gan"})), fields=PUBLISHED)


@pytest.mark.parametrize("value", [float("nan"), -1, 10**12, "many", True])
def test_numbers_outside_are_refused(value):
    with pytest.raises(ChoiceError, match="n_layers"):
        Hyperparameters({"n_layers": value}, fields=PUBLISHED)


def test_the_published_tables_are_whole():
    assert len(vocabulary.ground_truth("red116")) == 116
    assert len(vocabulary.ground_truth("red140")) == 140
    sets = vocabulary.leave_out_sets()
    assert len(set().union(*sets.values())) == 48
    assert set().union(*sets.values()) <= set(vocabulary.ground_truth("red116"))


def test_every_published_model_maps():
    for table in ("red116", "red140"):
        for published in vocabulary.ground_truth(table).values():
            assert vocabulary.to_deepnb(published).fields is FIELDS


def test_the_generators_are_well_formed():
    known = vocabulary.generators()
    assert len(known) > 300
    for name, generator in known.items():
        assert generator.name == name and generator.lineage
        assert generator.kind in ("generated", "processed", "aligned")
        assert generator.hyperparameters.get("family") == generator.family
        assert generator.year is None or 2014 <= generator.year <= 2030
    known.clear()
    assert vocabulary.generators(), "a caller cannot empty the shipped list"


def test_doubtful_texts_map_to_nothing():
    known = vocabulary.generators()
    assert known["stylegan2_ffhq"].hyperparameters["up_sampling"] == "fir"
    assert "up_sampling" not in known["srcnn_titu"].hyperparameters  # enlarged beforehand, not said how
    assert "family" not in known["midjourney_v6"].hyperparameters


@pytest.mark.corpus
def test_the_shipped_generators_are_those_of_the_corpus():
    import json
    import os
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    root = Path(__file__).parents[1]
    table = Path(os.environ.get("DEEPNB_CORPUS", root.parent / "shared" / "corpus")) / "generators.csv"
    if not table.exists():
        pytest.skip("the corpus is not here: set DEEPNB_CORPUS to its folder")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "generators.json"
        command = [sys.executable, root / "benchmarks" / "make_generators.py", table, "--out", fresh]
        subprocess.run(command, check=True, capture_output=True)
        assert json.loads(fresh.read_text()) == json.loads((root / "deepnb/data/generators.json").read_text())
