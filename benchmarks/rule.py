"""Fit the rule of the receipt on planted truth, and say how often it is right: for page 45_rule

    python benchmarks/rule.py [TABLE.csv] [--write]

TABLE.csv is what benchmarks/planted.py wrote, by default the table that ships. Each case is judged by limits fitted on
the other three; then the rule fitted on all four. `--write` makes it the rule that ships. Some seconds.
"""

import argparse
import json
from dataclasses import asdict

from deepnb.core import data_path
from deepnb.planted import CASES, read_planted
from deepnb.rule import crossfit_rule, fit_rule

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    table = read_planted(given.table)
    print("cross-fitted", *crossfit_rule(table), sep="\n")
    for case in CASES:
        print(f"without {case}: {fit_rule(table, cases=[other for other in CASES if other != case])}")
    rule = fit_rule(table)
    print(f"fitted on all: {rule}")
    if given.write:
        path = data_path("data", "receipt_rule.json")
        path.write_text(json.dumps(asdict(rule), indent=1) + "\n", encoding="utf-8")
        print(f"Written: {path.name}")
