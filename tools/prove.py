#!/usr/bin/env python3
"""Proves the contracts of the shipped C with Frama-C/WP, and shows that the proof can fail.

A prover's exit status proves nothing: what counts is its own count of goals proved, that every
function had goals, and that a mutant of the same file is not proved. What passed is kept in
.cache/prove and is run again when a source, an option or a tool changed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# File, and the least number of goals that a run must have had to be believed.
FILES = [
    ("consensus/acceptor.c", 350),
    ("consensus/quorum.c", 380),
    ("consensus/window.c", 300),
    ("consensus/learner.c", 250),
    ("consensus/session.c", 90),
    ("consensus/recovery.c", 100),
    ("consensus/proposer.c", 300),
    ("consensus/journal_block.c", 190),
    ("consensus/message.c", 400),
]

# Not yet asked of these whether their unsigned numbers wrap.
MAY_WRAP = ["consensus/acceptor.c", "consensus/quorum.c"]

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
    "record_read": "memcpy of a header",
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

# Functions of those files without a proof: they walk bytes as structs, call by pointer, or hash.
UNPROVED = [
    "crc_small", "message_crc_more", "message_encode", "record_next",
    "learner_jump",
    "session_slots", "session_init", "session_home", "session_prefetch", "session_find",
    "session_find_far", "session_open", "session_save", "session_unsaved",
    "session_snapshot_begin", "session_snapshot_step", "session_clear_step", "session_restore",
    "delete_at", "evict_oldest", "empty_slot",
    "recovery_add",
    "proposer_start", "proposer_step_down", "pull_from", "catch_up_or_pull", "proposer_on_promise",
    "proposer_on_votes", "proposer_on_trimmed", "proposer_on_delivered", "proposer_repropose",
    "proposer_take", "outlet_watch",
    "journal_block_seal", "journal_block_blank", "journal_block_copy", "journal_chain_block",
    "stream_word", "stream_lines", "snapshot_header_of", "snapshot_chunk_bytes",
    "snapshot_record_bytes", "snapshot_bytes",
]

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
    ("a run passed without its quorum", "consensus/window.c", "window_advance",
     "w->oldest < w->next && quorum_phase2(q, flight_at(w, w->oldest)->votes)",
     "w->oldest < w->next",
     "loop_invariant_P2_preserved"),
    ("a hole that is passed", "consensus/window.c", "window_advance",
     "w->oldest++;", "w->oldest = w->next;",
     "assert_whole"),
    ("a part of a run is a vote", "consensus/window.c", "window_vote",
     "f->first + f->count > first + count", "f->first >= first + count",
     "loop_invariant_voted_preserved"),
    ("a vote of the last one lost", "consensus/window.c", "window_vote",
     "run < w->oldest || run >= w->next || flight_at(w, run)->first != first",
     "run < w->oldest",
     "assert_before"),
    ("a vote delivered below another ballot's watermark", "consensus/learner.c", "learner_next",
     "(s->ballot != l->ballot || s->first", "(s->first",
     "ensures_D1"),
    ("a hole delivered", "consensus/learner.c", "learner_next",
     "s->count == 0 || s->first != l->delivered", "s->count == 0",
     "ensures_D2"),
    ("an older watermark heard", "consensus/learner.c", "learner_on_watermark",
     "\tif (ballot < l->ballot)\n\t\treturn;\n", "",
     "ensures_D3"),
    ("a vote put in place of what is chosen", "consensus/learner.c", "learner_add",
     "(s->chosen || s->ballot > run.ballot)", "s->ballot > run.ballot",
     "assert_known"),
    ("a sequence run twice", "consensus/session.h", "session_apply",
     "\ts->done = done_with(s->done, ahead);\n", "",
     "ensures_S1"),
    ("the oldest of the window taken for stale", "consensus/session.h", "session_look",
     "\tif (sequence < s->base)", "\tif (sequence <= s->base)",
     "ensures_S2"),
    ("what has run is forgotten as the window slides", "consensus/session.h", "session_apply",
     "slide < SESSION_WINDOW ? done_slid(s->done, slide) : 0", "0",
     "ensures_kept"),
    ("the newest session evicted", "consensus/session.c", "oldest_of",
     "t->slots[at].last < t->slots[oldest].last", "t->slots[at].last > t->slots[oldest].last",
     "loop_invariant_S3_preserved"),
    ("the lowest ballot wins", "consensus/recovery.c", "outranks",
     "CELL_EMPTY || ballot > c->ballot;", "CELL_EMPTY || ballot < c->ballot;",
     "ensures_R1"),
    ("a vote in place of what is chosen", "consensus/recovery.c", "outranks",
     "\tif (c->state == CELL_CHOSEN)\n\t\treturn false;\n", "",
     "ensures_R1"),
    ("a no-op in the midst of entries", "consensus/recovery.c", "recovery_next",
     "\t\tif (count > 0 && (c->bytes == 0) != (*bytes == 0))\n\t\t\tbreak;\n", "",
     "loop_invariant_R2_preserved"),
    ("votes of any ballot count", "consensus/proposer.c", "proposer_on_accepted",
     "m->ballot != p->ballot || p->state == PROPOSER_IDLE)\n\t\treturn false;",
     "p->state == PROPOSER_IDLE)\n\t\treturn false;",
     "ensures_own"),
    ("a vote for more than was voted for", "consensus/proposer.c", "count_votes",
     "r->first, r->count)", "r->first, r->count + 1)",
     "loop_invariant_counts_preserved"),
    ("one shard's promise is the member's", "consensus/proposer.c", "promised",
     "shards == (1u << p->settings->shards) - 1;", "shards != 0;",
     "ensures_all"),
    ("who has not promised is in the quorum", "consensus/proposer.c", "promised_members",
     "if (promised(p, i))", "if (!promised(p, i))",
     "loop_invariant_those_preserved"),
    ("the smallest lo of the quorum", "consensus/proposer.c", "proposer_prefix",
     "p->promises[i].lo < lo)", "(lo > 0 && p->promises[i].lo > lo))",
     "loop_invariant_P4_preserved"),
    ("runs beyond what the own acceptors vote for", "consensus/proposer.c", "proposer_capacity",
     "ACCEPTOR_WINDOW - 2 * BLOCK;", "ACCEPTOR_WINDOW + 2 * BLOCK;",
     "ensures_P6"),
    ("a run over two blocks", "consensus/proposer.c", "proposer_room",
     "return room < block ? room : block;", "return room;",
     "ensures_P6"),
    ("who has promised is asked, not who has not", "consensus/proposer.c", "proposer_unanswered",
     "if (waits_for(p, i))", "if (!waits_for(p, i))",
     "loop_invariant_P3_preserved"),
    ("a record beyond its write", "consensus/journal_block.c", "journal_payload_check",
     "r->bytes > bytes - at - JOURNAL_RECORD_BYTES", "r->bytes > bytes - at",
     "loop_invariant_inside_preserved"),
    ("a write that goes on behind its records", "consensus/journal_block.c",
     "journal_payload_check", "\treturn at == bytes;", "\treturn true;",
     "ensures_J2"),
    ("an entry longer than its body", "consensus/message.c", "entries_valid",
     "\t\tif (bytes - at < step)\n\t\t\treturn false;\n", "",
     "loop_invariant_inside_preserved"),
    ("a length that is not the frame's", "consensus/message.c", "message_decode",
     "\tif (length - HEADER_BYTES != m->payload_len)\n\t\treturn DROP_LENGTH;\n", "",
     "ensures_whole"),
    ("an Accept for another's ballot", "consensus/message.c", "message_decode",
     "m->type == MESSAGE_PREPARE || m->type == MESSAGE_ACCEPT", "m->type == MESSAGE_PREPARE",
     "ensures_sender"),
]

WP = ["frama-c", "-wp", "-wp-rte", "-c11", "-wp-model", "Typed+ref",
      "-wp-prover", "z3,cvc4", "-wp-par", "2", "-cpp-extra-args=-Iconsensus/proof/stubs -I. -include consensus/proof/stubs/prover.h "
      "-D__GNUC__=12"]
PROOF_TIMEOUT_S = 40
MUTANT_TIMEOUT_S = 5
SLOW_GOAL_S = 10

# Which provers there are, found anew: nobody's own ~/.why3.conf is read or written.
WHY3_CONFIG = os.path.join(tempfile.mkdtemp(prefix="paxwire-why3-"), "why3.conf")

# Results that passed, by what went in: see digest_of.
CACHE = os.path.join(ROOT, ".cache", "prove")


def versions():
    """What the tools say of themselves."""
    said = [subprocess.run(command, capture_output=True, text=True, check=False)
            for command in (["frama-c", "-version"], ["why3", "--version"], ["z3", "--version"],
                            ["cvc4", "--version"], ["gcc", "--version"])]
    return [[one.returncode, one.stdout] for one in said]


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
    return hashlib.sha256(json.dumps([sorted(sources_of(folder, path, {}).items()), WP, MAY_WRAP,
                                      options, tools]).encode()).hexdigest()


def run_wp(folder, path, options):
    """Goals proved and in all, the names of those that failed, and the longest of a goal in s."""
    if path not in MAY_WRAP:
        options = options + ["-warn-unsigned-overflow"]
    # Frama-C finds its files by PWD, not by the directory it runs in.
    ended = subprocess.run(WP + options + [path], cwd=folder, capture_output=True, text=True,
                           env=dict(os.environ, PWD=folder, WHY3CONFIG=WHY3_CONFIG), check=False)
    output = ended.stdout
    counted = re.search(r"Proved goals:\s*(\d+)\s*/\s*(\d+)", output)
    failed = re.findall(r"\[(?:Failed|Timeout|Unknown)\] Goal (\S+)", output)
    warned = re.findall(r"Missing RTE guards|No code nor implicit assigns clause", output)
    if ended.returncode != 0:
        return 0, 0, [f"frama-c ended with status {ended.returncode}"], 0
    if not counted or warned:
        return 0, 0, warned or output.splitlines()[-5:], 0
    return int(counted.group(1)), int(counted.group(2)), failed, slowest(output)


def slowest(output):
    """Of each prover's line `name: count (least-middle-most) ...` the most."""
    most = re.findall(r"^  (?:Z3|CVC4) [\d.]+:.*\([^()]*-([\d.]+)(ms|s|'\d+)\)", output, flags=re.M)
    return max([float(t) / 1000 if unit == "ms" else float(t) for t, unit in most], default=0)


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


