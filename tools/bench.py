#!/usr/bin/env python3
"""The points of the README's table: each the median of several runs, as a Markdown table."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, "build", "bench", "paxwire-bench")

# What, arguments, CPU microseconds a commit that are the aim.
POINTS = [
    ("batched, one lcore", [], 0.12),
    ("batched, two lcores", ["--lcores", "2"], 0.15),
    ("one command a frame, packing off, one lcore", ["--batch", "1", "--packing", "off"], 0.50),
    ("one command a frame, packing off, two lcores",
     ["--batch", "1", "--packing", "off", "--lcores", "2"], 0.70),
    ("one command a client frame, packed, one lcore", ["--batch", "1"], 0.30),
]


def run_once(arguments, seconds):
    """One run's report; ends the program if the run itself failed."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [PROGRAM, "--demo", "--seconds", str(seconds), "--json", report.name] + arguments
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: {' '.join(command)} failed: {done.stderr.strip()}")
        return json.load(report)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    print("| | CPU us a commit (aim) | commits/s | unloaded p50 us | ping-pong p50 us |")
    print("| --- | --- | --- | --- | --- |")
    for what, arguments, aim in POINTS:
        runs = [run_once(arguments, options.seconds) for _ in range(options.runs)]

        def median(of):
            return statistics.median(of(run) for run in runs)

        print(f"| {what} | {median(lambda r: r['cpu_us_per_commit']):.3f} ({aim:.2f}) "
              f"| {median(lambda r: r['commits_per_s']) / 1e6:.2f} M "
              f"| {median(lambda r: r['unloaded_latency_us']['p50']):.2f} "
              f"| {median(lambda r: r['port_rtt_us']['p50']):.2f} |", flush=True)


main()
