#!/usr/bin/env python3
"""Runs the SPIN models of consensus/model on the shipped C, and shows that they can fail.

SPIN's exit status proves nothing: what counts is that the search was complete, that it had as many
states as such a model has, that the states that must be reached are, and that each mutant of the
shipped C is found.

prove_spin.py                  all
prove_spin.py sizes|mutants    one half
prove_spin.py --trail NAME     a mutant's counterexample, or the way to a witness, step by step
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import mutants

ROOT = mutants.ROOT
MODEL = "consensus/model"

# Per model: its own C, the shipped C that it runs, and libraries.
MODELS = {
    "agreement": (["agreement", "agreement_node", "agreement_names"],
                  ["acceptor", "gate", "learner", "log", "message", "proposer", "quorum",
                   "recovery", "replica_acceptor", "replica_answers", "replica_records",
                   "replica_reports", "watch", "window"], ["-lisal"]),
    "election": (["election"], ["check", "election", "quorum"], []),
    "session": (["session"], ["session"], []),
}

CORE = ["LEARNERS=0"]
THREE_TWO = ["NODES=3", "PROPOSERS=2", "BALLOTS=2"]
THREE_THREE = ["NODES=3", "PROPOSERS=2", "BALLOTS=3"] + CORE
FIVE = ["NODES=5", "PROPOSERS=2", "BALLOTS=2"] + CORE

# Name: model, what it is built with, and the least number of states of a search to be believed.
SIZES = {
    "agreement 3x2x3x1": ("agreement", THREE_THREE, 150_000),
    "agreement 5x2x2x1": ("agreement", FIVE, 700_000),
    "agreement 3x2x2x1, all answers late": ("agreement", THREE_TWO + CORE + ["AT_ONCE=0"], 250_000),
    "agreement 3x2x2x1, trimming": ("agreement", THREE_TWO, 250_000),
    "agreement 3x2x2x1, delivering": ("agreement", THREE_TWO + ["MODEL_BLOCK=2"], 250_000),
    "election 3, one fault": ("election", ["NODES=3", "FAULTS=1"], 500_000),
    "election 3, one fault, progress": ("election", ["NODES=3", "FAULTS=1", "PROGRESS"], 500_000),
    "sessions 2 of 4": ("session", [], 100_000),
}

# What only a mutant is looked for in: the first error ends a search that is long as a whole.
DEEPER = {
    "agreement 3x2x4x1": ("agreement", ["NODES=3", "PROPOSERS=2", "BALLOTS=4"] + CORE),
}

# Size, which witness, and what it is.
WITNESSES = [
    ("agreement 3x2x3x1", 1, "the last ballot chooses"),
    ("agreement 3x2x3x1", 2, "a ballot begun after a crash chooses"),
    ("agreement 3x2x3x1", 3, "a reported value is adopted"),
    ("agreement 5x2x2x1", 1, "the last ballot chooses"),
    ("agreement 5x2x2x1", 2, "a ballot begun after a crash chooses"),
    ("agreement 5x2x2x1", 3, "a reported value is adopted"),
    ("agreement 3x2x2x1, all answers late", 2, "a ballot begun after a crash chooses"),
    ("agreement 3x2x2x1, trimming", 4, "a candidate catches up, and goes on"),
    ("agreement 3x2x2x1, trimming", 5, "all deliver"),
    ("agreement 3x2x2x1, delivering", 5, "all deliver"),
    ("election 3, one fault", 1, "the lead passes on"),
    ("sessions 2 of 4", 1, "a repeated command is answered after two evictions"),
]

# As the models name them. (A mutant that only fills the model's own log is not found.)
INVARIANTS = {"agreement", "A1", "A2", "A3", "A4", "A5", "A6", "P1", "P2", "P4", "P5", "R1", "D1",
              "D2", "E: one leader a ballot", "E: a ballot is taken once", "E1", "E2", "E3", "E4",
              "progress", "S1", "S2", "S3", "reply", "CHECK"}

FLAGS = ["-O2", "-march=native", "-DNOREDUCE", "-DMEMLIM=6000", "-DVECTORSZ=1024"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]  # Of the models' own C.
LIMIT_S = 900


def run(command, folder):
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S,
                           check=False)
    return ended.returncode, ended.stdout + ended.stderr


class Builder:
    """Compiles each file once for all that need it built alike; several may ask at once."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.locks = {}
        self.lock = threading.Lock()

    def once(self, key, make):
        with self.lock:
            own = self.locks.setdefault(key, threading.Lock())
        with own:
            if key not in self.made:
                self.made[key] = make()
            return self.made[key]

    def compile(self, source, root, defines, warnings=("-w",)):
        def make():
            place = tempfile.mkdtemp(dir=self.folder)
            target = os.path.join(place, "one.o")
            status, said = run(["gcc", "-c", *FLAGS, *warnings, *(f"-D{d}" for d in defines),
                                "-include", os.path.join(ROOT, MODEL, "limits.h"),
                                f"-I{root}", f"-I{ROOT}", "-o", target, source], place)
            if status != 0:
                raise RuntimeError(f"{os.path.basename(source)} does not build:\n{said}")
            return target
        return self.once((source, root, tuple(defines)), make)

    def generate(self, model, progress):
        def make():
            place = tempfile.mkdtemp(dir=self.folder)
            shutil.copy(os.path.join(ROOT, MODEL, f"{model}.pml"), place)
            status, said = run(["spin", "-a", *(["-DPROGRESS"] if progress else []),
                                f"{model}.pml"], place)
            if status != 0:
                raise RuntimeError(f"spin: {said}")
            return os.path.join(place, "pan.c")
        return self.once((model, progress), make)

    def build(self, size, extra=(), root=ROOT):
        """Returns the folder with `pan` in it. Of another root only what it has is taken."""
        model, defines = {**SIZES, **DEEPER}[size][:2]
        own, shipped, libraries = MODELS[model]
        defines = [*defines, *extra]
        progress = "PROGRESS" in defines
        place = tempfile.mkdtemp(dir=self.folder)
        mutant = {name for name in os.listdir(os.path.join(root, "consensus"))
                  if name.endswith((".c", ".h"))} if root != ROOT else set()
        every = any(name.endswith(".h") for name in mutant)
        block = [d for d in defines if d.startswith("MODEL_BLOCK")]
        objects = [self.compile(self.generate(model, progress), ROOT,
                                [*defines, *([] if progress else ["SAFETY", "NOFAIR"])])]
        for name in own:
            objects.append(self.compile(os.path.join(ROOT, MODEL, f"{name}.c"),
                                        root if every else ROOT, defines,
                                        ["-w"] if every else WARNINGS))
        for name in shipped:
            changed = f"{name}.c" in mutant
            source = os.path.join(root if changed else ROOT, "consensus", f"{name}.c")
            objects.append(self.compile(source, root if changed or every else ROOT, block))
        status, said = run(["gcc", "-o", "pan", *objects, *libraries], place)
        if status != 0:
            raise RuntimeError(f"the model does not link:\n{said}")
        return place


