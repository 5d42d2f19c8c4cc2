#!/usr/bin/env python3
"""Proves the contracts of the shipped C with Frama-C/WP, and shows that the proof can fail.

A prover's exit status proves nothing: what counts is its own count of goals proved, that every
function had goals, and that a mutant of the same file is not proved.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# File, and the least number of goals that a run must have had to be believed.
FILES = [("consensus/acceptor.c", 350), ("consensus/quorum.c", 380)]

# Name, file, function to look at, text that is changed, what it becomes, and the goal of that
# function that must then fail: a busy machine, on which others time out, kills no mutant.
MUTANTS = [
    ("a promise that is not kept", "consensus/acceptor.c", "acceptor_on_prepare",
     "\ta->promised = ballot;\n", "",
     "ensures_promised"),
    ("a stale ballot promised", "consensus/acceptor.c", "acceptor_on_prepare",
     "\tif (ballot < a->promised)\n\t\treturn ACCEPTOR_REFUSED;\n", "",
     "ensures_A1"),
    ("a delivered index that goes down", "consensus/acceptor.c", "acceptor_trim",
     "\tif (delivered <= a->delivered)\n\t\treturn;\n", "",
     "ensures_A5"),
    ("a vote that does not raise the promise", "consensus/acceptor.c", "acceptor_on_accept",
     "\ta->promised = run->ballot;\n", "",
     "call_cast_votes_requires_2"),
    ("a vote in the slot beside its own", "consensus/acceptor.c", "set_vote",
     "&a->votes[(run->first + index) % VOTES_MAX]",
     "&a->votes[(run->first + index + 1) % VOTES_MAX]",
     "ensures_others"),
    ("a pair of sets not looked at", "consensus/quorum.c", "quorum_intersects",
     "for (uint32_t b = 0;", "for (uint32_t b = 1;",
     "loop_invariant_4_established"),
    ("a threshold missed by one", "consensus/quorum.c", "quorum_init_threshold",
     "size >= q1", "size > q1",
     "loop_invariant_2_preserved"),
    ("explicit sets not checked", "consensus/quorum.c", "quorum_init_explicit",
     "holds_one(subset, sets2, count2);\n\t}\n\treturn checked(q);",
     "holds_one(subset, sets2, count2);\n\t}\n\treturn QUORUM_OK;",
     "ensures_Q1"),
]

WP = ["frama-c", "-wp", "-wp-rte", "-c11", "-wp-model", "Typed+ref", "-wp-prover", "z3,cvc4",
      "-wp-par", "2"]

# Which provers there are, found anew: nobody's own ~/.why3.conf is read or written.
WHY3_CONFIG = os.path.join(tempfile.mkdtemp(prefix="paxwire-why3-"), "why3.conf")


def run_wp(folder, path, timeout, function=None):
    """Goals proved and in all, and the names of those that failed."""
    command = WP + ["-wp-timeout", str(timeout), "-cpp-extra-args=-I. -D__GNUC__=12"]
    if function:
        command += ["-wp-fct", function]
    # Frama-C finds its files by PWD, not by the directory it runs in.
    ended = subprocess.run(command + [path], cwd=folder, capture_output=True, text=True,
                           env=dict(os.environ, PWD=folder, WHY3CONFIG=WHY3_CONFIG), check=False)
    output = ended.stdout
    counted = re.search(r"Proved goals:\s*(\d+)\s*/\s*(\d+)", output)
    failed = re.findall(r"\[(?:Failed|Timeout|Unknown)\] Goal (\S+)", output)
    warned = re.findall(r"Missing RTE guards|No code nor implicit assigns clause", output)
    if ended.returncode != 0:
        return 0, 0, [f"frama-c ended with status {ended.returncode}"]
    if not counted or warned:
        return 0, 0, warned or output.splitlines()[-5:]
    return int(counted.group(1)), int(counted.group(2)), failed


def functions_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        return re.findall(r"^(?:static )?[a-z][\w \*]*?\b(\w+)\([^;]*?\)\n\{", source.read(),
                          flags=re.M)


def prove(path, floor):
    proved, goals, failed = run_wp(ROOT, path, 40)
    good = goals >= floor and proved == goals and not failed
    print(f"{path}: proved {proved} / {goals} goals, {len(functions_of(path))} functions",
          flush=True)
    for name in failed:
        print(f"  not proved: {name}")
    if goals < floor:
        print(f"  fewer than {floor} goals: the file was not read as it should be")
    return good


def kill(name, path, function, old, new, goal):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(os.path.join(ROOT, "consensus"), os.path.join(folder, "consensus"))
        target = os.path.join(folder, path)
        with open(target, encoding="utf-8") as source:
            text = source.read()
        if old not in text:
            print(f"mutant: {name}: its text is no longer in {path}")
            return False
        with open(target, "w", encoding="utf-8") as source:
            source.write(text.replace(old, new, 1))
        proved, goals, failed = run_wp(folder, path, 10, function)
    killed = 0 < goals and any(one.endswith(f"{function}_{goal}") for one in failed)
    print(f"mutant: {name}: {'killed' if killed else 'NOT KILLED'} ({proved} / {goals} goals)",
          flush=True)
    return killed


def find_provers():
    found = subprocess.run(["why3", "config", "detect", "-C", WHY3_CONFIG], capture_output=True,
                           text=True, check=False)
    said = found.stdout + found.stderr
    for prover in ("Z3", "CVC4"):
        if f"Found prover {prover}" not in said:
            sys.exit(f"prove: why3 finds no {prover}: run tools/run setup. It said: {said}")


def main():
    if not shutil.which("frama-c"):
        sys.exit("prove: frama-c is not installed: run tools/run setup.")
    try:
        find_provers()
        results = [prove(*entry) for entry in FILES] + [kill(*mutant) for mutant in MUTANTS]
    finally:
        shutil.rmtree(os.path.dirname(WHY3_CONFIG))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


main()
