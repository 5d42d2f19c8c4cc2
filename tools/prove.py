#!/usr/bin/env python3
"""Proves the contracts of the shipped C with Frama-C/WP, and shows that the proof can fail.

A prover's exit status proves nothing: what counts is its own count of goals proved, that every
function had goals, and that a mutant of the same file is not proved. What passed is kept in
.cache/prove and is run again when a source, an option or a tool changed.
"""

import argparse
import concurrent.futures
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import mutants

ROOT = mutants.ROOT

# File, and the least number of goals that a run must have had to be believed. The longest first: they
# are proved side by side.
FILES = [
    ("consensus/acceptor.c", 430),
    ("consensus/proposer.c", 1850),
    ("consensus/learner.c", 250),
    ("consensus/window.c", 300),
    ("consensus/message.c", 640),
    ("consensus/quorum.c", 420),
    ("consensus/recovery.c", 235),
    ("consensus/journal_block.c", 190),
    ("consensus/session.c", 90),
]

# CVC4 proves all of the others: a second prover at the same goals would only take the other core.
Z3_TOO = ["consensus/acceptor.c", "consensus/quorum.c"]

# Z3 without some lemmas, see LIGHT: it proves what is left alone where several ranges are assigned,
# which CVC4 does not see.
Z3_LIGHT_TOO = ["consensus/proposer.c"]

# Each way through a function by itself, where what several ways lead to is too much at once.
SPLIT = ["consensus/proposer.c"]

# Functions whose contracts are taken on trust, and why that is little: what they do is one operation
# that the provers do not know.
TRUSTED = {
    "quorum_with": "a bit is set; a unit test gives it each input",
    "quorum_has": "a bit is read; a unit test gives it each input",
    "shard_of": "bits are masked; a unit test gives it each count of shards",
    "range_at": "a cast of aligned bytes to a range",
    "done_has": "a bit is read; a unit test gives it each input",
    "done_with": "a bit is set; a unit test gives it each input",
    "done_slid": "bits are shifted; a unit test gives it each input",
    "entry_step": "a length is loaded; a unit test gives it each length",
    "word_at": "memcpy of 8 bytes into a number",
    "half_at": "memcpy of 4 bytes into a number",
    "quarter_at": "memcpy of 2 bytes into a number",
    "put_word": "memcpy of a number into 8 bytes",
    "put_half": "memcpy of a number into 4 bytes",
    "put_quarter": "memcpy of a number into 2 bytes",
    "copy": "memcpy",
    "is_undone": "memcpy of 8 bytes into a number, and a comparison",
    "body_crc": "a cast for message_crc",
    "bytes_crc": "a cast for message_crc",
    "message_crc": "reads the bytes that it is given, by ISA-L",
    "block_header": "a cast of aligned bytes to a header",
    "write_header": "a cast of aligned bytes to a header",
    "record_at": "a cast of aligned bytes to a header",
    "journal_chain_record": "a checksum of a header",
}

# Functions that admit a fact in their midst, one each, and why: all else of them is proved.
ADMITTED = {
    "header_crc": "that it is the header's crc32c: shifts and an instruction",
    "recovery_add": "that a body says what it said, when what is apart from it was written: a recursion",
}

# Functions of those files without a proof, and why.
UNPROVED = {
    "crc_small": "a checksum, which the provers know nothing of",
    "message_crc_more": "a checksum, by ISA-L",
    "learner_jump": "calls back by a pointer",
    "session_slots": "that the doubling ends at what is asked has no contract yet",
    "session_init": "memset of structs",
    "session_home": "a hash, by shifts",
    "session_prefetch": "a hint to the processor",
    "session_find": "probing ends at an empty slot: that there is one is not stated",
    "session_find_far": "the same",
    "empty_slot": "the same",
    "delete_at": "the same, and that each chain stays whole",
    "evict_oldest": "rests on delete_at; whom it takes is proved: oldest_of",
    "session_open": "rests on empty_slot and evict_oldest",
    "session_restore": "rests on empty_slot",
    "session_save": "writes a struct into bytes",
    "session_unsaved": "a comparison, without a contract",
    "session_snapshot_begin": "three assignments, without a contract",
    "session_snapshot_step": "rests on session_save",
    "session_clear_step": "without a contract: what it clears nobody looks up meanwhile",
    "take_promise": "that one promise leaves the others alone takes the provers too long to see",
    "take_votes": "the same of recovery_add",
    "proposer_repropose": "the same of recovery_next and window_push",
    "outlet_watch": "calls by a pointer",
    "journal_block_seal": "a checksum written into bytes",
    "journal_block_blank": "a struct written into bytes",
    "journal_block_copy": "its order of stores is what matters, which the provers do not see",
    "journal_chain_block": "a checksum",
    "stream_word": "a store past the caches, by an instruction",
    "stream_lines": "rests on stream_word",
    "snapshot_header_of": "bytes taken for a header",
    "snapshot_chunk_bytes": "of another file, without a contract",
    "snapshot_record_bytes": "of another file, without a contract",
    "snapshot_bytes": "of another file, without a contract",
}

