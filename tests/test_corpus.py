"""corpus: what the manifest promises is what one gets"""

import csv

import numpy as np
import pytest
from PIL import Image

from deepnb.core import ChoiceError, CorpusError, sha256_hex
from deepnb.corpus import (
    FACTS,
    Item,
    corpus_folder,
    detection_label,
    file_facts,
    load_corpus,
    pairs,
    seen_generators,
    window,
)
from deepnb.damage import TREATMENTS, damaged

COLUMNS = "path split kind generator source pair width height format jpeg_quality bytes sha256".split()


@pytest.fixture(scope="session")
def corpus():
    if corpus_folder() is None:
        pytest.skip("no corpus: set DEEPNB_CORPUS, or put it at ../shared/corpus beside the checkout")
    return load_corpus()


@pytest.fixture
def small(tmp_path):
    "A corpus of one photograph and one generated picture, and its rows"
    rows = []
    for path, kind, maker in (("train/a.jpg", "camera", ""), ("dev/b.png", "generated", "net")):
        file = tmp_path / path
        file.parent.mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)).save(file)
        data = file.read_bytes()
        facts = (kind, maker, "us/ours@1", "", 90, 80, "", "", len(data), sha256_hex(data))
        rows.append(dict(zip(COLUMNS, (path, path.split("/")[0], *facts), strict=True)))
    write(tmp_path, rows)
    return tmp_path, rows


def write(folder, rows):
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def test_small_corpus_reads_and_checks(small):
    corpus = load_corpus(small[0])
    assert corpus.check() == 2
    assert [detection_label(item) for item in corpus.items] == [0, 1]
    assert corpus.pixels(corpus.items[0]).shape == (80, 90, 3)
    assert corpus.items[0].device == "us/ours"
    assert seen_generators(corpus) == frozenset()


@pytest.mark.parametrize(
    "column, value, word",
    [("kind", "fake", "fake"), ("split", "test", "test"), ("width", "wide", "whole number")],
)
def test_unknown_words_in_a_manifest_are_named(small, column, value, word):
    folder, rows = small
    rows[1][column] = value
    write(folder, rows)
    with pytest.raises(CorpusError, match=word) as caught:
        load_corpus(folder)
    assert "b.png" in str(caught.value)


def test_missing_and_altered_files_are_named(small):
    folder, rows = small
    corpus = load_corpus(folder)
    file = folder / rows[0]["path"]
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    (folder / rows[1]["path"]).unlink()
    with pytest.raises(CorpusError, match="a.jpg.*b.png"):
        corpus.check()
    with pytest.raises(CorpusError, match="missing"):
        corpus.pixels(corpus.items[1])
    file.write_bytes(data[:50])
    with pytest.raises(CorpusError, match="altered"):
        corpus.pixels(corpus.items[0])


def test_a_folder_without_manifest_or_with_another_table_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="manifest.csv"):
        load_corpus(tmp_path)
    (tmp_path / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="columns path"):
        load_corpus(tmp_path)


def test_undecodable_pictures_are_corpus_errors(small):
    folder, rows = small
    (folder / rows[0]["path"]).write_bytes(b"x" * int(rows[0]["bytes"]))
    with pytest.raises(CorpusError, match="a.jpg"):
        load_corpus(folder).pixels(load_corpus(folder).items[0])


def test_window_is_central_and_on_the_grid():
    y, x = np.mgrid[:1000, :777]
    pixels = np.stack([y // 8, x // 8, y * 0], axis=-1).astype(np.uint8)
    found = window(pixels)
    assert found.shape == (640, 640, 3)
    assert tuple(found[0, 0, :2]) == (22, 8) and tuple(found[7, 7, :2]) == (22, 8)
    np.testing.assert_array_equal(window(pixels[:50, :60]), pixels[:50, :60])


@pytest.mark.corpus
def test_the_corpus_has_the_sizes_that_its_readme_tells(corpus):
    big = [item for item in corpus.items if item.split == "dev" and item.short_side >= 128]
    seen = seen_generators(corpus)
    ordinary = [item for item in big if item.kind != "aligned" and detection_label(item) is not None]
    generated = [item for item in ordinary if detection_label(item)]
    assert (len(generated), len(ordinary) - len(generated)) == (345, 339)  # 336 and the 3 HEIC
    assert sum(item.generator not in seen for item in generated) == 114
    assert sum(item.modern for item in generated) == 159
    aligned = [item for item in big if item.kind == "aligned"]
    aligned = [item for item in aligned if not detection_label(item) or item.generator not in seen]
    assert sum(map(detection_label, aligned)) == 200
    assert sum(i.generator.startswith("_control") for i in aligned) == 50
    assert len({item.device for item in corpus.select(split="dev", kind="camera")}) >= 36


@pytest.mark.corpus
def test_pairs_show_one_photograph_and_stay_in_their_split(corpus):
    found = pairs(corpus.select(split="train", kind="aligned"))
    assert len(found) >= 18
    for pair in found:
        assert {i.split for i in (*pair.made, *pair.untouched)} == {"train"}
        assert all(i.photograph == pair.photograph for i in (*pair.made, *pair.untouched))
    assert not {p.photograph for p in found} & {p.photograph for p in pairs(corpus.select(split="dev"))}


@pytest.mark.corpus
def test_every_kind_decodes_and_bears_every_treatment(corpus):
    for kind in ("generated", "processed", "camera", "dataset_real", "aligned", "other"):
        for item in corpus.select(split="dev", kind=kind)[::97]:
            pixels = corpus.pixels(item)
            assert pixels.dtype == np.uint8 and max(pixels.shape[:2]) <= 640
            for plan in TREATMENTS.values():
                assert damaged(pixels, plan).shape[2] == 3


@pytest.mark.corpus
def test_heic_originals_decode(corpus):
    items = [item for item in corpus.select(kind="camera") if item.format == "HEIF"]
    assert items and all(min(corpus.pixels(item).shape[:2]) > 100 for item in items)


def test_unknown_parts_are_refused(small):
    with pytest.raises(ChoiceError, match="fake"):
        load_corpus(small[0]).select(kind=("camera", "fake"))


def test_file_facts_are_finite_also_where_nothing_is_known():
    facts = file_facts([Item("a", "dev", "camera", width=10, height=20)])
    assert facts.shape == (1, len(FACTS)) and np.isfinite(facts).all()
    assert file_facts([]).shape == (0, len(FACTS))
