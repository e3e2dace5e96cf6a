"""Ask the features of a reader of the pictures by a grown zoo, and write what `deepnb evaluate zoo` prints

    python benchmarks/probe.py OUT.safetensors [--zoo .deepnb-cache/zoo] [--reader default] [--corpus FOLDER]

Grow the zoo first (`deepnb zoo`). Three seconds a member; what was asked is remembered in the cache folder.
"""

import argparse
import sys

import torch

from deepnb.corpus import load_corpus
from deepnb.probe import judge_zoo, probe_photographs, probe_zoo
from deepnb.reader import Reader
from deepnb.scores import cache_file

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--zoo", default=cache_file("zoo"))
    parser.add_argument("--reader", default="default")
    parser.add_argument("--corpus")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    photographs = probe_photographs(load_corpus(asked.corpus))
    probe = probe_zoo(Reader.load(asked.reader), asked.zoo, photographs, progress=sys.stderr.isatty())
    print(f"Written: {probe.write(asked.out)}")
    print(judge_zoo(probe))
