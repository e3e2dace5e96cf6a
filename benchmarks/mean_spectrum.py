"""The mean spectrum of photographs, for the baseline `typical`: python benchmarks/mean_spectrum.py

Middle squares of 256 px of the training photographs of cameras and the web, contrast brought to one; the mean over pictures of the
logarithm of power in 64 rings, each source of photographs counted once. Writes `deepnb/data/photograph_spectrum.csv`.
"""

import csv
from pathlib import Path

import numpy as np

from deepnb.corpus import detection_label, load_corpus, window
from deepnb.spectrum import frequencies

RINGS, SIDE = 64, 256
OUT = Path(__file__).parents[1] / "deepnb" / "data" / "photograph_spectrum.csv"


def ring_power(pixels: np.ndarray) -> np.ndarray:
    "Logarithm of the mean power in each ring, (RINGS,), of the picture around its mean at contrast 1"
    planes = np.moveaxis(pixels.astype(np.float64) / 255, -1, 0)
    planes -= planes.mean((1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft2(planes / max(planes.std(), 1e-3), norm="ortho")) ** 2).mean(0)
    ring = np.minimum((frequencies(*planes.shape[1:]) / 0.5**0.5 * RINGS).astype(int), RINGS - 1)
    return np.log([power[ring == k].mean() for k in range(RINGS)])


def main():
    corpus, sources = load_corpus(), {}
    for item in corpus.select(split="train", min_side=SIDE):
        if detection_label(item) == 0 and item.kind != "aligned":
            pixels = window(corpus.pixels(item), side=SIDE)
            sources.setdefault(item.repository, []).append(ring_power(pixels))
    mean = np.mean([np.mean(some, 0) for some in sources.values()], 0)
    with OUT.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["cycles_per_px", "log_power"])
        rows.writerows((f"{(k + 0.5) / RINGS * 0.5**0.5:.5f}", f"{value:.4f}") for k, value in enumerate(mean))
    print(f"{sum(map(len, sources.values()))} photographs from {len(sources)} sources: {OUT.name}")


if __name__ == "__main__":
    main()
