#!/usr/bin/env python3
"""Writes consensus/proof/mutants.md: which layer rejected which broken rule, and by what, from the logs of a run.

prove_table.py [FOLDER]    where the logs of `tools/run test` are; build/log if not given
"""

import collections
import os
import re
import sys

import mutants

TABLE = os.path.join(mutants.ROOT, "consensus", "proof", "mutants.md")

# Of a mutant: its layer, the log, and how its line there says that it was rejected, and by what.
LAYERS = {
    "wp": ("WP", "contracts", re.compile(r"^mutant: (.+): killed \(()", re.M)),
    "spin": ("SPIN", "models", re.compile(r"^mutant: (.+): found \((.+)\)$", re.M)),
    "compare": ("comparison", "compare", re.compile(r"^mutant: (.+): differs: ([^:]+):", re.M)),
    "checker": ("checker", "checker", re.compile(r"^mutant: (.+): refused \((seed \d+): ", re.M)),
    "coq": ("Coq", "coq", re.compile(r"^mutant: (.+): (refused)$", re.M)),
}
REPLICAS = ("traces", re.compile(r"^ok +mutant (.+) is refused: (.+)$", re.M))
LIVED = re.compile(r"^mutant: .+: (?:NOT|LIVES)\b|^FAILED +mutant ", re.M)

HEAD = """# Broken rules, and what rejects them

Each line is a change of one place of the shipped C that takes a rule away ([mutants.toml](mutants.toml) has the
texts). Written by `tools/prove_table.py` from the logs of `tools/run test`: every cell names what rejected it.
An empty cell: this layer does not claim it. [../../tests/mutants](../../tests/mutants) has the rules that unit
tests and the simulator must miss.

| Broken | In | WP: the goal that fails | SPIN: what is violated, in which model | Comparison: where it differs | Checker: the first run refused | The same in Coq |
| --- | --- | --- | --- | --- | --- | --- |
"""

THESIS = """
## The thesis's mistakes, in the shipped C

What each does to the thesis's own protocol is in [README.md](README.md) and ThesisMistakes.v.

| Mistake | In the C | Rejected by | |
| --- | --- | --- | --- |
"""

OTHERS = """
## Other broken rules

Of the protocol in Coq, whose proofs fail: {coq}.

Of whole replicas in the simulator, whose records the checker refuses ([../../tests/traces](../../tests/traces)):
{replicas}.
"""


def read(folder, log):
    with open(os.path.join(folder, log + ".log"), encoding="utf-8") as f:
        text = f.read()
    if LIVED.search(text):
        sys.exit(f"prove_table: a mutant lived: {LIVED.search(text)[0]} in {log}.log")
    return text


def rejections(folder, listed):
    """Of each layer: name of the mutant, and what rejected it."""
    found = {}
    for layer, (_, log, line) in LAYERS.items():
        found[layer] = dict(line.findall(read(folder, log)))
        for mutant in listed:
            claim = getattr(mutant, layer)
            if claim and (claim if layer == "coq" else mutant.name) not in found[layer]:
                sys.exit(f"prove_table: {log}.log does not tell of: {mutant.name}")
    return found


def cell(mutant, layer, found):
    if not getattr(mutant, layer):
        return ""
    if layer == "wp":
        return f"`{mutant.wp[0]}`: {mutant.wp[1]}"
    if layer == "coq":
        return mutant.coq
    return found[layer][mutant.name]


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(mutants.ROOT, "build", "log")
    listed = mutants.load()
    found = rejections(folder, listed)
    counts = collections.Counter()
    thesis = []
    text = HEAD
    for mutant in listed:
        cells = [cell(mutant, layer, found) for layer in LAYERS]
        text += f"| {mutant.name} | {mutant.file} | {' | '.join(cells)} |\n"
        claims = [name for (name, _, _), one in zip(LAYERS.values(), cells) if one]
        counts.update(claims)
        counts[len(claims) - bool(mutant.coq)] += 1
        if mutant.thesis:
            thesis.append(f"| {mutant.thesis} | {mutant.name} | {', '.join(claims)} | {mutant.note} |\n")
    told = ", ".join(f"{name} {counts[name]}" for name, _, _ in LAYERS.values())
    text += (f"\n{len(listed)} in all: {told}. Of WP, SPIN, comparison and checker all four reject "
             f"{counts[4]}, three {counts[3]}, two {counts[2]}, one {counts[1]}.\n")
    text += THESIS + "".join(sorted(thesis))
    replicas = dict(REPLICAS[1].findall(read(folder, REPLICAS[0])))
    text += OTHERS.format(coq="; ".join(found["coq"]), replicas=", ".join(replicas))
    with open(TABLE, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{os.path.relpath(TABLE, mutants.ROOT)}: {len(listed)} broken rules: {told}")


main()
