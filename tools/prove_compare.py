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

# Name, program, limits, arguments (each program's head names them), and the least of each count.
RUNS = [
    ("one block", "acceptor", BLOCKS, [2, 4, 2, 2],
     {"states": 8000, "on_prepare": 32000, "on_accept": 350000, "on_chosen": 90000,
      "trim": 24000, "install": 24000, "drop": 24000, "reports": 16000}),
    ("two blocks", "acceptor", BLOCKS, [4, 3, 0, 3],
     {"states": 27000, "on_prepare": 80000, "on_accept": 450000, "on_chosen": 150000,
      "trim": 130000, "install": 130000, "drop": 130000, "reports": 100000}),
    ("three of a block of four", "acceptor", FOUR, [3, 2, 1, 3],
     {"states": 19000, "on_accept": 650000, "on_chosen": 300000, "reports": 55000}),
    ("a block of four", "acceptor", FOUR, [4, 1, 1, 4],
     {"states": 120000, "on_accept": 2500000, "on_chosen": 2500000, "reports": 500000}),
    ("the index wraps", "acceptor", WRAPS, [6, 2, 0, 2],
     {"states": 30000, "on_accept": 500000, "on_chosen": 250000, "trim": 200000,
      "overwritten": 60000}),
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

# Name, program, file in consensus/, text that is changed, and what it becomes.
MUTANTS = [
    ("a promise is not kept", "acceptor", "acceptor.c",
     "\ta->promised = ballot;\n\treturn ACCEPTOR_PROMISED;", "\treturn ACCEPTOR_PROMISED;"),
    ("a vote below the promise", "acceptor", "acceptor.c",
     "if (run->ballot < a->promised)", "if (run->ballot + 1 < a->promised)"),
    ("a vote does not raise the promise", "acceptor", "acceptor.c",
     "\ta->promised = run->ballot;\n", ""),
    ("a round may be any higher", "acceptor", "acceptor.c",
     "if (too_high(a, run->ballot))", "if (false)"),
    ("what is chosen is voted over", "acceptor", "acceptor.c",
     "\t\tif (v->state == VOTE_CHOSEN)\n\t\t\treturn ACCEPTOR_TRIMMED;\n", ""),
    ("a conflict is not seen", "acceptor", "acceptor.c", "conflict = true;", "conflict = false;"),
    ("other boundaries are the same run", "acceptor", "acceptor.c",
     "v->index == i && v->count == run->count && v->checksum", "v->checksum"),
    ("a vote below lo", "acceptor", "acceptor.c", "if (run->first < a->lo)", "if (false)"),
    ("a vote beyond the window", "acceptor", "acceptor.c",
     "\tif (run->first + run->count > a->lo + a->window)\n\t\treturn ACCEPTOR_BEHIND;\n\tenum",
     "\tenum"),
    ("a chosen run beyond the window", "acceptor", "acceptor.c",
     "\tif (run->first + run->count > a->lo + a->window)\n\t\treturn ACCEPTOR_BEHIND;\n"
     "\t/* Nothing",
     "\t/* Nothing"),
    ("what is chosen is stored again", "acceptor", "acceptor.c",
     "(holds(v, instance) && v->state == VOTE_CHOSEN)", "false"),
    ("high is not raised", "acceptor", "acceptor.c", "if (end > a->high)", "if (false)"),
    ("lo is not a block's start", "acceptor", "acceptor.c",
     "\ta->lo = delivered - delivered % BLOCK;\n\tfollow_index(a);",
     "\ta->lo = delivered;\n\tfollow_index(a);"),
    ("tail does not follow the index", "acceptor", "acceptor.c", "\tfollow_index(a);\n", ""),
    ("values below a snapshot are served", "acceptor", "acceptor.c",
     "\ta->tail = delivered;\n", ""),
    ("the log is dropped above lo", "acceptor", "acceptor.c", "if (tail > a->lo)", "if (false)"),
    ("a piece goes on with another run", "acceptor", "acceptor.c",
     "next->index != (uint8_t)(piece->index + piece->count)", "false"),
    ("the lowest ballot wins", "recovery", "recovery.c",
     "ballot > c->ballot;\n}", "ballot < c->ballot;\n}"),
    ("a vote outranks what is chosen", "recovery", "recovery.c",
     "if (c->state == CELL_CHOSEN)", "if (false)"),
    ("what is chosen does not outrank", "recovery", "recovery.c",
     "return ballot == 0 || c->", "return c->"),
    ("a stride keeps what the last one had", "recovery", "recovery.c",
     "\t\tr->cells[i].state = CELL_EMPTY;\n", ""),
    ("part of a run is a vote", "window", "window.c",
     "if (f->first + f->count > first + count)", "if (f->first >= first + count)"),
    ("a run that begins before the range", "window", "window.c",
     "if (flight_at(w, middle)->first < first)",
     "if (flight_at(w, middle)->first + flight_at(w, middle)->count <= first)"),
    ("one vote suffices", "window", "window.c",
     "quorum_phase2(q, flight_at(w, w->oldest)->votes)", "flight_at(w, w->oldest)->votes != 0"),
    ("a hint is believed", "window", "window.c", " || flight_at(w, run)->first != first", ""),
    ("a watermark of any ballot", "learner", "learner.c", "s->ballot != l->ballot || ", ""),
    ("a run beyond the watermark", "learner", "learner.c",
     " || s->first + s->count > l->watermark", ""),
    ("a watermark outlives its ballot", "learner", "learner.c",
     "l->watermark = watermark;",
     "l->watermark = watermark > l->watermark ? watermark : l->watermark;"),
    ("a sequence is not noted", "session", "session.h",
     "\ts->done = done_with(s->done, ahead);\n", ""),
    ("base is not raised", "session", "session.h", "\t\ts->base += slide;\n", ""),
    ("the window slides too far", "session", "session.h",
     "uint64_t slide = ahead + 1 - SESSION_WINDOW;",
     "uint64_t slide = ahead + 2 - SESSION_WINDOW;"),
    ("what slid out is kept", "session", "session.h",
     "done_slid(s->done, slide) : 0", "done_slid(s->done, slide) : s->done"),
    ("what is stale is answered", "session", "session.h",
     "return SESSION_STALE;", "return SESSION_CACHED;"),
    ("the newest session is evicted", "session", "session.c",
     "t->slots[at].last < t->slots[oldest].last", "t->slots[at].last > t->slots[oldest].last"),
    ("a duplicate does not count as use", "session", "session.h",
     "\ts->last = instance;\n\tenum session_answer answer = session_look(s, sequence);\n\n"
     "\tif (answer != SESSION_RUN)\n\t\treturn answer;\n",
     "\tenum session_answer answer = session_look(s, sequence);\n\n"
     "\tif (answer != SESSION_RUN)\n\t\treturn answer;\n\ts->last = instance;\n"),
    ("a hole is left in a chain", "session", "session.c",
     "if (((at - home) & t->mask) >= ((at - hole) & t->mask))", "if (false)"),
    ("half is a majority", "quorum", "quorum.c",
     "members / 2 + 1, members / 2 + 1", "members / 2 + 1, (members + 1) / 2"),
    ("thresholds that do not meet", "quorum", "quorum.c",
     " || q1 + q2 <= members)\n\t\treturn QUORUM_THRESHOLD;\n\tclear(q, members);",
     " || q1 + q2 < members)\n\t\treturn QUORUM_OK;\n\tclear(q, members);"),
    ("a grid's phases are the same", "quorum", "quorum.c",
     "q->phase2[subset] = each_row_met(subset, rows, columns);",
     "q->phase2[subset] = some_row_whole(subset, rows, columns);"),
    ("part of an explicit set", "quorum", "quorum.c",
     "if (set_contains(subset, sets[i]))", "if (share_member(subset, sets[i]))"),
    ("sets that do not meet", "quorum", "quorum.c",
     "return quorum_intersects(q) ? QUORUM_OK : QUORUM_DISJOINT;", "return QUORUM_OK;"),
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
    """The program that tells what the C does; `mutant` is a file of consensus/ and its text."""
    files, libraries = SOURCES[program]
    limits(changed, folder)
    if mutant:
        with open(os.path.join(folder, "consensus", mutant[0]), "w", encoding="utf-8") as f:
            f.write(mutant[1])
    units = [os.path.join(folder if mutant and mutant[0] == name else ROOT, "consensus", name)
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
    """None, or why the mutant lives."""
    name, program, path, old, new = mutant
    with open(os.path.join(ROOT, "consensus", path), encoding="utf-8") as f:
        text = f.read()
    if text.count(old) != 1:
        return name, None, f"its text stands {text.count(old)} times in {path}"
    said = "no difference"
    for title, _, changed, arguments, _ in (entry for entry in RUNS if entry[1] == program):
        with tempfile.TemporaryDirectory() as folder:
            teller = build_teller(program, changed, folder, (path, text.replace(old, new)))
            status, said = compare(teller, program, arguments)
        if status == 1 and said.startswith("different: "):
            return name, f"{program}, {title}: {said.splitlines()[0][11:]}", None
        if status != 0:
            return name, None, said
    return name, None, "no difference"


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
        for name, where, why in pool.map(killed, MUTANTS):
            said = f"differs: {where}" if where else f"LIVES: {why}"
            print(f"mutant: {name}: {said}", flush=True)
            passed += where is not None
            failed += where is None
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
