"""What the receipt measures of explanations of real pictures, right and wrong: for pages 45_profiles and 46_verdicts

    python benchmarks/receipts.py RECEIPTS.csv PROFILES.csv [--reader default] [--corpus FOLDER] [--pictures 200] [--store]

A seeded draw of `dev`, sides of 128 px and more: half photographs, and half generated pictures, five by each maker
drawn. Each picture's score "generated" is explained by two crops with the default method, and its full receipt kept.
Beside it, all on the true score, what the receipt measures of values that are wrong by construction: those of a network
with shuffled weights (one of five shuffles), the right ones moved to other regions or to other bands, and those of the
next picture of the draw; and the insertion and deletion areas of pixel integrated gradients, from the same baseline and from a black
one, summed over each region and dealt out to its bands by energy (a pixel has no band), and pixel by pixel. About 10 CPU
seconds a picture; what is done is remembered in the cache folder, so that the tables can be written again in seconds, with
the rule of the receipt as it then is. The first two pictures are explained by `explain(receipt="full")` as well, which has
to say the same. `--store` keeps with the reader how much its explanations are like those of shuffled weights.
"""

import argparse
import copy
import csv
import sys
from dataclasses import asdict, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch

from deepnb.coalitions import Coalitions, checked_score
from deepnb.core import seeded
from deepnb.corpus import detection_label, load_corpus
from deepnb.explanation import BASELINES, STEPS, explain, unassigned
from deepnb.methods import METHODS, Settings
from deepnb.parts import joint
from deepnb.picture import crops, load
from deepnb.reader import Reader
from deepnb.receipts import area, deletion, insertion, judge, randomized, receipt
from deepnb.rule import wrong_values
from deepnb.scores import answer_key, ask_all, cache_file
from deepnb.settings import reader_folder, write_randomized

MOST, EACH, LEAST, SHUFFLES = 2, 5, 128, 5
PLAN = joint()
FIELDS = ("convergence_delta", "deletion_auc", "insertion_auc", "random_auc", "energy_auc", "radius_auc",
          "band_agreement", "region_agreement", "randomized", "jpeg90")  # fmt: skip
KEPT = ("forgiven", "regions", "bands", "other")  # how all but the first of `WRONG` are called here
OF_VALUES = ("deletion_auc", "insertion_auc", "band_agreement", "region_agreement")  # what differs between values


class Remembered(Coalitions):
    "A game that is asked the same coalition once only"

    @cached_property
    def _known(self) -> dict:
        return {}

    def __call__(self, masks):
        masks = torch.atleast_2d(masks)
        keys = [mask.numpy().tobytes() for mask in masks]
        new = {key: k for k, key in enumerate(keys) if key not in self._known}
        if new:
            self._known.update(zip(new, super().__call__(masks[list(new.values())]), strict=True))
        return torch.stack([self._known[key] for key in keys])


