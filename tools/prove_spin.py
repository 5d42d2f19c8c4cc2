#!/usr/bin/env python3
"""Runs the SPIN models of consensus/model on the shipped C, and shows that they can fail.

SPIN's exit status proves nothing: what counts is that the search was complete, that it had as many
states as such a model has, that the states that must be reached are, and that each mutant of the
shipped C is found.

prove_spin.py                  all
prove_spin.py sizes|mutants    one half
prove_spin.py --trail NAME     a mutant's counterexample, or the way to a witness, step by step
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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

# Name, file, text that is changed, what it becomes, and the size that must find it.
MUTANTS = [
    ("a promise that is not kept", "acceptor.c",
     "\ta->promised = ballot;\n", "",
     "agreement 3x2x3x1"),
    ("a stale ballot promised", "acceptor.c",
     "\tif (ballot < a->promised)\n\t\treturn ACCEPTOR_REFUSED;\n", "",
     "agreement 3x2x3x1"),
    ("a vote below the promise", "acceptor.c",
     "\tif (run->ballot < a->promised)\n\t\treturn ACCEPTOR_REFUSED;\n", "",
     "agreement 3x2x3x1"),
    ("a vote that does not raise the promise", "acceptor.c",
     "\ta->promised = run->ballot;\n", "",
     "agreement 3x2x3x1"),
    ("a vote below lo", "acceptor.c",
     "\tif (run->first < a->lo)\n\t\treturn ACCEPTOR_TRIMMED;\n", "",
     "agreement 3x2x2x1, trimming"),
    ("what is known chosen overwritten", "acceptor.c",
     "\t\tif (v->state == VOTE_CHOSEN)\n\t\t\treturn ACCEPTOR_TRIMMED;\n", "",
     "agreement 3x2x2x1, delivering"),
    ("a pull below lo answered", "replica_reports.c",
     "\tif (m->first < a->lo) {\n", "\tif (m->first < a->tail / 2) {\n",
     "agreement 3x2x2x1, trimming"),
    ("a pull answered after a higher promise", "replica_reports.c",
     "\tif (m->ballot != a->promised) {\n", "\tif (m->ballot > a->promised) {\n",
     "agreement 3x2x3x1"),
    ("the own value instead of the reported one", "proposer.c",
     "\tif (from >= p->end) {\n", "\tif (from >= p->delivered) {\n",
     "agreement 3x2x3x1"),
    ("the lower ballot's value", "recovery.c",
     "CELL_EMPTY || ballot > c->ballot;\n", "CELL_EMPTY || ballot < c->ballot;\n",
     "agreement 3x2x3x1"),
    ("one promise is a quorum", "proposer.c",
     "quorum_phase1(p->settings->quorum, promised_members(p))", "promised_members(p) != 0",
     "agreement 3x2x3x1"),
    ("one member's report is all of them", "proposer.c",
     "p->promises[i].covered < p->recovery.to)\n\t\t\treturn;",
     "p->promises[i].covered > p->recovery.to)\n\t\t\treturn;",
     "agreement 5x2x2x1"),
    ("one vote chooses", "window.c",
     "quorum_phase2(q, flight_at(w, w->oldest)->votes)",
     "q != NULL && flight_at(w, w->oldest)->votes != 0",
     "agreement 3x2x3x1"),
    ("votes of any ballot count", "proposer.c",
     "\tif (m->ballot != p->ballot || p->state == PROPOSER_IDLE)\n\t\treturn false;\n",
     "\tif (p->state == PROPOSER_IDLE)\n\t\treturn false;\n",
     "agreement 3x2x3x1"),
    ("a ballot used again after a crash", "proposer.c",
     "enter(p, PROPOSER_PREPARING_SELF);", "enter(p, PROPOSER_PREPARING);",
     "agreement 3x2x3x1"),
    ("a proposal below what was trimmed", "proposer.c",
     "\tif (p->delivered < proposer_prefix(p, &member)) {\n",
     "\tif (p->delivered + 1 < proposer_prefix(p, &member)) {\n",
     "agreement 3x2x2x1, trimming"),
    ("a watermark of any ballot", "learner.c",
     "(s->ballot != l->ballot || s->first", "(s->first",
     "agreement 3x2x2x1, delivering"),
    ("heartbeats count before the no-op", "election.c",
     "(m->flags & HEARTBEAT_LEADS) == 0 || ", "",
     "election 3, one fault"),
    ("who is not connected stands", "election.c",
     "\treturn quorum_phase1(e->settings->quorum, members) &&\n"
     "\t\tquorum_phase2(e->settings->quorum, members);\n", "\treturn members != 0;\n",
     "election 3, one fault"),
    ("a leader that is not connected stays", "election.c",
     "\tif (!quorum_phase2(e->settings->quorum, connected(e, now_ns)) ||\n\t\tnow_ns >",
     "\tif (now_ns >",
     "election 3, one fault"),
    ("a candidate supported against a leader", "election.c",
     "!leader_alive(e, now_ns) && !promised", "!promised",
     "election 3, one fault"),
    ("a candidate supported right after a promise", "election.c",
     "!leader_alive(e, now_ns) && !promised", "(!leader_alive(e, now_ns) || promised)",
     "election 3, one fault"),
    ("an own stall held against others", "election.c",
     "\tif (gap <= 2 * e->settings->heartbeat_ns)\n\t\treturn;\n",
     "\tif (gap <= 100 * e->settings->heartbeat_ns)\n\t\treturn;\n",
     "election 3, one fault"),
    ("a ballot taken twice", "election.c",
     "\te->highest = e->ballot;\n", "",
     "election 3, one fault"),
    ("a candidacy without end", "election.c",
     "out.step_down = now_ns >= e->phase_ns;", "out.step_down = false;",
     "election 3, one fault, progress"),
    ("no way back from a pre-vote", "election.c",
     " || now_ns >= e->phase_ns) {\n\t\tback_off", ") {\n\t\tback_off",
     "election 3, one fault, progress"),
    ("an executed command not marked", "session.h",
     "\ts->done = done_with(s->done, ahead);\n", "",
     "sessions 2 of 4"),
    ("the base not raised", "session.h",
     "\t\ts->base += slide;\n", "",
     "sessions 2 of 4"),
    ("the window moved without its marks", "session.h",
     "slide < SESSION_WINDOW ? done_slid(s->done, slide) : 0",
     "slide < SESSION_WINDOW ? s->done : 0",
     "sessions 2 of 4"),
    ("below the base executed", "session.h",
     "\tif (sequence < s->base)\n\t\treturn SESSION_STALE;\n",
     "\tif (sequence < s->base)\n\t\treturn SESSION_RUN;\n",
     "sessions 2 of 4"),
    ("the reply to another sequence", "session.h",
     "\ts->replies[sequence % SESSION_WINDOW] =", "\ts->replies[sequence % (SESSION_WINDOW - 1)] =",
     "sessions 2 of 4"),
    ("the wrong session evicted", "session.c",
     "t->slots[at].last < t->slots[oldest].last", "t->slots[at].last > t->slots[oldest].last",
     "sessions 2 of 4"),
    ("a chain broken by an eviction", "session.c",
     "\t\tif (((at - home) & t->mask) >= ((at - hole) & t->mask)) {\n",
     "\t\tif (((at - home) & t->mask) < ((at - hole) & t->mask)) {\n",
     "sessions 2 of 4"),
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
    """Compiles each file once for all that need it built alike."""

    def __init__(self, folder):
        self.folder = folder
        self.objects = {}
        self.generated = {}

    def compile(self, source, root, defines, warnings=("-w",)):
        key = (source, root, tuple(defines))
        if key not in self.objects:
            target = os.path.join(self.folder, f"{len(self.objects)}.o")
            status, said = run(["gcc", "-c", *FLAGS, *warnings, *(f"-D{d}" for d in defines),
                                "-include", os.path.join(ROOT, MODEL, "limits.h"),
                                f"-I{root}", f"-I{ROOT}", "-o", target, source], self.folder)
            if status != 0:
                raise RuntimeError(f"{os.path.basename(source)} does not build:\n{said}")
            self.objects[key] = target
        return self.objects[key]

    def generate(self, model, progress):
        if (model, progress) not in self.generated:
            place = tempfile.mkdtemp(dir=self.folder)
            shutil.copy(os.path.join(ROOT, MODEL, f"{model}.pml"), place)
            status, said = run(["spin", "-a", *(["-DPROGRESS"] if progress else []),
                                f"{model}.pml"], place)
            if status != 0:
                raise RuntimeError(f"spin: {said}")
            self.generated[model, progress] = os.path.join(place, "pan.c")
        return self.generated[model, progress]

    def build(self, size, extra=(), root=ROOT):
        """Returns the folder with `pan` in it. Of another root only what it has is taken."""
        model, defines, _ = SIZES[size]
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
    return "PROGRESS" in SIZES[size][1]


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


def mutate(folder, path, old, new):
    """A folder in which only the changed file stands."""
    with open(os.path.join(ROOT, "consensus", path), encoding="utf-8") as source:
        text = source.read()
    if text.count(old) != 1:
        raise RuntimeError(f"its text stands {text.count(old)} times in {path}")
    root = tempfile.mkdtemp(dir=folder)
    os.mkdir(os.path.join(root, "consensus"))
    with open(os.path.join(root, "consensus", path), "w", encoding="utf-8") as target:
        target.write(text.replace(old, new))
    return root


def kill(builder, name, path, old, new, size):
    try:
        root = mutate(builder.folder, path, old, new)
        found = search(builder.build(size, root=root), is_progress(size))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"mutant: {name}: {error}", flush=True)
        return False
    found_it = found["errors"] == 1 and found["violated"] in INVARIANTS
    print(f"mutant: {name}: {'found' if found_it else 'NOT FOUND'} "
          f"({found['violated']}; {size})", flush=True)
    return found_it


def trail(builder, name):
    """The events of a counterexample, as the model's C tells them."""
    for mutant, path, old, new, size in MUTANTS:
        if mutant == name:
            place = builder.build(size, ["TELL=1"], mutate(builder.folder, path, old, new))
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
            results += [kill(builder, *mutant) for mutant in MUTANTS]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