def search(place, progress):
    """What a search tells of itself."""
    begun = time.monotonic()
    _, said = run(["./pan", "-m100000", "-w24", *(["-a"] if progress else [])], place)
    counted = re.search(r"^\s*([\d.e+]+) states, stored", said, flags=re.M)
    memory = re.search(r"^\s*([\d.]+)\s+total actual memory usage", said, flags=re.M)
    errors = re.search(r"errors: (\d+)", said)
    violated = re.search(r"model: violated: (.*)", said)
    depth = re.search(r"depth reached (\d+)", said)
    trouble = re.findall(r"max search depth too small|Search not completed|out of memory|"
                         r"VECTORSZ|model: more.*|model: a place's key.*", said)
    return {
        "said": said,
        "errors": int(errors.group(1)) if errors else -1,
        "states": int(float(counted.group(1))) if counted else 0,
        "depth": int(depth.group(1)) if depth else 0,
        "memory": float(memory.group(1)) if memory else 0,
        "violated": violated.group(1) if violated else
                    "progress" if "acceptance cycle" in said else None,
        "trouble": trouble,
        "seconds": time.monotonic() - begun,
    }


def is_progress(size):
    return size in SIZES and "PROGRESS" in SIZES[size][1]


def prove(builder, size):
    floor = SIZES[size][2]
    found = search(builder.build(size), is_progress(size))
    complete = not found["trouble"] and found["states"] >= floor
    good = found["errors"] == 0 and complete
    print(f"{size}: errors {found['errors']}, {found['states']} states, depth {found['depth']}, "
          f"{found['memory']:.0f} MB, {found['seconds']:.0f} s"
          f"{'' if good else '  FAILED'}", flush=True)
    if found["violated"]:
        print(f"  violated: {found['violated']}")
    for line in found["trouble"]:
        print(f"  not complete: {line}")
    if found["states"] < floor:
        print(f"  fewer than {floor} states: the model does not do what it should")
    return good


