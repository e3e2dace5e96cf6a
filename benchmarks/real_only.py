"""The real-only way as a second opinion: how unlike photographs is a picture? No generated picture is learned from

    python benchmarks/real_only.py OUT.csv [--side 256]

After Nguyen and Stamm, "Forensic Self-Descriptions Are All You Need for Zero-Shot Detection, Open-Set Source
Attribution, and Clustering of AI-generated Images" (arXiv 2503.21003): predictive filters learned from photographs
leave residuals; how each residual is predicted from its own surroundings at three scales describes a picture; a
density over the descriptions of photographs says how usual it is. Ours learns the filters by regression in clusters
and the descriptions by least squares, in place of gradient descent. The photographs of the training split are
described untouched and under two draws of damage. Writes a table of scores of `dev` (higher: less like photographs),
with the reader's logit plus one standard deviation of it as a second column.
"""

import argparse

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from deepnb.core import seeded
from deepnb.corpus import detection_label, load_corpus
from deepnb.damage import TREATMENTS, damaged, draw_damage
from deepnb.scores import empty_scores, read_scores

FILTERS, REACH, SCALES = 8, 2, (1, 2, 4)
NAME = "real only"
SHIFTS = [(y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1) if y or x]


def luma(pixels: np.ndarray, side: int) -> np.ndarray:
    "The middle of a picture as luminance in [0, 1], at most `side` px each way"
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side].astype(np.float32) @ (0.299, 0.587, 0.114) / 255.0


def around(plane: np.ndarray, shifts: list, at: np.ndarray) -> np.ndarray:
    "Values of a plane at `shifts` from the places `at` (N, 2): (N, shifts); edges repeat"
    rows, columns = (
        np.clip(at[:, [axis]] + np.array([shift[axis] for shift in shifts]), 0, plane.shape[axis] - 1) for axis in (0, 1)
    )
    return plane[rows, columns]


def places(plane: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    "Seeded places in a plane, (count, 2)"
    return np.stack([rng.integers(side, size=count) for side in plane.shape], 1)


def learn_filters(planes: list[np.ndarray], *, rounds: int = 12) -> np.ndarray:
    "Predictive filters (FILTERS, 24): each the best linear guess of a pixel in its own cluster of places"
    rng = seeded(0, "filters")
    drawn = [(plane, places(plane, 400, rng)) for plane in planes]
    x = np.concatenate([around(plane, SHIFTS, at) for plane, at in drawn])
    y = np.concatenate([plane[tuple(at.T)] for plane, at in drawn])
    x, y = x - (mean := x.mean(1, keepdims=True)), y - mean[:, 0]
    cluster = rng.integers(FILTERS, size=len(y))
    for _ in range(rounds):
        filters = [solve(x[cluster == k], y[cluster == k]) for k in range(FILTERS)]
        cluster = np.abs(y[:, None] - x @ np.stack(filters, 1)).argmin(1)
    return np.stack(filters)


def solve(x: np.ndarray, y: np.ndarray, *, ridge: float = 1e-3) -> np.ndarray:
    "Least squares with a little ridge, relative to the mean square of `x`"
    gram = x.T @ x
    return np.linalg.solve(gram + (ridge * np.trace(gram) / len(gram) + 1e-9) * np.eye(len(gram)), x.T @ y)


def describe(plane: np.ndarray, filters: np.ndarray, *, count: int = 6000) -> np.ndarray:
    "How each residual is predicted from its surroundings at three scales, and the log of what is left"
    at = places(plane, count, seeded(0, "describe"))
    mean = sum(np.roll(plane, shift, (0, 1)) for shift in SHIFTS) / len(SHIFTS)
    shifts = [(y * scale, x * scale) for scale in SCALES for y, x in SHIFTS]
    told = []
    for weights in filters:
        guess = sum(w * (np.roll(plane, (-y, -x), (0, 1)) - mean) for w, (y, x) in zip(weights, SHIFTS, strict=True))
        residual = plane - mean - guess
        x, y = around(residual, shifts, at), residual[tuple(at.T)]
        weights = solve(x, y)
        left = ((y - x @ weights) ** 2).mean() / ((y**2).mean() + 1e-9)
        told.append([*weights, np.log(left + 1e-6)])
    return np.concatenate(told)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--side", type=int, default=256)
    asked = parser.parse_args()
    corpus = load_corpus()
    reals = [i for i in corpus.select(split="train", min_side=128) if detection_label(i) == 0 and i.kind != "aligned"]
    pictures = [corpus.pixels(item) for item in reals]
    filters = learn_filters([luma(pixels, asked.side) for pixels in pictures[::2]])
    rng, known = seeded(0, "damage"), []
    for pixels in pictures:
        for plan in (None, draw_damage(rng), draw_damage(rng)):
            known.append(describe(luma(damaged(pixels, plan) if plan else pixels, asked.side), filters))
    print(f"{len(pictures)} photographs described {len(known)} times", flush=True)
    pca = PCA(64, whiten=True, random_state=0).fit(known)
    mixture = GaussianMixture(8, reg_covar=1e-2, random_state=0).fit(pca.transform(known))
    usual = mixture.score_samples(pca.transform(known))
    items, scores = corpus.select(split="dev", min_side=128), empty_scores(corpus)
    values = np.zeros((len(items), len(TREATMENTS)))
    for i, item in enumerate(items):
        pixels = corpus.pixels(item)
        told = [describe(luma(damaged(pixels, plan), asked.side), filters) for plan in TREATMENTS.values()]
        values[i] = (usual.mean() - mixture.score_samples(pca.transform(told))) / usual.std()
    shipped = read_scores().joined(scores.added(NAME, values))
    joined = shipped.of("default") + np.clip(shipped.of(NAME), -4, 4)
    print(scores.added(NAME, values).added("default and real only", joined).write(asked.out))


if __name__ == "__main__":
    main()
