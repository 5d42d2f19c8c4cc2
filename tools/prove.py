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
FILES = [("consensus/acceptor.c", 300)]

# Name, file, function to look at, text that is changed, what it becomes.
MUTANTS = [
    ("a promise that is not kept", "consensus/acceptor.c", "acceptor_on_prepare",
     "\ta->promised = ballot;\n", ""),
    ("a stale ballot promised", "consensus/acceptor.c", "acceptor_on_prepare",
     "\tif (ballot < a->promised)\n\t\treturn ACCEPTOR_REFUSED;\n", ""),
    ("a delivered index that goes down", "consensus/acceptor.c", "acceptor_trim",
     "\tif (delivered <= a->delivered)\n\t\treturn;\n", ""),
    ("a vote that does not raise the promise", "consensus/acceptor.c", "acceptor_on_accept",
     "\ta->promised = run->ballot;\n", ""),
]

WP = ["frama-c", "-wp", "-wp-rte", "-c11", "-wp-model", "Typed+ref", "-wp-prover", "z3,cvc4",
      "-wp-par", "2"]


def run_wp(folder, path, timeout, function=None):
    """Goals proved and in all, and the names of those that failed."""
    command = WP + ["-wp-timeout", str(timeout), "-cpp-extra-args=-I. -D__GNUC__=12"]
    if function:
        command += ["-wp-fct", function]
    # Frama-C finds its files by PWD, not by the directory it runs in.
    output = subprocess.run(command + [path], cwd=folder, capture_output=True, text=True,
                            env=dict(os.environ, PWD=folder), check=False).stdout
    counted = re.search(r"Proved goals:\s*(\d+)\s*/\s*(\d+)", output)
    failed = re.findall(r"\[(?:Failed|Timeout|Unknown)\] Goal (\S+)", output)
    warned = re.findall(r"Missing RTE guards|No code nor implicit assigns clause", output)
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


def kill(name, path, function, old, new):
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
        proved, goals, _ = run_wp(folder, path, 20, function)
    killed = 0 < goals and proved < goals
    print(f"mutant: {name}: {'killed' if killed else 'NOT KILLED'} ({proved} / {goals} goals)",
          flush=True)
    return killed


def main():
    if not shutil.which("frama-c"):
        sys.exit("prove: frama-c is not installed: run tools/run setup.")
    results = [prove(*entry) for entry in FILES] + [kill(*mutant) for mutant in MUTANTS]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


main()
