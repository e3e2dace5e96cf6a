"""One outer fold: is `dev` an easy or a hard draw? The short training with other makers and sources left out

    python benchmarks/fold.py OUT.csv [--folder runs/fold] [--steps 400]

`train` and `dev` are thrown together and parted anew by a seeded hash: a quarter of the lineages, of the sources of photographs,
and of the photographs of the aligned pairs is left out (aligned outputs only where both the network's lineage and the photograph
are). The short training of `variants.py`, same steps and seed, learns from the rest and scores what was left out, 4 crops,
untouched and as JPEG 75. Its figures stand beside those of the same training judged on `dev`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from variants import learn

from deepnb.batches import Recipe
from deepnb.core import sha256_hex
from deepnb.corpus import Corpus, Item, load_corpus, made_by_network
from deepnb.damage import TREATMENTS, damaged
from deepnb.release import checkpoint_reader
from deepnb.scores import Scores, scored

NAME = "short, outer fold"


def held(key: str, *, parts: int = 4, seed: int = 0) -> bool:
    "Whether a lineage, a source or a photograph is left out"
    return int(sha256_hex(f"{seed}:{key}".encode()), 16) % parts == 0


def side(item: Item) -> str:
    "`learned`, `judged`, or `neither` for an aligned output of which only the network or the photograph is left out"
    keys = [item.lineage] if made_by_network(item) else []
    if item.kind == "aligned":
        keys.append(Path(item.photograph).stem)
    if not keys:
        keys.append(item.repository)
    out = [held(key) for key in keys]
    return "judged" if all(out) else "neither" if any(out) else "learned"


def main(out: str, *, folder: str, steps: int) -> None:
    "Train, score, write the table"
    corpus = load_corpus()
    known = corpus.select(split="train", min_side=64) + corpus.select(split="dev", min_side=64)
    items = [item for item in known if item.kind not in ("other", "format")]
    kept = [item for item in items if side(item) == "judged" and item.short_side >= 128 and item.kind != "processed"]
    learned = [item for item in items if side(item) == "learned"]
    print(f"{len(learned)} pictures to learn from, {len(kept)} left out and judged", flush=True)
    if not (Path(folder) / "checkpoint.safetensors").exists():
        learn("short", corpus, learned, Recipe(out=folder, steps=steps, threads=1))
    scores = Scores(tuple(map(scored, kept)), {})
    print(scores.added(NAME, judge(corpus, kept, folder)).write(out))


def judge(corpus: Corpus, items: list[Item], folder: str) -> np.ndarray:
    "Logits (n, 4) of the pictures left out; nan where a treatment is not judged"
    reader = checkpoint_reader(folder, name="fold", version="0")
    values = np.full((len(items), len(TREATMENTS)), np.nan)
    for i, item in enumerate(items):
        for column, (treatment, plan) in enumerate(TREATMENTS.items()):
            if treatment in ("untouched", "jpeg75"):
                values[i, column] = reader.logits(damaged(corpus.pixels(item), plan), most=4)["generated"]
    return values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--folder", default="runs/fold")
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    main(asked.out, folder=asked.folder, steps=asked.steps)
