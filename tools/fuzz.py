#!/usr/bin/env python3
"""Runs the fuzzers of tests/fuzz and judges them by what they say that they did.

fuzz.py FOLDER --quick             a few seconds each, always the same: a step of the tests
fuzz.py FOLDER --seconds N [--target T] [--jobs J]
                                   N seconds in all; new inputs are kept in FOLDER/corpus

An exit status proves nothing: what counts is that a fuzzer ran as often as it was told, that it
reached as much code as it once did, and that the canary's bug is found.
"""

import argparse
import concurrent.futures
import dataclasses
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CANARY = "canary"
CANARY_RUNS = 2000000
CANARY_FOUND = re.compile(r"SUMMARY: AddressSanitizer: heap-buffer-overflow .*fuzz_canary")
TOLD = 60  # Lines of a fuzzer that failed.


@dataclasses.dataclass
class Target:
    """What a quick run of it does, and the coverage below which it can not be believed."""

    name: str
    runs: int
    floor: int
    arguments: tuple = ()
    seeds: tuple = ()

    def folders(self):
        own = f"tests/fuzz/corpus/{self.name.removesuffix('_raw')}"
        return [os.path.join(ROOT, folder) for folder in (own, *self.seeds)]


TARGETS = [
    Target("client", 20000, 165),
    Target("codec", 200000, 95),
    Target("codec_raw", 200000, 60),
    Target("config", 2000, 250, ("-dict=tests/fuzz/config.dict",), ("config/profiles",)),
    Target("frame", 50000, 180),
    Target("frame_raw", 50000, 150),
    Target("journal", 1500, 340),
    Target("kv", 5000, 125),
    Target("replica", 2000, 1350, ("-max_len=4096",)),
    Target("snapshot", 20000, 150),
]


def command_of(folder, corpus, target, seed, limits):
    crashes = os.path.join(folder, "crashes")
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    return [os.path.join(folder, "tests/fuzz", f"fuzz_{target.name}"), f"-seed={seed}",
            "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", "-verbosity=1",
            f"-artifact_prefix={crashes}/{target.name}-", *target.arguments, *limits, corpus,
            *target.folders()]


def run(folder, corpus, target, seed, limits):
    """(executions, coverage, what it said if that is wrong, else "")"""
    done = subprocess.run(command_of(folder, corpus, target, seed, limits), cwd=ROOT, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    ran = re.findall(r"^stat::number_of_executed_units:\s*(\d+)", done.stdout, flags=re.M)
    covered = [int(n) for n in re.findall(r" cov: (\d+) ", done.stdout)]
    wrong = ""
    if done.returncode != 0:
        wrong = done.stdout
    elif not ran or int(ran[-1]) == 0:
        wrong = "it executed nothing"
    return int(ran[-1]) if ran else 0, max(covered, default=0), wrong


def tell(target, ran, covered, took_s, wrong):
    rate = ran / took_s if took_s > 0 else 0
    print(f"{target.name:<10} {ran:>11} executions {covered:>6} edges {took_s:>6.0f} s "
          f"{rate:>9.0f}/s  {'FAILED' if wrong else 'ok'}", flush=True)
    for line in wrong.splitlines()[-TOLD:]:
        print(f"  {line}", flush=True)
    return not wrong


def fuzz(folder, corpus, target, seeds, limits, least):
    """One target, by as many processes as there are seeds; `corpus` is where they keep finds."""
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(seeds)) as pool:
        results = list(pool.map(lambda seed: run(folder, corpus, target, seed, limits), seeds))
    ran = sum(result[0] for result in results)
    covered = max(result[1] for result in results)
    wrong = "\n".join(result[2] for result in results if result[2])
    if not wrong and ran < least:
        wrong = f"it executed fewer than {least}"
    if not wrong and covered < target.floor:
        wrong = f"it reached fewer than {target.floor} edges: it stands in front of a closed door"
    return tell(target, ran, covered, time.monotonic() - begin, wrong)


def fuzz_quick(folder, target):
    """From the seeds in the repository alone, so that it is the same each time."""
    with tempfile.TemporaryDirectory() as corpus:
        return fuzz(folder, corpus, target, [1], [f"-runs={target.runs}"], target.runs)


def fuzz_long(folder, target, seeds, seconds):
    corpus = os.path.join(folder, "corpus", target.name)
    return fuzz(folder, corpus, target, seeds, [f"-max_total_time={seconds}"], 1)


def canary(folder):
    """Its bug must be found: the fuzzer's exit says so, and the sanitizer's words."""
    target = Target(CANARY, CANARY_RUNS, 0)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as corpus:
        ran, covered, wrong = run(folder, corpus, target, 1, [f"-runs={CANARY_RUNS}"])
    for crash in glob.glob(os.path.join(folder, "crashes", f"{CANARY}-*")):
        os.remove(crash)
    return tell(target, ran, covered, time.monotonic() - begin,
                "" if CANARY_FOUND.search(wrong) else f"its bug was not found\n{wrong}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=60, help="in all (default %(default)s)")
    parser.add_argument("--target", choices=[target.name for target in TARGETS])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes of a target")
    arguments = parser.parse_args()
    chosen = [t for t in TARGETS if arguments.target in (None, t.name)]
    results = [canary(arguments.folder)]
    if arguments.quick:
        results += [fuzz_quick(arguments.folder, t) for t in chosen]
    else:
        each_s = max(1, arguments.seconds // len(chosen))
        first = time.time_ns() // 1000000 % 1000000000
        print(f"seeds from {first} on", flush=True)
        seeds = range(first, first + arguments.jobs)
        results += [fuzz_long(arguments.folder, t, seeds, each_s) for t in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


main()
