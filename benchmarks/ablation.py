"""What the number of crops is worth: scores of `dev` read with 1, 4 and 16 of them, as a table of scores

    python benchmarks/ablation.py OUT.csv [--reader NAME|FOLDER] [--corpus FOLDER] [--join MODEL=OTHER.csv ...]

`--join` adds the column of another reader's scores (`deepnb train --release` writes them) under a new name, so that
page `36_ablation` sees all variants in one file. It cuts pictures by the treatments `untouched` and `jpeg75` only.
"""

import argparse

import numpy as np
import torch

from deepnb.corpus import load_corpus
from deepnb.damage import TREATMENTS, damaged
from deepnb.reader import Reader
from deepnb.scores import empty_scores, read_scores

CROPS = (1, 4, 16)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--reader", default="default")
    parser.add_argument("--corpus")
    parser.add_argument("--join", nargs="*", default=[], metavar="MODEL=FILE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    reader, corpus = Reader.load(asked.reader), load_corpus(asked.corpus)
    scores = empty_scores(corpus)
    kept = corpus.select(split="dev", min_side=128)
    values = {most: np.full((len(kept), len(TREATMENTS)), np.nan) for most in CROPS}
    for i, item in enumerate(kept):
        pixels = corpus.pixels(item)
        for column, (name, plan) in enumerate(TREATMENTS.items()):
            if name not in ("untouched", "jpeg75"):
                continue
            answers, _ = reader.answers(damaged(pixels, plan), most=max(CROPS))
            logits = answers["generated"]  # crops come in the order of their worth
            for most in CROPS:
                values[most][i, column] = logits[:most].mean()
        if i % 50 == 49:
            print(i + 1, "of", len(kept), flush=True)
    for most in CROPS:
        scores = scores.added(f"crops {most}", values[most])
    for words in asked.join:
        model, path = words.split("=", 1)
        other = read_scores(path)
        name = "default" if "default" in other.values else next(iter(other.values))
        renamed = type(other)(other.pictures, {model: other.of(name)})
        scores = scores.joined(renamed)
    print(scores.write(asked.out))
