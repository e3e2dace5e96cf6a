"""Do the receipt's measures agree with those of Quantus, where both measure the same thing?

    pip install quantus opencv-python-headless       a benchmark's need, not deepnb's
    python benchmarks/quantus_metrics.py [--pictures 12]

The first of a seeded draw of `dev` pictures, one crop of 128 px each, are explained by region (4 x 4, from a gray baseline)
by four methods and by a random map. Our deletion area in the explanation's own parts is set beside Quantus's region
perturbation (patches of 32 px, most relevant first, mean of the picture in their place), and our insertion area less the random
one beside its faithfulness correlation. Printed: rank correlations over all maps, the mean of each method, and CPU seconds.
Ours fade from part to part, Quantus cuts with hard edges.
"""

import argparse
import time
import warnings

import numpy as np
import quantus
import torch
from scipy.stats import spearmanr
from torch import nn

from deepnb.coalitions import Coalitions
from deepnb.core import seeded
from deepnb.corpus import load_corpus
from deepnb.explanation import BASELINES, explain
from deepnb.parts import regions
from deepnb.picture import crops, load
from deepnb.reader import Reader
from deepnb.receipts import receipt

METHODS = ("integrated_gradients", "gradient_shap", "two_ended", "antithetic", "random")
PLAN, SIDE = regions((4, 4)), 128


class TwoClasses(nn.Module):
    "A score of one number as the two logits that Quantus asks for"

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, x):
        score = self.score(x)
        return torch.stack([-score, score], 1)


def blocks(values: np.ndarray) -> np.ndarray:
    "A map of pixels (1, 1, 128, 128) that holds the value of each region"
    return np.kron(values.reshape(4, 4), np.ones((SIDE // 4, SIDE // 4)))[None, None].astype(np.float32)


def perturbed_area(model: TwoClasses, x: np.ndarray, values: np.ndarray) -> float:
    "Quantus's region perturbation as an area on our scale: 0 is the last score of its curve, 1 the first"
    metric = quantus.RegionPerturbation(patch_size=SIDE // 4, regions_evaluation=16, order="morf", perturb_baseline="mean",
                                        normalise=False, abs=False, disable_warnings=True, display_progressbar=False)
    told = metric(model=model, x_batch=x, y_batch=np.array([1]), a_batch=blocks(values), device="cpu")
    drops = np.concatenate([[0.0], np.asarray(told[0], float)])
    return float(np.trapezoid(1 - drops / (drops[-1] or 1.0), np.linspace(0, 1, len(drops))))


def faithfulness(model: TwoClasses, x: np.ndarray, values: np.ndarray) -> float:
    "Quantus's faithfulness correlation: sums of attributions of random subsets against the score without them"
    metric = quantus.FaithfulnessCorrelation(nr_runs=50, subset_size=SIDE * SIDE // 8, perturb_baseline="mean", normalise=False,
                                             abs=False, disable_warnings=True, display_progressbar=False)
    return float(metric(model=model, x_batch=x, y_batch=np.array([1]), a_batch=blocks(values), device="cpu")[0])


def judged(reader, pixels: np.ndarray, method: str, seed: int) -> tuple[list[float], np.ndarray]:
    "Of one explanation: deletion, insertion less random, Quantus's two, and CPU seconds of both sides"
    score, model = reader.score("generated"), TwoClasses(reader.score("generated")).eval()
    x = crops(load(pixels), SIDE, most=1).to_tensor()
    blank = torch.from_numpy(np.ascontiguousarray(BASELINES["gray"].of(x.double().numpy()))).to(x)
    game = Coalitions(score, x, blank, PLAN, (SIDE, SIDE), np.array([[0, 0, SIDE, SIDE]]))
    ends = tuple(float(game.of(some).mean()) for some in (blank, x))
    if method == "random":
        values = seeded(seed, "map").standard_normal(len(PLAN))
    else:
        values = explain(pixels, score="generated", parts=PLAN, method=method, baselines="gray", reader=reader, receipt=False).values
    if ends[1] < ends[0]:  # a picture that speaks against: what lowers the score comes first
        values, model = -values, TwoClasses(lambda x: -score(x)).eval()
    begin = time.process_time()
    own = receipt(game, values if ends[1] >= ends[0] else -values, ends=ends)
    middle = time.process_time()
    theirs = [measure(model, x.numpy(), values) for measure in (perturbed_area, faithfulness)]
    times = np.array([middle - begin, time.process_time() - middle])
    return [own.deletion_auc, own.insertion_auc - own.random_auc, *theirs], times


def main(count: int) -> None:
    "Judge all maps, print how both sides agree"
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    corpus, reader = load_corpus(), Reader.load("default", device="cpu")
    items = corpus.select(split="dev", min_side=SIDE)
    rows, names, seconds = [], [], np.zeros(2)
    for i in seeded(0, "quantus").permutation(len(items))[:count]:
        pixels = crops(load(corpus.pixels(items[i])), SIDE, most=1).to_tensor()[0].permute(1, 2, 0).mul(255).round().byte().numpy()
        for method in METHODS:
            with torch.set_grad_enabled(method != "random"):
                told, times = judged(reader, pixels, method, int(i))
            if None not in told:
                rows, names, seconds = [*rows, told], [*names, method], seconds + times
    table = np.array(rows)
    print(f"{len(table)} maps of {count} crops; CPU s: receipt {seconds[0]:.0f}, the two of Quantus {seconds[1]:.0f}")
    print("rank correlation: deletion area with region perturbation "
          f"{spearmanr(table[:, 0], table[:, 2]).statistic:+.2f}, insertion over random with faithfulness correlation "
          f"{spearmanr(table[:, 1], table[:, 3]).statistic:+.2f}")
    print(f"{'mean':22}{'deletion':>10}{'perturbation':>14}{'insertion - random':>20}{'faithfulness':>14}")
    for method in METHODS:
        means = table[np.array(names) == method].mean(0)
        print(f"{method:22}{means[0]:>10.2f}{means[2]:>14.2f}{means[1]:>20.2f}{means[3]:>14.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=12)
    main(parser.parse_args().pictures)