def prove(path, floor, tools, fresh):
    options = ["-wp-timeout", str(PROOF_TIMEOUT_S)]
    text = "".join(sources_of(ROOT, path, {}).values())
    left = [name for name in [*TRUSTED, *UNPROVED] if re.search(rf"\b{name}\([^;{{]*\)\n{{", text)]
    if left:
        options += ["-wp-skip-fct", ",".join(left)]
    key = digest_of(ROOT, path, options, tools)
    known = cached(key, fresh)
    begin = time.monotonic()
    proved, goals, failed, most_s = known or run_wp(ROOT, path, options)
    good = goals >= floor and proved == goals and not failed
    if good and not known:
        keep(key, [proved, goals, failed, most_s])
    here = functions_of(path)
    left = [name for name in here if name in left]
    told = "cached" if known else f"{time.monotonic() - begin:.0f} s"
    print(f"{path}: proved {proved} / {goals} goals, {len(here) - len(left)} of {len(here)} functions, "
          f"the longest goal {most_s:.1f} s ({told})", flush=True)
    for name in left:
        print(f"  {'on trust' if name in TRUSTED else 'not proved'}: {name}")
    for name in failed:
        print(f"  NOT PROVED: {name}")
    if goals < floor:
        print(f"  fewer than {floor} goals: the file was not read as it should be")
    if most_s > SLOW_GOAL_S:
        print(f"  the longest goal is long: make it easier, or it fails on a slower machine")
    return good


