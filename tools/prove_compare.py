#!/usr/bin/env python3
"""Holds the C's handlers against those extracted from consensus/proof: on every state and input of
a small domain (tests/compare/README.md).

That nothing differs proves little by itself: what counts is how much was compared, and that the
same comparison finds a difference once a rule is broken in the C.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

import mutants
import prove_coq

ROOT = prove_coq.ROOT
COMPARE = os.path.join(ROOT, "tests", "compare")
BUILD = os.path.join(ROOT, "build", "proof", "compare")
EXTRACTED = ("protocol", "session", "quorum")
CFLAGS = ["-std=c17", "-D_GNU_SOURCE", "-O1", "-msse4.2", "-Wall", "-Wextra", "-Wconversion",
          "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes"]
SECONDS = 300

# limits.h with these instead: blocks of two instances, and as few of them as reach every case.
BLOCKS = {"BLOCK": 2, "WINDOW_INSTANCES": 2, "LOG_INSTANCES": 4, "BALLOT_NODES": "1u",
          "BALLOT_ROUND_JUMP": "1ull"}
# An index of four slots: later instances overwrite earlier ones.
WRAPS = {**BLOCKS, "WINDOW_INSTANCES": 1, "LOG_INSTANCES": 2}
FOUR = {**BLOCKS, "BLOCK": 4}
FLIGHTS = {**BLOCKS, "WINDOW_INSTANCES": 4}

# The C beside the program's own file and explore.c, and what it is linked with.
SOURCES = {
    "acceptor": (["acceptor.c"], []),
    "recovery": (["recovery.c", "message.c"], ["-lisal"]),
    "window": (["window.c", "quorum.c"], []),
    "learner": (["learner.c", "acceptor.c"], []),
    "session": (["session.c", "snapshot.c", "message.c"], ["-lisal"]),
    "quorum": (["quorum.c"], []),
}

# Name, program, limits, arguments (each program's head names them), and the least of each count. Of a
# program the longest comes last: most mutants need not wait for it.
RUNS = [
    ("one block", "acceptor", BLOCKS, [2, 4, 2, 2],
     {"states": 8000, "on_prepare": 32000, "on_accept": 350000, "on_chosen": 90000,
      "trim": 24000, "install": 24000, "drop": 24000, "reports": 16000}),
    ("two blocks", "acceptor", BLOCKS, [4, 3, 0, 3],
     {"states": 27000, "on_prepare": 80000, "on_accept": 450000, "on_chosen": 150000,
      "trim": 130000, "install": 130000, "drop": 130000, "reports": 100000}),
    ("three of a block of four", "acceptor", FOUR, [3, 2, 1, 3],
     {"states": 19000, "on_accept": 650000, "on_chosen": 300000, "reports": 55000}),
    ("the index wraps", "acceptor", WRAPS, [6, 2, 0, 2],
     {"states": 30000, "on_accept": 500000, "on_chosen": 250000, "trim": 200000,
      "overwritten": 60000}),
    ("a block of four", "acceptor", FOUR, [4, 1, 1, 4],
     {"states": 120000, "on_accept": 2500000, "on_chosen": 2500000, "reports": 500000}),
    ("three members", "recovery", BLOCKS, [], {"sequences": 700000, "selections": 900000}),
    ("both members", "window", FLIGHTS, [3, 2, 2],
     {"states": 130000, "tallies": 180000, "advances": 75000}),
    ("two of three", "window", FLIGHTS, [2, 3, 2],
     {"states": 6000, "tallies": 5000, "advances": 3000}),
    ("flights wrap", "window", BLOCKS, [4, 1, 1],
     {"states": 14000, "tallies": 12000, "advances": 8000}),
    ("two blocks", "learner", BLOCKS, [4, 2],
     {"states": 250000, "chosen": 110000, "by watermark": 20000}),
    ("one session", "session", {}, [7, 1, 1, 9, 1],
     {"opens": 170000, "runs": 330000, "cached": 240000, "stale": 400000, "expired": 500000}),
    ("two, whose places collide", "session", {}, [7, 2, 4, 2, 15],
     {"opens": 110000, "runs": 160000, "cached": 100000, "expired": 600000}),
    ("three, whose places collide", "session", {}, [6, 3, 5, 2, 15],
     {"opens": 22000, "runs": 45000, "cached": 14000, "expired": 160000}),
    ("two, of which some collide", "session", {}, [7, 2, 5, 1, 5],
     {"opens": 19000, "runs": 14000, "cached": 12000, "expired": 70000}),
    ("all kinds", "quorum", {}, [3], {"systems": 1600, "sets": 800000, "refused": 9000}),
]

def run(command, folder=None):
    return prove_coq.run(command, folder)


def limits(changed, folder):
    """limits.h as it is, with some of its numbers small."""
    with open(os.path.join(ROOT, "consensus", "limits.h"), encoding="utf-8") as f:
        text = f.read()
    for name, value in changed.items():
        text, places = re.subn(rf"(\t{name} = |#define {name} )\w+", rf"\g<1>{value}", text)
        if places != 1:
            sys.exit(f"prove: consensus/limits.h has {name} {places} times.")
    os.makedirs(os.path.join(folder, "consensus"), exist_ok=True)
    with open(os.path.join(folder, "consensus", "limits.h"), "w", encoding="utf-8") as f:
        f.write(text)


def build_reader():
    files = prove_coq.sources()
    prove_coq.copy_changed(files, prove_coq.COQ)
    prove_coq.make(files, prove_coq.COQ, ["Extract.vo"])
    os.makedirs(BUILD, exist_ok=True)
    for name in EXTRACTED:
        for suffix in (".ml", ".mli"):
            shutil.copy(os.path.join(prove_coq.COQ, name + suffix), BUILD)
    shutil.copy(os.path.join(COMPARE, "compare.ml"), BUILD)
    made = [name + suffix for name in EXTRACTED for suffix in (".mli", ".ml")]
    run(["ocamlfind", "ocamlopt", "-inline", "100", "-w", "-a", "-c", *made], BUILD)
    run(["ocamlfind", "ocamlopt", "-inline", "100", "-w", "+a-4-9-40-41-42-44-45-70",
         "-warn-error", "+a", *(name + ".cmx" for name in EXTRACTED), "compare.ml",
         "-o", "compare"], BUILD)


def build_teller(program, changed, folder, mutant=None):
    """The program that tells what the C does, with a rule taken away or not."""
    files, libraries = SOURCES[program]
    limits(changed, folder)
    if mutant:
        mutant.write(folder)
    units = [os.path.join(folder if mutant and mutant.file == name else ROOT, "consensus", name)
             for name in [*files, "check.c"]]
    out = os.path.join(folder, program)
    run(["gcc", *CFLAGS, *([] if mutant else ["-Werror"]), "-I", folder, "-I", ROOT,
         os.path.join(COMPARE, program + ".c"), os.path.join(COMPARE, "explore.c"), *units,
         "-o", out, *libraries])
    return out


def compare(teller, program, arguments):
    """Exit status and last words of both."""
    with subprocess.Popen([teller, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as told:
        try:
            done = subprocess.run([os.path.join(BUILD, "compare"), program], stdin=told.stdout,
                                  capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            told.kill()
            return 2, f"not done within {SECONDS} seconds"
        told.stdout.close()
        words = told.stderr.read().decode()
        status = told.wait()
    if done.returncode == 0 and status != 0:
        return 2, f"the C ended with {status}: {words}"
    return done.returncode, (done.stdout + done.stderr + words).strip()


def same(entry):
    name, program, changed, arguments, least = entry
    with tempfile.TemporaryDirectory() as folder:
        status, said = compare(build_teller(program, changed, folder), program, arguments)
    title = f"{program}, {name}"
    if status != 0:
        return title, f"FAILED: {said}", 0
    counts = {k: int(n) for k, n in (line.rsplit(" ", 1) for line in said.splitlines())}
    short = [f"{k} {counts.get(k, 0)} < {n}" for k, n in least.items() if counts.get(k, 0) < n]
    if short:
        return title, f"FAILED: too little was compared: {', '.join(short)}", 0
    return title, ", ".join(f"{k} {n:,}" for k, n in counts.items()) + "; differences 0", \
        sum(n for k, n in counts.items() if k != "states")


def killed(mutant):
    """Where it differs, or why the mutant lives."""
    said = "no difference"
    for title, program, changed, arguments, _ in RUNS:
        if program != mutant.compare:
            continue
        with tempfile.TemporaryDirectory() as folder:
            status, said = compare(build_teller(program, changed, folder, mutant), program, arguments)
        if status == 1 and said.startswith("different: "):
            return f"{program}, {title}: {said.splitlines()[0][11:]}", None
        if status != 0:
            return None, said
    return None, said


def main():
    for tool in ("gcc", "coqc", "coq_makefile", "ocamlfind"):
        if not shutil.which(tool):
            sys.exit(f"prove: {tool} is not installed: run tools/run setup.")
    build_reader()
    passed = failed = compared = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for title, said, count in pool.map(same, RUNS):
            print(f"compare: {title}: {said}", flush=True)
            compared += count
            passed += count > 0
            failed += count == 0
        print(f"compare: {compared:,} answers and new states compared", flush=True)
        broken = mutants.load("compare")
        for mutant, (where, why) in zip(broken, pool.map(killed, broken)):
            said = f"differs: {where}" if where else f"LIVES: {why}"
            print(f"mutant: {mutant.name}: {said}", flush=True)
            passed += where is not None
            failed += where is None
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
