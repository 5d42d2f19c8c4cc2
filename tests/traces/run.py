#!/usr/bin/env python3
"""Recorded runs against the proved protocol: paxwire-check must allow each step of what is right, and
refuse what is not.

Right: the simulator's seeds, whole replicas under all its faults; embedded clusters, on one lcore and on
several, whose journals a second life reads back. Wrong: the simulator's mutants that break a rule of
acceptors, leaders or the disk; a file in which one step was changed, or lost.
"""

import concurrent.futures
import os
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = os.path.join(ROOT, "build", "tests", "sim", "paxwire-sim")
BENCH = os.path.join(ROOT, "build", "bench", "paxwire-bench")
CHECKER = os.path.join(ROOT, "build", "proof", "paxwire-check")

STEPS_LEAST = 10_000_000
SEEDS_A_BLOCK = 100
BLOCKS = 14
MUTANT_SEEDS = 150
# From the first one on, but where what the mutant breaks is rare.
MUTANT_FIRST = {"no-second": 301, "sighted": 151}
# Each breaks a rule that the proof is about (tests/sim/meson.build says which).
MUTANTS = ("forgetful", "ungated", "repeated-vote", "early-prepare", "hole", "rewrite", "lo-on-torn",
           "sighted", "no-second")

HEADER_BYTES = 168  # consensus/trace_file.h
STEP = struct.Struct("<QQQQIHBB")
VALUES, VOTED, LOST = 12, 1, 0xffff


def pipe(*arguments):
    """What the checker says of what the simulator records, and whether it allows all."""
    with subprocess.Popen([SIM, "--record", "-", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as sim:
        done = subprocess.run([CHECKER, "-"], stdin=sim.stdout, capture_output=True, text=True,
                              check=False)
        sim.stdout.close()
    return done.returncode == 0, done.stdout.strip()


def steps_in(said):
    found = re.match(r"(\d+) steps", said)
    return int(found[1]) if found else 0


def seeds():
    def block(k):
        return pipe("--seeds", str(SEEDS_A_BLOCK), "--first", str(1 + k * SEEDS_A_BLOCK))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(block, range(BLOCKS)))
    for allowed, said in results:
        if not allowed:
            return False, said
    steps = sum(steps_in(said) for _, said in results)
    return steps >= STEPS_LEAST, f"{steps} steps of {BLOCKS * SEEDS_A_BLOCK} seeds"


def mutant(name):
    allowed, said = pipe("--mutant", name, "--seeds", str(MUTANT_SEEDS),
                         "--first", str(MUTANT_FIRST.get(name, 1)))
    return not allowed and said.startswith("REFUSED"), said.split("\n")[0]


def check(path):
    done = subprocess.run([CHECKER, path], capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def bench(*arguments):
    done = subprocess.run([BENCH, "--seconds", "0.5", "--warmup", "0.1", "--rate", "20000", *arguments],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"paxwire-bench ended with {done.returncode}: {done.stdout}{done.stderr}")


def embedded(*arguments):
    with tempfile.TemporaryDirectory(prefix="paxwire-traces-") as folder:
        steps = os.path.join(folder, "steps")
        bench("--record", steps, *arguments)
        return check(steps)


def two_lives():
    """The second one goes on where the first one's journals end."""
    with tempfile.TemporaryDirectory(prefix="paxwire-traces-") as folder:
        steps = os.path.join(folder, "steps")
        durable = ("--durability", "sync", "--directory", folder, "--segments", "4",
                   "--snapshot-segments", "1", "--record", steps)
        bench("--format", "--lcores", "2", *durable)
        bench(*durable)
        return check(steps)


def changed(event, change):
    """One step of a good run, in its middle, is not as it was: that must be seen."""
    with tempfile.TemporaryDirectory(prefix="paxwire-traces-") as folder:
        path = os.path.join(folder, "run")
        subprocess.run([SIM, "--record", path, "--seeds", "1", "--first", "1"], check=True,
                       stderr=subprocess.DEVNULL)
        if not check(path)[0]:
            return False, "the run is refused as it is"
        with open(path, "r+b") as f:
            trace = f.read()
            offsets = [at for at in range(HEADER_BYTES, len(trace), STEP.size)
                       if STEP.unpack_from(trace, at)[5] == event]
            at = offsets[len(offsets) // 2]
            f.seek(at)
            f.write(STEP.pack(*change(*STEP.unpack_from(trace, at))))
        allowed, said = check(path)
    return not allowed, said.split("\n")[0]


def another_value(at, ballot, first, value, *rest):
    return at, ballot ^ 2, first, value, *rest


def another_instance(at, ballot, first, *rest):
    return at, ballot, first + 1, *rest


def lost(at, ballot, first, value, count, _, *rest):
    return at, ballot, first, value, count, LOST, *rest


CASES = [
    ("the simulator's runs are allowed", seeds),
    ("an embedded cluster's run is allowed", embedded),
    ("a pipeline's run on two lcores is allowed", lambda: embedded("--lcores", "2")),
    ("two lives of durable replicas are allowed", two_lives),
    ("another value is refused", lambda: changed(VALUES, another_value)),
    ("a vote for another instance is refused", lambda: changed(VOTED, another_instance)),
    ("lost steps are told", lambda: changed(VOTED, lost)),
] + [(f"mutant {name} is refused", lambda name=name: mutant(name)) for name in MUTANTS]


def main():
    passed = 0
    for title, case in CASES:
        good, said = case()
        passed += good
        print(f"{'ok     ' if good else 'FAILED '} {title}: {said}", flush=True)
    print(f"{passed} passed, {len(CASES) - passed} failed")
    sys.exit(passed != len(CASES))


main()