WP = ["frama-c", "-wp", "-wp-rte", "-warn-unsigned-overflow", "-c11", "-wp-model", "Typed+ref",
      "-wp-par", "2", "-cpp-extra-args=-Iconsensus/proof/stubs -I. -include consensus/proof/stubs/prover.h "
      "-D__GNUC__=12"]
PROOF_TIMEOUT_S = 40
SLOW_GOAL_S = 10
# A mutant's goal has this many times as long as the same goal took without the mutant.
MUTANT_PATIENCE = 4

# Which provers there are, found anew: nobody's own ~/.why3.conf is read or written.
WHY3_CONFIG = os.path.join(tempfile.mkdtemp(prefix="paxwire-why3-"), "why3.conf")

# Z3 as Why3 has it, but for what this says.
LIGHT = os.path.join(ROOT, "consensus", "proof", "z3light.drv")

# Results that passed, by what went in: see digest_of.
CACHE = os.path.join(ROOT, ".cache", "prove")


def versions():
    """What the tools say of themselves."""
    said = [subprocess.run(command, capture_output=True, text=True, check=False)
            for command in (["frama-c", "-version"], ["why3", "--version"], ["z3", "--version"],
                            ["cvc4", "--version"], ["gcc", "--version"])]
    with open(LIGHT, encoding="utf-8") as driver:
        return [*([one.returncode, one.stdout] for one in said), driver.read()]


def sources_of(folder, path, seen):
    """The file and all of ours that it includes, with their texts."""
    if path in seen or not os.path.exists(os.path.join(folder, path)):
        return seen
    with open(os.path.join(folder, path), encoding="utf-8") as source:
        seen[path] = source.read()
    for included in re.findall(r'^#include [<"](\S+)[">]', seen[path], flags=re.M):
        sources_of(folder, included, seen)
    return seen


def digest_of(folder, path, options, tools):
    return hashlib.sha256(json.dumps([sorted(sources_of(folder, path, {}).items()), WP,
                                      options, tools]).encode()).hexdigest()


def provers_of(path):
    others = [*(["z3"] if path in Z3_TOO else []), *(["Z3light"] if path in Z3_LIGHT_TOO else [])]
    return [*(["-wp-split"] if path in SPLIT else []), "-wp-prover", ",".join(["cvc4", *others])]


def run_wp(folder, path, options):
    """Goals proved and in all, the names of those that failed, and seconds by name of the others."""
    # Frama-C finds its files by PWD, not by the directory it runs in.
    ended = subprocess.run(WP + options + [path], cwd=folder, capture_output=True, text=True,
                           env=dict(os.environ, PWD=folder, WHY3CONFIG=WHY3_CONFIG), check=False)
    output = ended.stdout
    counted = re.search(r"Proved goals:\s*(\d+)\s*/\s*(\d+)", output)
    # Of several provers `[Failed] Goal name` is told, of one alone `[prover] Goal name : Timeout`.
    failed = re.findall(r"\[(?:Failed|Timeout|Unknown)\] Goal (\S+)", output)
    failed += re.findall(r"\[[^]]+\] Goal (\S+) : (?!Valid)", output)
    warned = re.findall(r"Missing RTE guards|No code nor implicit assigns clause", output)
    if ended.returncode != 0:
        return 0, 0, [f"frama-c ended with status {ended.returncode}"], {}
    if not counted or warned:
        return 0, 0, warned or output.splitlines()[-5:], {}
    return int(counted.group(1)), int(counted.group(2)), failed, times_of(output)


