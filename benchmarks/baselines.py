"""The baselines of the corpus: frozen features with ridge and support vectors, and the file's facts alone

    python benchmarks/baselines.py              features of every labelled picture (cached), then the scores
    python benchmarks/baselines.py --features   only the features

Each training picture is read after three random draws of damage, each dev picture after the four treatments.
The scores go into the table that ships with the package, from which `deepnb evaluate` makes its rows.
"""

import argparse
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from deepnb.calibration import balanced_weights
from deepnb.core import data_path, seeded
from deepnb.corpus import Corpus, Item, detection_label, file_facts, load_corpus
from deepnb.damage import TREATMENTS, damaged, draw_damage
from deepnb.evaluation import evaluate
from deepnb.scores import Scores, empty_scores, read_scores

BLOCKS = (0, 2, 4, 7, 10)  # of EfficientNet-Lite0, whose mean and deviation are kept: 544 numbers
DRAWS = 3  # of random damage, for a training picture
SPECTRUM = 867  # 3 colors x 17 x 17 frequencies
CROP = 128
MIN_SIDE = 64
PARTS = {"spectrum": slice(0, SPECTRUM), "backbone": slice(SPECTRUM, None), "both": slice(None)}


def cut(pixels: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray | None:
    "Crops of 128 px, smaller for small pictures: three at random, or without `rng` the four corners"
    height, width = pixels.shape[:2]
    side = min(CROP, min(height, width) // 32 * 32)
    if side < 32:
        return None
    down, right = height - side, width - side
    if rng is None:
        corners = {(y, x) for y in (0, down) for x in (0, right)}
    else:
        corners = {(int(rng.integers(down + 1)), int(rng.integers(right + 1))) for _ in range(3)}
    return np.stack([pixels[y : y + side, x : x + side] for y, x in sorted(corners)])


def spectrum(crops: np.ndarray) -> np.ndarray:
    "(N, S, S, 3) -> (867,): log of the mean power of the Laplacian residual in Hann-weighted blocks of 32 px"
    hann = np.hanning(34)[1:-1].astype(np.float32)
    hann = (hann[:, None] * hann)[None, :, :, None]
    x = np.pad(crops.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    residual = 4 * x[:, 1:-1, 1:-1] - around
    side = residual.shape[1]
    at = range(0, side - 31, 16 if side > 32 else 32)
    blocks = [residual[:, y : y + 32, x : x + 32] * hann for y in at for x in at]
    power = np.mean([np.abs(np.fft.rfft2(block, axes=(1, 2))) ** 2 for block in blocks], axis=0)
    folded = power[:, :17].copy()  # the spectrum of a real picture is symmetric: up and down are one
    folded[:, 1:16] = (folded[:, 1:16] + power[:, :16:-1]) / 2
    return np.log(folded.transpose(0, 3, 1, 2).reshape(len(crops), -1).mean(axis=0) + 0.5)


def cache_folder() -> Path:
    "Where features are kept: under `DEEPNB_CACHE`, else `.deepnb-cache` in the working folder"
    folder = Path(os.environ.get("DEEPNB_CACHE", ".deepnb-cache")) / "baselines"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Features:
    "What the baselines see: (1411,) for some crops, spectrum first, then the frozen backbone's moments"

    def __init__(self):
        import torch

        from deepnb.training import pretrained_backbone

        torch.set_num_threads(1)
        self.torch, self.net = torch, pretrained_backbone(BLOCKS[-1]).eval()

    def of(self, crops: np.ndarray) -> np.ndarray:
        torch = self.torch
        x = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.no_grad():
            moments = self.net(x).mean(0).numpy()
        return np.concatenate([spectrum(crops), moments]).astype(np.float32)

    def of_item(self, corpus: Corpus, item: Item) -> np.ndarray:
        "(3 or 4, 1411), a row for each draw (train) or treatment (dev); nan where a picture got too small"
        pixels = corpus.pixels(item)
        if item.split == "train":
            rngs = [seeded(0, "baselines", item.sha256, draw) for draw in range(DRAWS)]
            cuts = [cut(damaged(pixels, draw_damage(rng)), rng) for rng in rngs]
        else:
            cuts = [cut(damaged(pixels, plan)) for plan in TREATMENTS.values()]
        empty = np.full(SPECTRUM + 544, np.nan, np.float32)
        return np.stack([empty if crops is None else self.of(crops) for crops in cuts])


def labelled(corpus: Corpus) -> tuple[Item, ...]:
    "The pictures that are learned from and judged by"
    items = (*corpus.select(split="train", min_side=MIN_SIDE), *corpus.select(split="dev", min_side=MIN_SIDE))
    return tuple(item for item in items if detection_label(item) is not None)


def extract(corpus: Corpus) -> None:
    "Compute what is not in the cache; for each picture a file of features and one of facts, whole or absent"
    features = None
    items = labelled(corpus)
    for done, item in enumerate(items):
        if not cache_file(item, "features").exists():
            features = features or Features()
            remember(item, "features", features.of_item(corpus, item))
        if not cache_file(item, "facts").exists():
            remember(item, "facts", facts_of(corpus, item))
        if done % 100 == 0:
            print(f"{done} of {len(items)} pictures", flush=True)


def cache_file(item: Item, what: str) -> Path:
    "Where the features or facts of an item are kept"
    return cache_folder() / (
        f"{item.sha256[:16]}.npy" if what == "features" else f"{item.sha256[:16]}-{what}.npy"
    )


def remember(item: Item, what: str, values: np.ndarray) -> None:
    "Write into the cache, in one step"
    file = cache_file(item, what)
    with file.with_suffix(".part").open("wb") as part:
        np.save(part, values)
    file.with_suffix(".part").rename(file)


def cached(item: Item, what: str = "features") -> np.ndarray:
    "The features or facts of one item out of the cache"
    return np.load(cache_file(item, what))


class Scaled:
    "Columns at mean 0 and deviation 1 by the training rows, as the heads want them"

    def __init__(self, rows: np.ndarray):
        self.mean, self.deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-9

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.mean) / self.deviation


def group_weights(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    "A group of m rows weighs as the root of m; each class sums to the number of rows"
    return balanced_weights(labels, groups) * 2 * len(labels)


def fit_heads(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> dict:
    "Ridge on all columns and support vectors on 200 whitened components: name -> function of rows"
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeClassifier
    from sklearn.svm import SVC

    scale = Scaled(rows)
    ridge = RidgeClassifier(alpha=1000).fit(scale(rows), labels, sample_weight=weights)
    components = PCA(200, whiten=True, random_state=0, svd_solver="randomized").fit(scale(rows))
    vectors = SVC(C=1, gamma=0.002).fit(components.transform(scale(rows)), labels, sample_weight=weights)
    return {
        "ridge": lambda new: ridge.decision_function(scale(new)),
        "support vectors": lambda new: vectors.decision_function(components.transform(scale(new))),
    }


def facts_of(corpus: Corpus, item: Item) -> np.ndarray:
    """What is known of a file without its pixels, (4, 7), under each treatment

    Untouched: the file as it was found. Else the window that is read, in one format: size, bytes per pixel.
    """
    rows = [file_facts([item])[0]]
    for plan in list(TREATMENTS.values())[1:]:
        buffer = io.BytesIO()
        image = Image.fromarray(damaged(corpus.pixels(item), plan))
        image.save(buffer, "JPEG", quality=plan.last.quality)
        here = replace(item, width=image.width, height=image.height, bytes=buffer.tell())
        rows.append(file_facts([replace(here, format="JPEG", jpeg_quality=plan.last.quality)])[0])
    return np.stack(rows)


def score_facts(train: Sequence[Item], tested: Sequence[Item]) -> np.ndarray:
    "Boosted trees on the facts of a file, a forest for each treatment: (tested, 4) scores"
    from sklearn.ensemble import HistGradientBoostingClassifier

    labels = np.array([detection_label(item) for item in train])
    weights = group_weights(labels, np.array([item.generator or item.source for item in train]))
    known, new = (np.stack([cached(item, "facts") for item in items]) for items in (train, tested))
    columns = []
    for i in range(len(TREATMENTS)):
        trees = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.05, random_state=0)
        columns.append(trees.fit(known[:, i], labels, sample_weight=weights).decision_function(new[:, i]))
    return np.stack(columns, axis=1)


def score_baselines(corpus: Corpus, scores: Scores) -> Scores:
    "The table with a column for each baseline"
    train = [item for item in labelled(corpus) if item.split == "train"]
    dev = {item.sha256[:16]: item for item in corpus.select(split="dev")}
    told = [(row, detection_label(i), i.generator or i.source) for i in train for row in cached(i)]
    told = [one for one in told if np.isfinite(one[0]).all()]
    rows, labels, groups = (np.array(column) for column in zip(*told, strict=True))
    weights = group_weights(labels, groups)
    shape = (len(scores.pictures), len(TREATMENTS))
    has = np.array([p.label is not None for p in scores.pictures])
    new = np.full((*shape, rows.shape[1]), np.nan, np.float32)
    new[has] = np.stack([cached(dev[p.sha256]) for p in scores.pictures if p.label is not None])
    known = np.isfinite(new).all(axis=2)
    facts = np.full(shape, np.nan)
    facts[has] = score_facts(train, [dev[p.sha256] for p in scores.pictures if p.label is not None])
    scores = scores.added("file facts", facts)
    for part, columns in PARTS.items():
        for head, decide in fit_heads(rows[:, columns], labels, weights).items():
            values = np.full(shape, np.nan)
            values[known] = decide(new[known][:, columns])
            scores = scores.added(f"{part}, {head}", values)
            print(f"{part}, {head}: done", flush=True)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", help="its folder; by default DEEPNB_CORPUS or ../shared/corpus")
    parser.add_argument("--features", action="store_true", help="only compute features")
    parser.add_argument("--table", default=str(data_path("data", "scores_dev.csv")), help="the table to fill")
    chosen = parser.parse_args()
    corpus = load_corpus(chosen.corpus)
    extract(corpus)
    if not chosen.features:
        table = Path(chosen.table)
        scores = read_scores(table) if table.exists() else empty_scores(corpus)
        score_baselines(corpus, scores).write(table)
        print(evaluate(scores=read_scores(table)))


if __name__ == "__main__":
    main()
