"""How many pictures of each kind are held back because four colors fill them: the scope note `drawn`

    python benchmarks/scope.py [CORPUS]

The share at which it is given (0.45) was chosen on both splits: that is where the camera originals end.
"""

import sys

import numpy as np

from deepnb.corpus import load_corpus
from deepnb.provenance import condition

if __name__ == "__main__":
    corpus = load_corpus(sys.argv[1] if len(sys.argv) > 1 else None)
    print(f"{'split':6} {'kind':13} pictures  over " + "  ".join(f"{level:>5}" for level in (0.3, 0.45, 0.6)))
    for split in ("train", "dev"):
        for kind in ("other", "camera", "dataset_real", "generated"):
            items = corpus.select(split=split, kind=(kind,), min_side=128)
            shares = np.array([condition(corpus.pixels(item)).common_share.value for item in items])
            counts = "  ".join(f"{int((shares > level).sum()):>5}" for level in (0.3, 0.45, 0.6))
            print(f"{split:6} {kind:13} {len(items):8}       {counts}")