def times_of(output):
    """Of each `[prover] Goal name : Valid (Qed:5ms) (0.12s)` the prover's seconds; 0 where Qed did."""
    times = {}
    for prover, goal, told in re.findall(r"\[([^]]+)\] Goal (\S+) : Valid(.*)", output):
        took = re.search(r"\((?:(\d+)')?([\d.]+)(ms|s|)\)", told) if prover != "Qed" else None
        minutes, count, unit = took.groups(default="0") if took else ("0", "0", "s")
        times[goal] = 60 * int(minutes) + float(count) / (1000 if unit == "ms" else 1)
    return times


def functions_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        return re.findall(r"^(?:static )?[a-z][\w \*]*?\b(\w+)\([^;]*?\)\n\{", source.read(),
                          flags=re.M)


def cached(key, fresh):
    entry = os.path.join(CACHE, key)
    if fresh or not os.path.exists(entry):
        return None
    with open(entry, encoding="utf-8") as kept:
        return json.load(kept)


def keep(key, result):
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, key), "w", encoding="utf-8") as kept:
        json.dump(result, kept)


def prove_lemmas(path, text, tools, fresh):
    """What run_wp tells of the lemmas alone: with -wp-skip-fct WP takes them for proved."""
    lemmas = re.findall(r"@ lemma (\w+)", text)
    if not lemmas:
        return 0, 0, [], {}
    options = [*provers_of(path), "-wp-timeout", str(PROOF_TIMEOUT_S), "-wp-prop", "@lemma"]
    key = digest_of(ROOT, path, options, tools)
    proved, goals, failed, times = cached(key, fresh) or run_wp(ROOT, path, options)
    if goals < len(lemmas):
        failed = [*failed, f"{len(lemmas) - goals} of the lemmas {', '.join(lemmas)}"]
    if proved == goals and not failed:
        keep(key, [proved, goals, failed, times])
    return proved, goals, failed, times


def prove(path, floor, tools, fresh):
    """Was it proved, what is told of it, and how many seconds each goal took."""
    options = [*provers_of(path), "-wp-timeout", str(PROOF_TIMEOUT_S)]
    text = "".join(sources_of(ROOT, path, {}).values())
    left = [name for name in [*TRUSTED, *UNPROVED] if re.search(rf"\b{name}\([^;{{]*\)\n{{", text)]
    if left:
        options += ["-wp-skip-fct", ",".join(left)]
    key = digest_of(ROOT, path, options, tools)
    known = cached(key, fresh)
    begin = time.monotonic()
    proved, goals, failed, times = known or run_wp(ROOT, path, options)
    good = goals >= floor and proved == goals and not failed
    if good and not known:
        keep(key, [proved, goals, failed, times])
    of_lemmas = prove_lemmas(path, text, tools, fresh) if left else (0, 0, [], {})
    proved, goals, failed = proved + of_lemmas[0], goals + of_lemmas[1], failed + of_lemmas[2]
    times = {**times, **of_lemmas[3]}
    good = good and proved == goals and not failed
    here = functions_of(path)
    left = [name for name in here if name in left]
    admits = [name for name in here if name in ADMITTED]
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        good = good and len(re.findall(r"\badmit ", source.read())) == len(admits)
    took = "cached" if known else f"{time.monotonic() - begin:.0f} s"
    most_s = max(times.values(), default=0)
    told = [f"{path}: proved {proved} / {goals} goals, {len(here) - len(left)} of {len(here)} functions, "
            f"the longest goal {most_s:.1f} s ({took})"]
    told += [f"  on trust: {name}: {TRUSTED[name]}" if name in TRUSTED else
             f"  not proved: {name}: {UNPROVED[name]}" for name in left]
    told += [f"  admitted in {name}: {ADMITTED[name]}" for name in admits]
    told += [f"  NOT PROVED: {name}" for name in failed]
    if goals < floor:
        told.append(f"  fewer than {floor} goals: the file was not read as it should be")
    if most_s > SLOW_GOAL_S:
        told.append("  the longest goal is long: make it easier, or it fails on a slower machine")
    return good, "\n".join(told), times


def proved_in(mutant):
    """A header is proved through the source of its name."""
    return f"consensus/{mutant.file[:-1]}c"


