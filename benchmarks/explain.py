"""What an explanation costs: integrated gradients with the exact split, against Captum's Shapley sampling

    python benchmarks/explain.py              the shipped reader, one crop of each of the six bundled pictures
    python benchmarks/explain.py --side 256   four crops
    python benchmarks/explain.py --quick      a small network in its place
    python benchmarks/explain.py --frame 4000 3000          12 megapixels, by as many crops as asked (--most)
    python benchmarks/explain.py --frame 256 256 --threads 2 --most 4

    python benchmarks/explain.py --path 40                  how many steps of the path are enough, on pictures of `dev`

Both sides explain the same 96 joint parts (4 x 4 regions in 6 bands) from the same baseline, in 32-bit floats
on one thread; time is CPU time of the process. Both put as many pictures through the network at once as fit
(`Coalitions.together`). Rounds of both are interleaved and medians taken. Captum's sampling is timed at one
permutation and multiplied, since its cost is proportional to them. Errors are relative L2 distances to a long run
of antithetic permutations. The standard error of that run is given too, beside that of as many plain permutations,
which follows from the spread of its single ones as spread / sqrt(n). How many permutations have the error of the one
run differs much from picture to picture, so the ratio of several is given, as a geometric mean. Correlations with the
long run are given for single parts, and for their sums by region and by band.
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from deepnb.core import data_path, seeded
from deepnb.explanation import explain, unassigned
from deepnb.parts import joint, split
from deepnb.picture import load

PLAN = joint(regions=(4, 4), bands=6)
SAMPLES = 25
SUMS = {"parts": np.ravel, "regions": lambda v: v.reshape(PLAN.shape).sum(1), "bands": lambda v: v.reshape(PLAN.shape).sum(0)}
NODES = (3, 4, 5, 6, 8, 12, 16, 24)


def cpu(call):  # seconds of CPU, and the answer
    started = time.process_time()
    answer = call()
    return time.process_time() - started, answer


def find_reader(quick: bool):
    if quick:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        import toys

        return toys.ToyReader(crop=128)
    from deepnb.reader import Reader

    return Reader.load("default", device="cpu")


def time_split(side: int, crops: int) -> float:
    generator = np.random.default_rng(0)
    slope, change = (generator.standard_normal((crops, 3, 128, 128)).astype(np.float32) for _ in "ab")
    corners = [(x, y, x + 128, y + 128) for y in range(0, side, 128) for x in range(0, side, 128)]
    ask = {"plan": PLAN, "size": (side, side), "boxes": np.array(corners)}
    return median(cpu(lambda: split(slope, change, **ask))[0] for _ in range(5))


def bundled_paths(count: int) -> list[Path]:
    paths = sorted(data_path("data", "pictures").iterdir())
    return [path for path in paths if path.suffix in (".jpg", ".png", ".webp")][:count]


def bundled(args) -> dict[str, np.ndarray]:
    "The upper left corners of the first bundled pictures"
    pictures = {path.stem: load(path).pixels[: args.side, : args.side].astype(float) for path in bundled_paths(args.pictures)}
    if args.quick:  # what the small network looks for
        for pixels in pictures.values():
            pixels[:64, :64] += 20 * np.cos(np.arange(64) * np.pi / 2)[:, None, None]
    return {name: np.clip(pixels, 0, 255).round().astype(np.uint8) for name, pixels in pictures.items()}


def compare(pixels: np.ndarray, reader, args) -> dict:
    ask = {"reader": reader, "score": "generated", "parts": PLAN, "receipt": False}
    explain(pixels, **ask)  # warm
    ours, theirs = [], []
    for round_ in range(args.rounds):
        seconds, found = cpu(lambda: explain(pixels, **ask))
        ours.append(seconds)
        once = {**ask, "method": "shapley_sampling", "n_samples": 1, "seed": round_}
        theirs.append(cpu(lambda once=once: explain(pixels, **once))[0])
    seconds, ends = cpu(lambda: explain(pixels, **{**ask, "method": "two_ended"}))
    check = {**ask, "receipt": True}
    checks = [cpu(lambda: explain(pixels, **check)) for _ in range(min(3, args.rounds))]
    long_run = explain(pixels, method="antithetic", n_samples=args.long, seed=1, **ask)
    rounds = np.asarray(long_run.raw)  # (permutations, K)
    right = rounds.mean(0)
    norm, pairs = np.linalg.norm(right), rounds.reshape(-1, 2, rounds.shape[1]).mean(1)
    return {
        "ours": median(ours), "theirs": median(theirs), "checked": median(some for some, _ in checks), "two": seconds,
        "verdict": checks[0][1].receipt.verdict,
        "split": time_split(args.side, len(found.read_boxes)), "crops": len(found.read_boxes),
        "error": np.linalg.norm(found.values - right) / norm,
        "two_error": np.linalg.norm(ends.values - right) / norm,
        **{f"of {name}": np.corrcoef(sums(found.values), sums(right))[0, 1] for name, sums in SUMS.items()},
        "spread": np.sqrt(rounds.var(0, ddof=1).sum()) / norm,
        "reference": np.sqrt(pairs.var(0, ddof=1).sum() / len(pairs)) / norm,
        "delta": found.score - found.baseline_score, "gap": found.convergence_delta,
    }


def ratios(m: dict, *, seconds: str = "ours", error: str = "error") -> tuple[float, float]:
    "Permutations of Captum's sampling with the same error, at least one, and their CPU time over ours"
    equal = max(1.0, (m["spread"] / m[error]) ** 2)
    return equal, m["theirs"] * equal / m[seconds]


def report(found: dict[str, dict], args) -> str:
    one = next(iter(found.values()))
    head = (f"explaining {one['crops']} crop(s) of 128 px in 96 parts, {'a toy network' if args.quick else 'the shipped reader'}, "
            f"fp32, one thread, medians of {args.rounds} rounds; errors against {args.long} antithetic permutations")
    names = ("change", "delta", "CPU s", "receipt", "split", "a permutation", "error", "of reference", "plain", "corr. parts",
             "regions", "bands", "equal", "ratio", "two-ended", "ratio")  # fmt: skip
    lines = [head, "", f"{'':16}" + "".join(f"{name:>14}" for name in names)]
    for name, m in found.items():
        equal, ratio = ratios(m)
        numbers = (m["delta"], m["gap"], m["ours"], m["checked"], m["split"], m["theirs"], m["error"], m["reference"],
                   m["spread"] / args.long**0.5,
                   m["of parts"], m["of regions"], m["of bands"], equal,
                   ratio, m["two_error"], ratios(m, seconds="two", error="two_error")[1])  # fmt: skip
        lines.append(f"{name:16}" + "".join(f"{number:14.3f}" for number in numbers) + f"  {m['verdict']}")
    mean = float(np.exp(np.mean([np.log(ratios(m)[1]) for m in found.values()])))
    at = float(np.exp(np.mean([np.log(m["theirs"] * SAMPLES / m["ours"]) for m in found.values()])))
    checked = float(np.exp(np.mean([np.log(m["checked"] / m["ours"]) for m in found.values()])))
    return "\n".join([
        *lines, "",
        f"Captum ShapleyValueSampling over integrated gradients with the exact split, CPU time, {len(found)} pictures: "
        f"{mean:.1f} times at equal error, {at:.0f} times at {SAMPLES} samples; with its receipt {checked:.1f} times without"])


def path(args) -> str:
    "How far few steps of the path are from 64, and how much they leave unassigned, on pictures of `dev`"
    from deepnb.corpus import load_corpus

    reader, corpus = find_reader(args.quick), load_corpus(args.corpus)
    items = corpus.select(split="dev", min_side=128)
    drawn = [items[k] for k in seeded(0, "path").permutation(len(items))[: args.path]]
    gaps, errors = ({n: [] for n in (*NODES, 64)} for _ in "ab")
    for item in drawn:
        ask = {"reader": reader, "score": "generated", "parts": PLAN, "most": 1, "receipt": False}
        whys = {n: explain(corpus.pixels(item), n_steps=n, **ask) for n in gaps}
        right = whys[64].values
        for n, why in whys.items():
            gaps[n].append(unassigned(why))
            errors[n].append(np.linalg.norm(why.values - right) / np.linalg.norm(right))
    rows = [f"{n:6} {median(errors[n]):14.3f} {median(gaps[n]):14.3f} {np.mean(np.array(gaps[n]) > 0.1):18.2f}" for n in NODES]
    return "\n".join([f"{len(drawn)} pictures of dev, one crop each, medians; errors against 64 steps",
                      f"{'steps':>6} {'error':>14} {'unassigned':>14} {'over a tenth':>18}", *rows])


def framed(args) -> str:
    """Wall seconds of pictures of `--frame` width and height, with their receipts, and the peak of memory

    The pictures are the bundled ones, cut to the frame, or mirrored side by side until they fill it: no large one is
    bundled. Each is asked `--rounds` times, and the median taken.
    """
    reader = find_reader(args.quick)
    width, height = args.frame
    plan = joint(regions=tuple(args.grid), bands=6)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    walls, said = [], []
    for tile in (load(path).pixels[:height, :width] for path in bundled_paths(args.pictures)):
        pixels = np.pad(tile, ((0, height - tile.shape[0]), (0, width - tile.shape[1]), (0, 0)), mode="symmetric")
        rounds = []
        for _ in range(args.rounds):
            started = time.perf_counter()
            why = explain(pixels, reader=reader, parts=plan, most=args.most, receipt=not args.bare)
            rounds.append(time.perf_counter() - started)
        walls.append(median(rounds))
        said.append("" if args.bare else why.receipt.verdict)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = sum((b[2] - b[0]) * (b[3] - b[1]) for b in why.read_boxes.tolist()) / (width * height)
    return (f"{width} x {height} px, {len(why.read_boxes)} crops of {reader.crop} px ({share:.1%} of the picture) in "
            f"{len(plan)} parts{'' if args.bare else ' with receipt'}, {args.threads} thread(s), {len(walls)} pictures: "
            f"{median(walls):.1f} s wall in the median, {min(walls):.1f} to {max(walls):.1f}, peak {peak:.0f} MB "
            f"({before:.0f} MB before), verdicts {', '.join(f'{said.count(v)} {v}' for v in dict.fromkeys(said))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small network instead")
    parser.add_argument("--pictures", type=int, default=6, help="how many bundled pictures")
    parser.add_argument("--path", type=int, metavar="N", help="steps of the path on N pictures of dev instead")
    parser.add_argument("--corpus")
    parser.add_argument("--side", type=int, default=128, choices=(128, 256), help="side of the picture, px")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=40, help="permutations of the reference")
    parser.add_argument("--frame", type=int, nargs=2, metavar=("W", "H"), help="wall time of a picture of this size instead")
    parser.add_argument("--most", type=int, default=8, help="crops of it, with --frame")
    parser.add_argument("--threads", type=int, default=1, help="with --frame")
    parser.add_argument("--grid", type=int, nargs=2, default=(4, 4), help="regions of it: rows, columns")
    parser.add_argument("--bare", action="store_true", help="no receipt, with --frame")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads if arguments.frame else 1)
    if arguments.frame or arguments.path:
        print(framed(arguments) if arguments.frame else path(arguments))
    else:
        asked = find_reader(arguments.quick)
        print(report({name: compare(pixels, asked, arguments) for name, pixels in bundled(arguments).items()}, arguments))
