#!/usr/bin/env python3
"""Writes consensus/proof/mutants.md: which layer rejected which broken rule, from the logs of a run.

prove_table.py [FOLDER]    where the logs of `tools/run test` are; build/log if not given
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "consensus", "proof", "mutants.md")

# Log, what breaks the rule there, who rejects it, and how its line says so.
LAYERS = [
    ("contracts", "the C", "WP", re.compile(r"^mutant: (.+): killed \(", re.M)),
    ("models", "the C", "SPIN", re.compile(r"^mutant: (.+): found \(", re.M)),
    ("compare", "the C", "comparison", re.compile(r"^mutant: (.+): differs?\b", re.M)),
    ("traces", "whole replicas in the simulator", "checker",
     re.compile(r"^ok +mutant (.+) is refused:", re.M)),
    ("coq", "the protocol in Coq", "proofs", re.compile(r"^mutant: (.+): refused$", re.M)),
]
LIVED = re.compile(r"^mutant: .+: (?:NOT|LIVES)\b|^FAILED +mutant ", re.M)

HEAD = """# Broken rules, and what rejects them

Each line is a change of one place that takes a rule away. Written by `tools/prove_table.py` from the logs of
`tools/run test`; [../../tests/mutants](../../tests/mutants) has those that tests and the simulator must catch.

| Where | Broken | Rejected by |
| --- | --- | --- |
"""


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "log")
    rows = {}
    counts = []
    for log, where, layer, line in LAYERS:
        with open(os.path.join(folder, log + ".log"), encoding="utf-8") as f:
            text = f.read()
        if LIVED.search(text):
            sys.exit(f"prove_table: a mutant lived: {LIVED.search(text)[0]} in {log}.log")
        names = line.findall(text)
        if not names:
            sys.exit(f"prove_table: {log}.log tells of no mutant.")
        counts.append(f"{layer} {len(names)}")
        for name in names:
            rows.setdefault((where, name), []).append(layer)
    with open(TABLE, "w", encoding="utf-8") as f:
        f.write(HEAD)
        for (where, name), layers in rows.items():
            f.write(f"| {where} | {name} | {', '.join(layers)} |\n")
        f.write(f"\n{len(rows)} in all: {', '.join(counts)}.\n")
    print(f"{os.path.relpath(TABLE, ROOT)}: {len(rows)} broken rules: {', '.join(counts)}")


main()