def goal_options(function, goal):
    """Only the goals of a label or, without one, of a kind: others would wait for their timeouts."""
    options = ["-wp-fct", function]
    # Of several with one label the later ones have a number: they are looked at together. A guard of
    # the language has two labels, `rte` and its own.
    label = re.search(r"(?:ensures|loop_invariant|assert|requires)_(?:rte_)?"
                      r"(?!preserved|established)([A-Za-z]\w*?)(?:_\d+)?"
                      r"(?:_preserved|_established)?$", goal)
    kinds = [kind for kind in ("requires", "invariant", "ensures", "assigns", "variant") if kind in goal]
    return options + ["-wp-prop", label.group(1) if label else f"@{kinds[0]}"]


def kill(mutant, proof, tools, fresh):
    """Is the goal, which `proof` proved of the file, not proved of the mutant? And what is told of it."""
    function, goal = mutant.wp
    named = f"{function}_{goal}"
    # A goal of several branches is in parts: that one of them is not proved is enough.
    parts = re.compile(rf"\w*_{named}(_part\d+)?")
    true_s = [took for one, took in proof.result()[2].items() if parts.fullmatch(one)]
    if not true_s:
        return False, f"mutant: {mutant.name}: NOT KILLED: without it too {named} is not proved"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(os.path.join(ROOT, "consensus"), os.path.join(folder, "consensus"))
        mutant.write(folder)
        path = proved_in(mutant)
        options = provers_of(path) + goal_options(function, goal)
        key = digest_of(folder, path, options + [goal], tools)
        known = cached(key, fresh)
        begin = time.monotonic()
        patience = ["-wp-timeout", str(math.ceil(MUTANT_PATIENCE * max(0.25, *true_s)))]
        proved, goals, failed, _ = known or run_wp(folder, path, options + patience)
    killed = 0 < goals and any(parts.fullmatch(one) for one in failed)
    if killed and not known:
        keep(key, [proved, goals, failed, {}])
    took = "cached" if known else f"{time.monotonic() - begin:.0f} s"
    return killed, (f"mutant: {mutant.name}: {'killed' if killed else 'NOT KILLED'} ({proved} / {goals} goals, "
                    f"{took}; without it {named} is proved in {max(true_s):.1f} s)")


def find_provers():
    found = subprocess.run(["why3", "config", "detect", "-C", WHY3_CONFIG], capture_output=True,
                           text=True, check=False)
    said = found.stdout + found.stderr
    for prover in ("Z3", "CVC4"):
        if f"Found prover {prover}" not in said:
            sys.exit(f"prove: why3 finds no {prover}: run tools/run setup. It said: {said}")
    version = re.search(r"Found prover Z3 version ([\d.]+)", said).group(1)
    seeds = "sat.random_seed=42 nlsat.randomize=false smt.random_seed=42"
    with open(WHY3_CONFIG, "a", encoding="utf-8") as config:
        config.write(f"""
[prover]
name = "Z3light"
version = "{version}"
alternative = ""
command = "z3 -smt2 -T:%t {seeds} %f"
command_steps = "z3 -smt2 {seeds} rlimit=%S %f"
driver = "{LIGHT}"
editor = ""
in_place = false
interactive = false
""")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="FILE", help="prove this file, and kill its mutants")
    parser.add_argument("--fresh", action="store_true", help="prove again what did not change")
    arguments = parser.parse_args()
    only = arguments.only
    files = [entry for entry in FILES if only in (None, entry[0])]
    if not files:
        parser.error(f"{only} is not among {', '.join(entry[0] for entry in FILES)}")
    if not shutil.which("frama-c"):
        sys.exit("prove: frama-c is not installed: run tools/run setup.")
    try:
        find_provers()
        tools = versions()
        # Frama-C itself uses one core, so as many files are proved side by side as there are cores.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            proofs = {path: pool.submit(prove, path, floor, tools, arguments.fresh)
                      for path, floor in files}
            kills = [pool.submit(kill, mutant, proofs[proved_in(mutant)], tools, arguments.fresh)
                     for mutant in mutants.load("wp") if proved_in(mutant) in proofs]
            results = []
            for ended in [*proofs.values(), *kills]:
                good, told = ended.result()[:2]
                print(told, flush=True)
                results.append(good)
    finally:
        shutil.rmtree(os.path.dirname(WHY3_CONFIG))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


main()
