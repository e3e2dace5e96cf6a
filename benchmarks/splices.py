"""How small a part can be found by the scores of windows, and what is found that no network made

    python benchmarks/splices.py [--corpus FOLDER] [--pictures 36] [--scores processed generated residual]

Camera originals of `dev`, cut to 384 px; a square of each is replaced by what a shipped member of the zoo (none was
trained on) makes of that very ground, or, as controls, by the ground enlarged again after halving, blurred, or saved
as JPEG 75. Then, below, photographs of `dev` of 160 px with a square out of a network's version of them (networks
never trained on). AUC: windows mostly inside the square against those outside, a picture at a time; `hit`: the best
window lies mostly inside; `chance`: the share of windows that do. 95 % intervals are bootstrapped over pictures.
"""

import argparse

import numpy as np
from PIL import Image

from deepnb.core import seeded
from deepnb.corpus import load_corpus, pairs, seen_generators
from deepnb.damage import Damage, Save, damaged
from deepnb.reader import Reader
from deepnb.windows import score_windows
from deepnb.zoo import load_member, members, pass_through

SIDE = 384


def halved(pixels):
    "Made half the size and enlarged again, bicubic both ways"
    small = Image.fromarray(pixels).resize((pixels.shape[1] // 2, pixels.shape[0] // 2), Image.Resampling.BICUBIC)
    return np.asarray(small.resize(pixels.shape[1::-1], Image.Resampling.BICUBIC))


CONTROLS = {
    "halved, enlarged": halved,
    "blurred": lambda pixels: damaged(pixels, Damage("blurred", blur=0.7)),
    "JPEG 75": lambda pixels: damaged(pixels, Damage("JPEG 75", last=Save("JPEG", 75))),
}


def judged(found, box):
    "(AUC, hit, chance) of a map of windows for an altered box; nan where no window is mostly inside"
    left, top, right, bottom = found.boxes.T
    across = np.clip(np.minimum(right, box[2]) - np.maximum(left, box[0]), 0, None)
    down = np.clip(np.minimum(bottom, box[3]) - np.maximum(top, box[1]), 0, None)
    share = across * down / np.minimum((right - left) * (bottom - top), (box[2] - box[0]) * (box[3] - box[1]))
    inside, outside = share >= 0.5, share <= 0.1
    if not inside.any() or not outside.any():
        return np.nan, np.nan, np.nan
    over = found.values[inside][:, None] > found.values[outside][None]
    return over.mean(), float(inside[found.values.argmax()]), inside.mean()


def line(name, side, rows, rng):
    "One line of the table"
    rows = np.array(rows)[~np.isnan(rows).any(axis=1)]
    means = rows[rng.integers(len(rows), size=(1000, len(rows)))].mean(axis=1)
    (low, hit_low, _), (high, hit_high, _) = np.quantile(means, (0.025, 0.975), axis=0)
    auc, hit, chance = rows.mean(axis=0)
    cells = f"{auc:.2f} [{low:.2f} {high:.2f}]  {hit:.2f} [{hit_low:.2f} {hit_high:.2f}]  {chance:6.2f}  {len(rows):8}"
    print(f"{name:28} {side:4}  {cells}", flush=True)


def splices(corpus, count):
    "Yield (what, side, picture, box): squares by the zoo and by controls, then by networks never trained on"
    cards = [load_member(None, card.name) for card in members(None)]
    hosts = corpus.select(split="dev", kind=("camera",), min_side=SIDE)[:count]
    makers = {"zoo": lambda k, pixels: pass_through(cards[k % len(cards)], pixels)}
    makers |= {f"control, {name}": lambda k, pixels, f=f: f(pixels) for name, f in CONTROLS.items()}
    for what, maker in makers.items():
        for side in (48, 64, 96, 128, 192):
            for k, item in enumerate(hosts):
                rng = seeded(0, "splice", item.sha256, str(side))
                pixels = corpus.pixels(item)
                top, left = (int(rng.integers(length - SIDE + 1)) for length in pixels.shape[:2])
                pixels = pixels[top : top + SIDE, left : left + SIDE]
                x, y = (int(v) for v in rng.integers(0, SIDE - side + 1, 2))
                yield what, side, pasted(pixels, maker(k, pixels), x, y, side), (x, y, x + side, y + side)
    seen = seen_generators(corpus)
    for side in (48, 64, 96):
        for pair in pairs(corpus.select(split="dev")):
            base = next(item for item in pair.untouched if item.generator == "_input")
            size = (base.width, base.height)
            for item in [i for i in pair.made if i.generator not in seen and (i.width, i.height) == size]:
                x, y = (int(v) for v in seeded(0, "splice", item.sha256, str(side)).integers(0, min(size) - side + 1, 2))
                mixed = pasted(corpus.pixels(base), corpus.pixels(item), x, y, side)
                yield "network never trained on", side, mixed, (x, y, x + side, y + side)


def pasted(pixels, other, x, y, side):
    "The picture with a square out of another of the same size"
    mixed = pixels.copy()
    mixed[y : y + side, x : x + side] = other[y : y + side, x : x + side]
    return mixed


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus")
    parser.add_argument("--pictures", type=int, default=36)
    parser.add_argument("--scores", nargs="+", default=["processed", "generated", "residual"])
    parser.add_argument("--reader", default="default")
    asked = parser.parse_args()
    reader, corpus = Reader.load(asked.reader), load_corpus(asked.corpus)
    for score in asked.scores:
        print(f"\nscore {score}, windows of 64 px, reader {reader.name} {reader.sha256[:12]}")
        print(f"{'square made by':28} {'px':>4}  {'AUC':16}  {'hit':16}  chance  pictures")
        held, rng = {}, seeded(0, "draws")
        for what, side, mixed, box in splices(corpus, asked.pictures):
            if (what, side) not in held and held:
                last = list(held)[-1]
                line(*last, held[last], rng)
            held.setdefault((what, side), []).append(judged(score_windows(reader, mixed, score=score), box))
        last = list(held)[-1]
        line(*last, held[last], rng)
