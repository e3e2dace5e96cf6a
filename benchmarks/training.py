"""How many samples a second does a training see? Ratios against the paper's configuration, in the same run

    python benchmarks/training.py [--rounds 5] [--corpus FOLDER]

One thread, CPU time, rounds of all sides interleaved, medians. A sample is one damaged crop through one step of
training: forward, backward and update. Ours are all branches and heads by the recipe of `deepnb train` (32 crops of
112 px, fp32); the reference is the paper's FEN of 17 layers and 64 channels with its published deepfake classifier,
plain fp32, at its own 64 px and at 112 px. What either side learns is not compared here: `benchmarks/paper.py` trains
the reference for a stated time and prints its AUC.
"""

import argparse
import statistics
import time

import torch
from paper import PaperDetector, update

from deepnb.batches import Batches, Recipe, label_items
from deepnb.corpus import load_corpus
from deepnb.training import make_optimizer, new_network, plan_network, take_step

EVERY = 8  # of the training pictures every eighth is enough to time by


def sides(corpus) -> dict:
    "What is timed: name to (function of a round, samples that one call sees, weights)"
    recipe = Recipe(out="", threads=1)
    items = [i for i in corpus.select(split="train", min_side=64) if i.kind not in ("other", "format")][::EVERY]
    config, clusters, centers = plan_network(items, recipe)
    network = new_network(config, centers, seed=0).train()
    optimizer = make_optimizer(network, recipe)
    batches = Batches(items, [corpus.pixels(i) for i in items], label_items(items, config, clusters), recipe)
    batch = {name: torch.as_tensor(value) for name, value in batches[0].items()}
    timed = {
        "all branches and heads, 112 px": (
            lambda k: take_step(network, optimizer, batch, step=100 + k, recipe=recipe), recipe.batch, network
        ),
        "drawing and damaging alone": (lambda k: batches[k], recipe.batch, None),
    }  # fmt: skip
    for side, many in ((64, 16), (112, 4)):
        model = PaperDetector().train()
        x, target = torch.rand(many, 3, side, side), (torch.arange(many) % 2).float()
        model(x)
        adam = torch.optim.Adam(model.parameters(), lr=1e-4)
        timed[f"paper's configuration, {side} px"] = (
            lambda k, model=model, adam=adam, x=x, target=target: update(model, adam, x, target), many, model
        )  # fmt: skip
    return timed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus")
    args = parser.parse_args()
    torch.set_num_threads(1)
    timed, spent = sides(load_corpus(args.corpus)), {}
    for number in range(args.rounds + 1):  # the first warms up
        for name, (call, samples, _) in timed.items():
            begin = time.process_time()
            call(number)
            if number:
                spent.setdefault(name, []).append((time.process_time() - begin) / samples)
    print(f"samples a second of CPU time, one thread, fp32, medians of {args.rounds} interleaved rounds:")
    reference = spent["paper's configuration, 64 px"]
    for name, seconds in spent.items():
        ratio = statistics.median(r / s for r, s in zip(reference, seconds, strict=True))
        model = timed[name][2]
        weights = f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million weights" if model else ""
        print(f"  {name:32s} {1 / statistics.median(seconds):8.1f}  {ratio:6.1f} x  {weights}")


if __name__ == "__main__":
    main()