def drawn_items(corpus, count: int) -> list:
    "Half photographs, half generated, EACH by a maker, in an order that may be cut anywhere"
    items, rng = corpus.select(split="dev", min_side=LEAST), seeded(0, "receipts")
    photographs = [item for item in items if item.kind in ("camera", "dataset_real")]
    by_maker = {}
    for item in items:
        if detection_label(item) == 1:
            by_maker.setdefault(item.generator, []).append(item)
    makers = sorted(maker for maker, made in by_maker.items() if len(made) >= EACH)
    chosen = [makers[k] for k in rng.permutation(len(makers))[: count // 2 // EACH]]
    made = [by_maker[maker][k] for maker in chosen for k in rng.permutation(len(by_maker[maker]))[:EACH]]
    made = [made[k] for k in rng.permutation(len(made))]
    others = [photographs[k] for k in rng.permutation(len(photographs))[: len(made)]]
    return [item for pair in zip(made, others, strict=True) for item in pair]


def game_of(score, picture, reader) -> Remembered:
    "The game that `explain` plays"
    read = crops(picture, reader.crop, most=MOST)
    x = read.to_tensor()
    start = torch.from_numpy(np.ascontiguousarray(BASELINES["near"].of(x.double().numpy()))).to(x)
    return Remembered(score, x, start, PLAN, picture.pixels.shape[:2], np.asarray(read.boxes, np.int32))


def explained(reader, pixels: np.ndarray, seed: int) -> tuple:
    "What `explain` says, without a receipt, and in how many steps"
    ask = {"score": "generated", "reader": reader, "most": MOST, "seed": seed, "receipt": False}
    why = explain(pixels, n_steps=STEPS[0], **ask)
    return (explain(pixels, n_steps=STEPS[1], **ask), STEPS[1]) if unassigned(why) > 0.1 else (why, STEPS[0])


def pooled(game, pixels: np.ndarray) -> np.ndarray:
    "A value for each pixel (N, 3, h, w) summed over each region, dealt out to its bands by energy, (K,)"
    sums = np.zeros(game.plan.shape[0])
    for one, box in zip(pixels, game.boxes.tolist(), strict=True):
        sums += game.plan.regions.sums(one.sum(0), size=game.size, window=tuple(box))
    energy = game.energy().reshape(game.plan.shape)
    return (sums[:, None] * energy / np.maximum(energy.sum(1, keepdims=True), 1e-12)).ravel()


def areas(game, values, ends) -> list[float]:
    "Insertion and deletion area of an order of parts"
    order = np.argsort(-values * np.sign(ends[1] - ends[0]), kind="stable")
    return [area(curve(game, order, ends=ends), ends=ends) for curve in (insertion, deletion)]


def pixel_areas(game, pixels: np.ndarray, ends) -> list[float]:
    "Insertion and deletion area of an order of pixels, at the stops of the curves of parts"
    shares = np.unique(np.rint(len(game.plan) * np.linspace(0, 1, 6) ** 2)) / len(game.plan)
    order = np.argsort(-pixels.sum(1).ravel() * np.sign(ends[1] - ends[0]), kind="stable")
    found = []
    for begin, end, first in ((game.baselines, game.inputs, ends[0]), (game.inputs, game.baselines, ends[1])):
        scores = [first]
        for share in shares[1:-1]:
            moved = torch.zeros(len(order))
            moved[order[: round(share * len(order))].copy()] = 1
            moved = moved.reshape(len(pixels), 1, *pixels.shape[2:])
            with torch.no_grad():
                scores.append(float(game.of(begin + moved * (end - begin)).mean()))
        scores.append(ends[1] if first == ends[0] else ends[0])
        found.append(area(np.stack([shares, scores], 1), ends=ends))
    return found


def asked(reader, pixels: np.ndarray, other: np.ndarray, seed: int, blank) -> dict:
    "All that is kept of one picture; `other`: the values of another one"
    why, steps = explained(reader, pixels, seed)
    run, ends = METHODS[why.method].run, (why.baseline_score, why.score)
    score = checked_score(reader.score("generated"))
    game = game_of(score, load(pixels), reader)
    strange = run(replace(game, score=checked_score(blank.score("generated"))), Settings(steps))[0]
    own = receipt(
        game, why.values, ends=ends, convergence_delta=why.convergence_delta, pixels=pixels, shuffled=strange, seed=seed,
        again=lambda other: run(game_of(score, load(other), reader), Settings(steps))[0])  # fmt: skip
    gap = float(strange.sum() - (ends[1] - ends[0]))
    found = {"score": why.score, "baseline": why.baseline_score, "steps": steps, "own": asdict(own), "gap": gap,
             "by_band": why.by_band().tolist()}  # fmt: skip
    if own.insertion_auc is not None:
        wrong = wrong_values(why.values, shuffled=strange, other=other, shape=PLAN.shape, seed=seed)
        for name, values in zip(KEPT, list(wrong.values())[1:], strict=True):
            turned = values * np.sign(values.sum() * (ends[1] - ends[0]))  # so that the sum has the right sign
            found[name] = asdict(receipt(game, turned, ends=ends, seed=seed))
        black = run(replace(game, baselines=torch.zeros_like(game.inputs)), Settings(8))[1]
        found["near"] = areas(game, pooled(game, why.raw), ends)
        found["black"] = areas(game, pooled(game, black), ends)
        found["pixels"] = pixel_areas(game, why.raw, ends)
    return found


def short(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value


def tables(items, found: dict, words: str) -> tuple[list[dict], list[dict]]:
    "The rows of both files"
    receipts, profiles = [], []
    for item in items:
        one = found[item.sha256[:16]]
        row = {"sha256": item.sha256[:16], "label": detection_label(item), "kind": item.kind,
               "group": item.generator if detection_label(item) else item.device,
               "reader": words, "score": one["score"], "baseline": one["baseline"], "steps": one["steps"], "gap": one["gap"]}  # fmt: skip
        for prefix in ("own", *KEPT):
            names = FIELDS if prefix == "own" else OF_VALUES
            row |= {f"{prefix}_{name}": one.get(prefix, {}).get(name) for name in names}
        for name in ("near", "black", "pixels"):
            row |= dict(zip((f"{name}_insertion", f"{name}_deletion"), one.get(name, (None, None)), strict=True))
        receipts.append({name: short(value) for name, value in row.items()})
        verdict = "cannot tell"
        if one["own"]["insertion_auc"] is not None:  # from the digits that are written, so that both files say the same
            told = {name: float(short(one["own"][name])) for name in FIELDS if one["own"][name] is not None}
            verdict = judge(told, change=float(short(one["score"])) - float(short(one["baseline"])))[0]
        kept = {name: row[name] for name in ("sha256", "label", "group", "reader", "score", "baseline")}
        kept |= {"verdict": verdict} | {f"band{k + 1}": value for k, value in enumerate(one["by_band"])}
        profiles.append({name: short(value) for name, value in kept.items()})
    return receipts, profiles


def check(reader, pixels, seed, found):
    "Stops where the parts put together here say something else than `explain` does"
    why = explain(pixels, score="generated", reader=reader, most=MOST, seed=seed, receipt="full")
    for name in FIELDS:
        mine, theirs = found["own"][name], getattr(why.receipt, name)
        if (mine is None) != (theirs is None) or (mine is not None and abs(mine - theirs) > 1e-3):
            sys.exit(f"{name} is {mine} here and {theirs} in explain(): the two have parted.")


def store(reader_name: str, found: dict) -> None:
    "Keep with the reader how much its explanations are like those of shuffled weights: the median over the pictures"
    known = [one["own"]["randomized"] for one in found.values() if one["own"]["randomized"] is not None]
    median = round(float(np.median(known)), 4)
    write_randomized(reader_folder(reader_name), {"generated": median})
    print(f"Stored with the reader: a likeness of {median} to shuffled weights, the median of {len(known)} pictures")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipts")
    parser.add_argument("profiles")
    parser.add_argument("--reader", default="default")
    parser.add_argument("--corpus")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--store", action="store_true", help="keep the likeness to shuffled weights with the reader")
    given = parser.parse_args()
    torch.set_num_threads(1)
    reader, corpus = Reader.load(given.reader, device="cpu"), load_corpus(given.corpus)
    items = drawn_items(corpus, given.pictures)

    @cache
    def blank(seed):
        other = copy.copy(reader)
        other.network = randomized(reader.network, seed=seed)
        return other

    @cache
    def values_of(item):
        return explained(reader, corpus.pixels(item), 0)[0].values

    def ask(item):
        seed, after = int(item.sha256[:8], 16) % SHUFFLES, items[(items.index(item) + 1) % len(items)]
        found = asked(reader, corpus.pixels(item), values_of(after), seed, blank(seed))
        if item in items[:2]:
            check(reader, corpus.pixels(item), seed, found)
        return found

    found = ask_all(items, ask, keep=cache_file(f"checks-{answer_key(reader)}.jsonl"), words="explained", workers=1,
                    progress=sys.stderr.isatty())  # fmt: skip
    if given.store:
        store(given.reader, found)
    words = f"{reader.record.name} {reader.record.version} ({reader.record.sha256[:8]})"
    for path, rows in zip((given.receipts, given.profiles), tables(items, found, words), strict=True):
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"Written: {path}, {len(rows)} pictures")


if __name__ == "__main__":
    main()