def reach(builder, size, witness, what):
    found = search(builder.build(size, [f"WITNESS={witness}"]), is_progress(size))
    good = found["errors"] == 1 and found["violated"] == "witness"
    print(f"witness: {size}: {what}: {'reached' if good else 'NOT REACHED'}", flush=True)
    return good


def mutate(folder, mutant):
    """A folder in which only the changed file stands."""
    root = tempfile.mkdtemp(dir=folder)
    mutant.write(root)
    return root


def kill(builder, mutant):
    """What to tell of it, and whether it is found."""
    size = mutant.spin
    try:
        found = search(builder.build(size, root=mutate(builder.folder, mutant)), is_progress(size))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return f"mutant: {mutant.name}: NOT FOUND: {error}", False
    found_it = found["errors"] == 1 and found["violated"] in INVARIANTS
    return (f"mutant: {mutant.name}: {'found' if found_it else 'NOT FOUND'} "
            f"({found['violated']}; {size})"), found_it


def kill_all(builder):
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for told, found_it in pool.map(lambda one: kill(builder, one), mutants.load("spin")):
            print(told, flush=True)
            results.append(found_it)
    return results


def trail(builder, name):
    """The events of a counterexample, as the model's C tells them."""
    for mutant in mutants.load("spin"):
        if mutant.name == name:
            size = mutant.spin
            place = builder.build(size, ["TELL=1"], mutate(builder.folder, mutant))
            break
    else:
        for size, witness, what in WITNESSES:
            if name in (what, f"{size}: {what}"):
                place = builder.build(size, ["TELL=1", f"WITNESS={witness}"])
                break
        else:
            if name not in SIZES:
                sys.exit(f"prove_spin: no size, witness or mutant is called '{name}'.")
            size, place = name, builder.build(name, ["TELL=1"])
    run(["./pan", "-m100000", "-w24", *(["-a"] if is_progress(size) else [])], place)
    if not any(one.endswith(".trail") for one in os.listdir(place)):
        print("no counterexample")
        return
    _, said = run(["./pan", "-r", "-n"], place)
    told = [line for line in said.splitlines()
            if re.match(r"heard:|node |round |client |calm|links|restart|stall|transfer|    \w|"
                        r"model:|\s*<<<<<START OF CYCLE", line)]
    print("\n".join(told))


def main():
    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            sys.exit(f"prove_spin: {tool} is not installed: run tools/run setup.")
    results = []
    with tempfile.TemporaryDirectory(prefix="paxwire-spin-") as folder:
        builder = Builder(folder)
        if sys.argv[1:2] == ["--trail"] and len(sys.argv) == 3:
            trail(builder, sys.argv[2])
            return
        if sys.argv[1:] not in ([], ["sizes"], ["mutants"]):
            sys.exit(__doc__)
        if sys.argv[1:] != ["mutants"]:
            results += [prove(builder, size) for size in SIZES]
            results += [reach(builder, *witness) for witness in WITNESSES]
        if sys.argv[1:] != ["sizes"]:
            results += kill_all(builder)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
