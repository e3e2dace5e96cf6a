"""Train the paper's configuration for a stated time on the same batches: the reference of other benchmarks

    python benchmarks/paper.py [--minutes 10] [--scores OUT.csv --every 1]

FEN of 17 layers and 64 channels on 64 px crops with the published deepfake classifier on the fingerprint,
plain fp32. Prints crops seen, CPU seconds and the AUC on `dev`, and keeps them in
`benchmarks/results/paper.json`. Minutes on a CPU are far from enough for this network: the result is called
under-trained wherever it is shown.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from deepnb.batches import Batches, Recipe, label_items
from deepnb.corpus import detection_label, load_corpus
from deepnb.damage import TREATMENTS, damaged
from deepnb.evaluation import evaluate
from deepnb.fen import CONSTRAINT_WEIGHTS, FingerprintConfig, FingerprintNetwork, constraints
from deepnb.picture import crops
from deepnb.scores import Scores, empty_scores
from deepnb.source import NetworkConfig

NAME = "paper's configuration, under-trained"
RESULT = Path(__file__).parent / "results" / "paper.json"


class PaperDetector(nn.Module):
    "The paper's FEN and its deepfake classifier: `(N, 3, 64, 64)` to `(N,)` logits and the fingerprint"

    def __init__(self):
        super().__init__()
        self.fen = FingerprintNetwork(FingerprintConfig.paper())
        widths, layers = (3, 32, 64, 128, 256, 512), []
        for i, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            kernel = 5 if i < 4 else 3
            layers += [nn.Conv2d(before, after, kernel, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(), nn.LazyLinear(512), nn.ReLU(), nn.Linear(512, 1)
        )

    def forward(self, x):
        trace = self.fen(x)
        return self.layers(trace)[:, 0], trace


def update(model: PaperDetector, optimizer, x: torch.Tensor, target: torch.Tensor) -> None:
    "One step of training on crops (N, 3, S, S) with targets (N,) of 0 and 1"
    logits, trace = model(x)
    penalty = sum(CONSTRAINT_WEIGHTS[name] * value for name, value in constraints(trace).items())
    loss = F.binary_cross_entropy_with_logits(logits, target) + 0.1 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def train(minutes: float, *, seed: int = 0) -> tuple[PaperDetector, int, float]:
    "The detector after so many minutes of CPU time, crops seen, CPU seconds"
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    corpus = load_corpus()
    items = [item for item in corpus.select(split="train", min_side=64) if detection_label(item) is not None]
    recipe = Recipe(out="", batch=16, crop=64, small=64, steps=10**6, seed=seed)
    batches = Batches(
        items, [corpus.pixels(item) for item in items], label_items(items, NetworkConfig((), ()), {}), recipe
    )
    model = PaperDetector().train()
    model(torch.rand(2, 3, 64, 64))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    begin, step = time.process_time(), 0
    while time.process_time() - begin < 60 * minutes:
        batch = batches[step]
        x = torch.from_numpy(batch["pixels"].copy()).permute(0, 3, 1, 2).float() / 255.0
        update(model, optimizer, x, torch.from_numpy(batch["generated"]).float())
        step += 1
    return model.eval(), step * recipe.batch, time.process_time() - begin


def score(model: PaperDetector, *, every: int) -> Scores:
    "The detector's logits on every n-th picture of `dev` under each treatment, means over two crops of 64 px"
    corpus = load_corpus()
    scores, items = empty_scores(corpus), corpus.select(split="dev", min_side=128)
    values = np.full((len(items), len(TREATMENTS)), np.nan)
    for i, item in list(enumerate(items))[::every]:
        pixels = corpus.pixels(item)
        for column, plan in enumerate(TREATMENTS.values()):
            with torch.inference_mode():
                values[i, column] = model(crops(damaged(pixels, plan), 64, most=2).to_tensor())[0].mean().item()
    return scores.added(NAME, values)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="CPU minutes of training")
    parser.add_argument("--every", type=int, default=3, help="judge every n-th picture")
    parser.add_argument("--scores", metavar="OUT.csv", help="keep the scores, for a table beside others")
    args = parser.parse_args()
    model, seen, seconds = train(args.minutes)
    print(f"the paper's configuration, under-trained: {seen} crops in {seconds:.0f} CPU s", flush=True)
    scores = score(model, every=args.every)
    table = evaluate(scores=scores, models=[NAME], draws=300)
    auc = {r.treatment: (r.auc, r.low, r.high) for r in table.of("generated", NAME)}
    RESULT.parent.mkdir(exist_ok=True)
    told = {"crops_seen": seen, "cpu_seconds": round(seconds), "auc": auc, "every": args.every}
    RESULT.write_text(json.dumps(told, indent=1) + "\n")
    if args.scores:
        print(scores.write(args.scores))
    print(table)


if __name__ == "__main__":
    main()
