"""What single choices of the recipe are worth: short trainings that differ in one thing, judged on `dev`

    python benchmarks/variants.py [--folder runs/variants] train NAME... [--steps 400]
    python benchmarks/variants.py [--folder runs/variants] score OUT.csv
    python benchmarks/variants.py [--folder runs/variants] length

Every variant starts from ImageNet weights, sees as many crops in as many steps and the same seed. `score` reads each
picture of `dev` with 4 crops, untouched and as JPEG 75, and writes a table of scores, a column a variant. So short a
training (7 minutes a variant on one core) is far from its end: it ranks choices, it says nothing of the reader.
`length` goes on from the shipped weights with mixed pairs for 2,000 steps (an hour) and measures the mean of both.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from deepnb.batches import Batches, Recipe, label_items
from deepnb.corpus import Corpus, Item, load_corpus
from deepnb.damage import TREATMENTS, damaged
from deepnb.release import checkpoint_reader, release_reader
from deepnb.scores import empty_scores
from deepnb.training import (
    LOSS_WEIGHTS,
    average_trainings,
    make_optimizer,
    new_network,
    plan_network,
    save_checkpoint,
    take_step,
)
from deepnb.training import train as train_whole


class TwoViews(Batches):
    "Half as many places, each seen twice under two draws of damage: first all of them, then all again"

    def places(self, rng):
        once = super().places(rng)[: self.recipe.batch // 2]
        fresh = rng.integers(2**31, size=len(once))
        for k in range(0, len(once), 2):  # a matched pair keeps sharing its draw
            fresh[k + 1] = fresh[k] if once[k][2] else fresh[k + 1]
        return [*once, *((index, int(seed), matched) for (index, _, matched), seed in zip(once, fresh, strict=True))]


def agreement(answer: dict) -> torch.Tensor:
    "How far two views of the same places are apart: squares of logits, and cosines of embeddings"
    (a, b), (u, v) = answer["generated"].chunk(2), answer["embedding"].chunk(2)
    return 0.1 * F.mse_loss(a, b) + 0.5 * (1 - (u * v).sum(1)).mean()


VARIANTS = {  # what is changed in the recipe, which batches, which weights of the loss, an extra term
    "short": ({}, Batches, {}, None),
    "short, frozen backbones": ({"rate": 0.0}, Batches, {}, None),
    "short, no matched pairs": ({"pair_share": 0.0}, Batches, {}, None),
    "short, mixed pairs": ({"mix_share": 0.5}, Batches, {}, None),
    "short, two views": ({}, TwoViews, {}, agreement),
    "short, no contrast": ({}, Batches, {"contrast": 0.0}, None),
    "short, detection alone": ({}, Batches, dict.fromkeys(("source", "contrast", "parsing", "processed"), 0.0), None),
}


def folder_of(name: str, folder: str) -> Path:
    "Where a variant's weights are kept"
    return Path(folder) / name.replace(", ", "-").replace(" ", "_")


def train(name: str, *, steps: int, folder: str) -> None:
    "Train one variant, unless it is there"
    changed, *_ = VARIANTS[name]
    out = folder_of(name, folder)
    if (out / "checkpoint.safetensors").exists():
        return
    corpus = load_corpus()
    items = [i for i in corpus.select(split="train", min_side=64) if i.kind not in ("other", "format")]
    learn(name, corpus, items, Recipe(out=str(out), steps=steps, threads=1, **changed))


def learn(name: str, corpus: Corpus, items: list[Item], recipe: Recipe) -> None:
    "Train by one of `VARIANTS` on these pictures, and keep the checkpoint in the recipe's folder"
    _, kind, weights, extra = VARIANTS[name]
    config, clusters, centers = plan_network(items, recipe)
    network = new_network(config, centers, seed=recipe.seed).train()
    optimizer, weights = make_optimizer(network, recipe), {**LOSS_WEIGHTS, **weights}
    batches = kind(items, [corpus.pixels(i) for i in items], label_items(items, config, clusters), recipe)
    for step in range(recipe.steps):
        batch = {key: torch.as_tensor(value) for key, value in batches[step].items()}
        terms = take_step(network, optimizer, batch, step=step, recipe=recipe, weights=weights, extra=extra)
        if step % 50 == 0:
            print(name, step, {key: round(value, 2) for key, value in terms.items()}, flush=True)
    save_checkpoint(Path(recipe.out), network, optimizer, step=recipe.steps, recipe=replace(recipe, out=name))


def score(out: str, *, folder: str) -> None:
    "A table of scores with a column for each variant that was trained"
    corpus = load_corpus()
    scores, items = empty_scores(corpus), corpus.select(split="dev", min_side=128)
    trained = [name for name in VARIANTS if (folder_of(name, folder) / "checkpoint.safetensors").exists()]
    readers = {name: checkpoint_reader(folder_of(name, folder), name=name, version="0") for name in trained}
    values = {name: np.full((len(items), len(TREATMENTS)), np.nan) for name in readers}
    for i, item in enumerate(items):
        for column, (treatment, plan) in enumerate(TREATMENTS.items()):
            if treatment in ("untouched", "jpeg75"):
                pixels = damaged(corpus.pixels(item), plan)
                for name, reader in readers.items():
                    values[name][i, column] = reader.logits(pixels, most=4)["generated"]
    for name in readers:
        scores = scores.added(name, values[name])
    print(scores.write(out))


def length(*, folder: str) -> None:
    "Mixed pairs at length: a training from the shipped weights, and the mean of both as a reader with its scores"
    out = Path(folder) / "length"
    recipe = Recipe(out=str(out), start="default", steps=2000, seed=7, threads=1, mix_share=0.5, rate=1e-4, head_rate=4e-4)
    mean = average_trainings(["default", train_whole(recipe)], out / "mean")
    release_reader(mean, out / "reader", version="0", known_until="2026-11", hours=3.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="runs/variants")
    doors = parser.add_subparsers(dest="door", required=True)
    doors.add_parser("score").add_argument("out")
    doors.add_parser("length")
    door = doors.add_parser("train")
    door.add_argument("names", nargs="+", choices=VARIANTS, metavar="NAME")
    door.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.door == "score":
        score(asked.out, folder=asked.folder)
    elif asked.door == "length":
        length(folder=asked.folder)
    else:
        for each in asked.names:
            train(each, steps=asked.steps, folder=asked.folder)
