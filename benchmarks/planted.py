"""Explain networks that learned planted cues, by every method, and write what pages 45_rule and 46_trials judge

    python benchmarks/planted.py OUT.csv [--corpus FOLDER] [--explained 40] [--steps 1000] [--cases peak grid]

A network for each case learns from photographs of the train split; photographs of dev are judged. Nothing of that is
chosen on what is judged: seeds, steps and the 0.9 of a sure answer stood before, and only photographs of the
train split had a say. About half an hour of one core.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from deepnb import explain
from deepnb.coalitions import Coalitions, checked_score
from deepnb.core import seeded
from deepnb.corpus import load_corpus
from deepnb.explanation import BASELINES
from deepnb.methods import METHODS
from deepnb.parts import bands, joint, regions
from deepnb.planted import (
    CASES,
    RECEIPT,
    SIDE,
    SURE,
    WaveScore,
    measures,
    owed,
    plant,
    read_planted,
    windowed_wave,
    write_planted,
)  # fmt: skip
from deepnb.receipts import randomized, receipt
from deepnb.rule import WRONG, wrong_values
from deepnb.trials import judged_networks, planted_tables

KINDS = ("camera", "dataset_real")  # photographs by cameras, and from the web
PLAN, WHERE = joint((4, 4)), regions((4, 4))
FEW, FIT = {"n_samples": 2}, {"n_samples": 250}  # orders, of 96 passes each; coalitions for a fit of 96 values
ASKED = {  # how each row of METHODS is asked; a row that is not here is the default again
    "integrated_gradients": {}, "gradient_shap": {}, "noise_tunnel": {}, "deep_lift": {}, "two_ended": {}, "ablation": {},
    "occlusion": {}, "shapley_sampling": FEW, "antithetic": FEW, "kernel_shap": FIT, "lime": FIT,
    "exact_shapley": {"parts": bands(6)}, "grad_cam": {"parts": WHERE},
}  # fmt: skip


class HighPass(nn.Module):
    "The brightness less the mean of its neighbors, in units of four gray levels: (N, 3, H, W) to (N, 1, H, W)"

    def __init__(self):
        super().__init__()
        kernel = -torch.ones(1, 1, 3, 3) / 8
        kernel[..., 1, 1] = 1
        self.register_buffer("kernel", kernel.expand(1, 3, 3, 3).clone() * 255 / 4 / 3)

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def network() -> nn.Sequential:
    "About four thousand weights, each activation a module of its own"
    return nn.Sequential(
        HighPass(), nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 16, 3, stride=2), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), Mean(), nn.Linear(16, 1),
    )  # fmt: skip


def photographs(corpus, split: str, *, most: int = 600) -> list[np.ndarray]:
    "Photographs of at least 300 px, at most 640 px of each, in a drawn order"
    items = corpus.select(split=split, kind=KINDS, min_side=300)
    return [corpus.pixels(items[k]) for k in seeded(0, "planted", split).permutation(len(items))[:most]]


def patch(photograph: np.ndarray, rng) -> np.ndarray:
    top, left = (rng.integers(0, length - SIDE + 1) for length in photograph.shape[:2])
    return photograph[top : top + SIDE, left : left + SIDE]


def tensor(*pixels) -> torch.Tensor:
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(255)


def learned(case: str, known: list[np.ndarray], *, steps: int, pairs: int = 12) -> nn.Module:
    "A network that learned the case from pairs of one crop with the cue and without"
    torch.manual_seed(0)
    net, rng = network(), seeded(0, "learning", case)
    adam = torch.optim.Adam(net.parameters(), 4e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 8e-3, total_steps=steps)
    label = torch.tensor([1.0, 0.0]).repeat(pairs)
    mean = 0.0
    for step in range(steps):
        crops = [patch(known[rng.integers(len(known))], rng) for _ in range(pairs)]
        seeds = [10_000_000 + step * pairs + k for k in range(pairs)]  # apart from those that are judged
        made = [plant(crop, case=case, seed=s, positive=p).pixels
                for crop, s in zip(crops, seeds, strict=True) for p in (True, False)]  # fmt: skip
        loss = nn.functional.binary_cross_entropy_with_logits(net(tensor(*made))[:, 0], label)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        plan.step()
        mean += (float(loss.detach()) - mean) / min(step + 1, 50)
        if step % 100 == 99:
            print(f"{case}: step {step + 1}, loss {mean:.3f}", flush=True)
    return net.eval()


def line(case: str, picture: int, planted, logit: float, method: str, **found) -> dict:
    detail = " ".join(filter(None, ((cue.way or cue.kind) for cue in planted.cues[:1])))
    return {"case": case, "picture": picture, "label": int(bool(planted.cues)), "score": logit, "detail": detail,
            "method": method, **found}  # fmt: skip


def judged(values, planted, plan, check, *, gap: float = float("nan")) -> dict:
    "What one explanation is worth: measures, gap (share of the change of score), and what its receipt measured"
    told = {name: getattr(check, name) for name in RECEIPT}
    return {**measures(values, planted.truth(plan), planted.decoy(plan), shape=plan.shape),
            "gap": gap, **{name: float("nan") if value is None else value for name, value in told.items()}}  # fmt: skip


def game_of(net, pixels, plan) -> tuple[Coalitions, tuple[float, float]]:
    "The game that explain() plays, for values that do not come from explain()"
    x = tensor(pixels)
    start = torch.from_numpy(BASELINES["near"].of(x.double().numpy()).copy()).float()
    game = Coalitions(checked_score(net), x, start, plan, (SIDE, SIDE), np.array([[0, 0, SIDE, SIDE]]))
    with torch.no_grad():
        return game, (float(net(start)), float(net(x)))


def outsiders(net, planted, k: int) -> dict:
    "Values by method, with their plan: what people use who know no parts, what knows nothing, a shuffled network"
    from captum.attr import IntegratedGradients

    x = tensor(planted.pixels)
    raw = IntegratedGradients(lambda x: net(x)[:, 0]).attribute(x, n_steps=16, internal_batch_size=4)
    amount = raw[0].abs().sum(0).detach().numpy()
    pooled = WHERE.regions.sums(amount, size=amount.shape)
    chance = seeded(k, "random map").normal(size=len(PLAN))
    return {"pixels, absolute": (pooled, WHERE), "random map": (chance, PLAN)}


def explained(case: str, net, k: int, planted, logit: float, other) -> tuple[list[dict], np.ndarray]:
    "A row for each method, and for each wrong explanation; `other`: the values of another patch, or None"
    rows, own = [], None
    for method, asked in ASKED.items():
        ask = {"parts": PLAN, "layer": net[6] if method == "grad_cam" else None} | asked
        why = explain(planted.pixels, score=net, method=method, baselines="near", **ask)
        own = why.values if method == "integrated_gradients" else own
        gap = abs(why.convergence_delta / (why.score - why.baseline_score)) if METHODS[method].complete else float("nan")
        rows.append(line(case, k, planted, logit, method, **judged(why.values, planted, ask["parts"], why.receipt, gap=gap)))
    given = outsiders(net, planted, k)
    shuffled = explain(planted.pixels, score=randomized(net, seed=k), parts=PLAN, baselines="near", receipt=False).values
    wrong = wrong_values(own, shuffled=shuffled, other=other, shape=PLAN.shape, seed=k)
    given |= {name: (values, PLAN) for name, values in wrong.items() if values is not None}
    for method, (values, plan) in given.items():
        game, ends = game_of(net, planted.pixels, plan)
        change, total = ends[1] - ends[0], values.sum()
        if method in WRONG[1:] and abs(total) > 1e-9:  # so that the sum betrays nothing
            values = values * (change / total)
        check = receipt(game, values, ends=ends, seed=k)
        gap = abs(total - change) / abs(change) if method == WRONG[0] else float("nan")
        rows.append(line(case, k, planted, logit, method, **judged(values, planted, plan, check, gap=gap)))
    return rows, own


def linear(photos: list[np.ndarray]) -> list[dict]:
    "Step 0: how far each method is from what a linear score owes, as a share of the largest part"
    rows = []
    for k, photo in enumerate(photos):
        planted = plant(patch(photo, seeded(k, "linear")), case="peak", seed=k)
        wave = windowed_wave(planted.cues[0])
        x = tensor(planted.pixels)
        change = x.double().numpy() - BASELINES["near"].of(x.double().numpy())
        for method, asked in ASKED.items():
            if method == "grad_cam":  # there is no layer
                continue
            ask = {"parts": PLAN, "receipt": False} | asked
            why = explain(planted.pixels, score=WaveScore(wave), method=method, **ask)
            right = owed(wave, np.moveaxis(change[0], 0, -1), ask["parts"])
            error = float(np.abs(why.values - right).max() / np.abs(right).max())
            rows.append(line("linear", k, planted, why.score, method, error=error))
    return rows


def judge(case: str, known, asked, *, steps: int, most: int) -> list[dict]:
    "All rows of a case: a score of each patch, and the explanations of the first `most` sure ones with the cue"
    net, rows, sure = learned(case, known, steps=steps), [], []
    for k, photo in enumerate(asked):
        crop = patch(photo, seeded(k, "judged", case))
        for positive in (True, False):
            planted = plant(crop, case=case, seed=k, positive=positive)
            with torch.no_grad():
                logit = float(net(tensor(planted.pixels)))
            rows.append(line(case, k, planted, logit, "score"))
            if positive and logit >= SURE:
                sure.append((k, planted, logit))
    print(f"{case}: {len(sure)} of {len(asked)} sure", flush=True)
    other = None
    for k, planted, logit in sure[:most]:
        more, other = explained(case, net, k, planted, logit, other)
        rows += more
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--corpus")
    parser.add_argument("--explained", type=int, default=40)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--linear", type=int, default=20)
    parser.add_argument("--judged", type=int, default=200)
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    corpus = load_corpus(given.corpus)
    known, asked = photographs(corpus, "train"), photographs(corpus, "dev", most=given.judged)
    started, rows = time.process_time(), linear(asked[: given.linear])
    write_planted(Path(given.out), rows)
    print(f"linear: done after {time.process_time() - started:.0f} s of CPU", flush=True)
    for case in given.cases:
        print(f"{case}: {len(known)} photographs to learn from, {len(asked)} judged", flush=True)
        rows += judge(case, known, asked, steps=given.steps, most=given.explained)
        write_planted(Path(given.out), rows)
        print(f"{case}: done after {time.process_time() - started:.0f} s of CPU", flush=True)
    table = read_planted(given.out)
    print(judged_networks(table))
    print(planted_tables(table).aims())