def goal_options(function, goal):
    """Only the goals of a label, where the goal has one: others would wait for their timeouts."""
    options = ["-wp-timeout", str(MUTANT_TIMEOUT_S), "-wp-fct", function]
    label = re.match(r"(?:ensures|loop_invariant|assert)_([A-Za-z]\w*?)(?:_preserved|_established)?$", goal)
    return options + (["-wp-prop", label.group(1)] if label else [])


def kill(name, path, function, old, new, goal, tools, fresh):
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
        options = goal_options(function, goal)
        # A header is proved through the source of its name.
        path = path[:-1] + "c"
        key = digest_of(folder, path, options + [goal], tools)
        known = cached(key, fresh)
        begin = time.monotonic()
        proved, goals, failed, _ = known or run_wp(folder, path, options)
    killed = 0 < goals and any(one.endswith(f"{function}_{goal}") for one in failed)
    if killed and not known:
        keep(key, [proved, goals, failed, 0])
    told = "cached" if known else f"{time.monotonic() - begin:.0f} s"
    print(f"mutant: {name}: {'killed' if killed else 'NOT KILLED'} "
          f"({proved} / {goals} goals, {told})", flush=True)
    return killed


def find_provers():
    found = subprocess.run(["why3", "config", "detect", "-C", WHY3_CONFIG], capture_output=True,
                           text=True, check=False)
    said = found.stdout + found.stderr
    for prover in ("Z3", "CVC4"):
        if f"Found prover {prover}" not in said:
            sys.exit(f"prove: why3 finds no {prover}: run tools/run setup. It said: {said}")


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
        results = [prove(*entry, tools, arguments.fresh) for entry in files]
        results += [kill(*mutant, tools, arguments.fresh) for mutant in MUTANTS
                    if only in (None, mutant[1], mutant[1][:-1] + "c")]
    finally:
        shutil.rmtree(os.path.dirname(WHY3_CONFIG))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


main()
