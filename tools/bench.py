#!/usr/bin/env python3
"""The points of the README's tables, as Markdown: each the median of several runs, with the machine
and the commit. A run whose ping-pong moved more than 1.5 times from begin to end is taken again.
--micro runs the micro-benchmarks as well, and leaves their JSON for Google Benchmark's compare.py."""

import argparse
import glob
import json
import mmap
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = "build-release"  # Of `tools/run release`.
PROGRAM = os.path.join(ROOT, BUILD, "bench", "paxwire-bench")
MICRO = os.path.join(ROOT, BUILD, "bench", "micro", "paxwire-micro")
CLUSTER = os.path.join(ROOT, "tests", "cluster", "cluster.py")

# What, arguments, CPU microseconds a commit that are the aim.
POINTS = [
    ("batched, one lcore", [], 0.12),
    ("batched, two lcores", ["--lcores", "2"], 0.15),
    ("one command a frame, packing off, one lcore", ["--batch", "1", "--packing", "off"], 0.50),
    ("one command a frame, packing off, two lcores",
     ["--batch", "1", "--packing", "off", "--lcores", "2"], 0.70),
    ("one command a client frame, packed, one lcore", ["--batch", "1"], 0.30),
    ("batched, one lcore, kv, half gets", ["--machine", "kv"], None),
]
TRACE = ("batched, one lcore, every transition traced", ["--trace", os.devnull], None)
# What, arguments, milliseconds without a commit that are the aim, at most.
FAILOVERS = [
    ("killed; heartbeat 20 ms, election timeout 150 ms (default)", ["--kill-leader"], 300),
    ("killed; heartbeat 1 ms, election timeout 5 ms",
     ["--kill-leader", "--set", "heartbeat_us=1000", "--set", "election_timeout_ms=5"], 20),
    ("told to hand over", ["--transfer"], None),
]
# Slow enough that a dead member is out (lag_timeout_ms) before it is too far behind (lag_max).
FAILOVER_RATE = 20000
AGAIN = 5  # Runs discarded of one point before it is given up.


def run_json(command):
    """One run's report; ends the program if the run itself failed."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run(command + ["--json", report.name], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f"bench: {' '.join(command)} failed: {done.stderr.strip()}")
        return json.load(report)


def run_once(arguments, seconds):
    for _ in range(AGAIN):
        run = run_json([PROGRAM, "--demo", "--seconds", str(seconds)] + arguments)
        before, after = run["port_rtt_us"]["p50"], run["port_rtt_us"]["p50_after"]
        if max(before, after) <= 1.5 * min(before, after):
            return run
    sys.exit("bench: the ping-pong moves too much from begin to end: is the machine busy?")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")),
                     platform.machine())
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}; commit {commit or '?'}"


def embedded(options):
    print("| embedded | CPU us a commit (aim) | commits/s | work cycles | p50 us | p99 us "
          "| unloaded p50 us | ping-pong p50 us | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for what, arguments, aim in POINTS + [TRACE]:
        runs = [run_once(arguments, options.seconds) for _ in range(options.runs)]

        def median(of):
            return statistics.median(of(run) for run in runs)

        unloaded = median(lambda r: r["unloaded_latency_us"]["p50"])
        pings = median(lambda r: r["port_rtt_us"]["p50"])
        print(f"| {what} | {median(lambda r: r['cpu_us_per_commit']):.3f} "
              f"({f'{aim:.2f}' if aim else '-'}) "
              f"| {median(lambda r: r['commits_per_s']) / 1e6:.2f} M "
              f"| {median(lambda r: r['work_cycles_per_commit']):.0f} "
              f"| {median(lambda r: r['latency_us']['p50']):.1f} "
              f"| {median(lambda r: r['latency_us']['p99']):.1f} "
              f"| {unloaded:.2f} | {pings:.2f} "
              f"| {median(lambda r: r['unloaded_latency_us']['p50'] / r['port_rtt_us']['p50']):.1f} |",
              flush=True)


def failovers(options):
    """Each time of a fresh cluster: in memory a killed member stays out."""
    print("\n| the leader is | times | no commit, p50 ms | max ms (aim) "
          "| longest stall of the lcore then, p50 ms | max ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for what, arguments, aim in FAILOVERS:
        runs = [run_json([PROGRAM, "--rate", str(FAILOVER_RATE), "--warmup", "0.2",
                          "--seconds", "1"] + arguments) for _ in range(options.kills)]
        gaps = [r["gap_ms"] for r in runs]
        stalls = [r["stall_ms"] for r in runs]
        print(f"| {what} | {len(runs)} | {statistics.median(gaps):.1f} | {max(gaps):.1f} ({aim or '-'}) "
              f"| {statistics.median(stalls):.1f} | {max(stalls):.1f} |", flush=True)


def processes(options):
    print("\n| four processes, each in a network namespace | commits/s | p50 us | p99 us "
          "| unloaded p50 us | ping-pong p50 us | ratio | ports alone, frames/s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for mode in ("af_packet", "af_xdp"):
        runs = []
        for _ in range(options.runs):
            done = subprocess.run([sys.executable, CLUSTER, "--bench", str(options.seconds), mode],
                                  capture_output=True, text=True, check=False,
                                  env=os.environ | {"PAXWIRE_BUILD": BUILD})
            if done.returncode != 0 or not done.stdout.startswith("{"):
                print(f"| {mode} | not here: {done.stdout.strip() or done.stderr.strip()} |")
                break
            runs.append(json.loads(done.stdout))
        if not runs:
            continue

        def median(of):
            return statistics.median(of(run) for run in runs)

        print(f"| {mode}, batched | {median(lambda r: r['commits_per_s']) / 1e6:.2f} M "
              f"| {median(lambda r: r['latency_us']['p50']):.0f} "
              f"| {median(lambda r: r['latency_us']['p99']):.0f} "
              f"| {median(lambda r: r['unloaded_latency_us']['p50']):.1f} "
              f"| {median(lambda r: r['port_rtt_us']['p50']):.2f} "
              f"| {median(lambda r: r['unloaded_latency_us']['p50'] / r['port_rtt_us']['p50']):.1f} "
              f"| {median(lambda r: r['port_frames_per_s']) / 1e6:.2f} M |", flush=True)


def fio(directory, jobs, block_bytes, depth, seconds):
    """Bytes a second that the disk alone takes, each job into a file of its own, written before."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        command = ["fio", "--name=disk", f"--directory={folder}", "--rw=write", "--ioengine=io_uring",
                   "--fixedbufs=1", "--direct=1", "--sync=dsync", f"--bs={block_bytes}",
                   f"--iodepth={depth}", f"--numjobs={jobs}", "--size=256m", "--overwrite=1",
                   "--time_based", f"--runtime={seconds}", "--group_reporting",
                   "--output-format=json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: fio failed: {done.stderr.strip()}")
        return json.loads(done.stdout)["jobs"][0]["write"]["bw_bytes"]


# What, arguments of the benchmark.
JOURNALS = [
    ("64-byte commands", ["--sessions", "16384"]),
    ("1024-byte commands", ["--sessions", "4096", "--value", "1024"]),
    ("1024-byte commands, MTU 9000", ["--sessions", "4096", "--value", "1024", "--mtu", "9000"]),
]


def journals(options):
    """Three replicas, three journals and the load in one process: against fio with three jobs, in
    writes of the journals' own mean size and as many in flight, on the same disk right after."""
    print("\n| three journals on one disk, sync | commits/s | writes/s | bytes a write "
          "| values MB/s, all journals | fio MB/s, 3 jobs | ratio | p50 us | p99 us |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for what, arguments in JOURNALS:
        runs = []
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory(dir=options.directory) as folder:
                run = run_json([PROGRAM, "--durability", "sync", "--directory", folder, "--format",
                                "--lcores", "2", "--seconds", str(options.seconds)] + arguments)
            block = max(4096, round(run["journal_write_bytes"] / 4096) * 4096)
            run["fio"] = fio(options.directory, 3, block, run["journal_depth"], options.seconds)
            run["values"] = 3 * run["commits_per_s"] * run["value_bytes"]
            runs.append(run)

        def median(of):
            return statistics.median(of(run) for run in runs)

        print(f"| {what} | {median(lambda r: r['commits_per_s']) / 1e3:.0f} K "
              f"| {median(lambda r: r['journal_writes_per_s']):.0f} "
              f"| {median(lambda r: r['journal_write_bytes']):.0f} "
              f"| {median(lambda r: r['values']) / 1e6:.0f} "
              f"| {median(lambda r: r['fio']) / 1e6:.0f} "
              f"| {median(lambda r: r['values'] / r['fio']):.2f} "
              f"| {median(lambda r: r['latency_us']['p50']):.0f} "
              f"| {median(lambda r: r['latency_us']['p99']):.0f} |", flush=True)


MEMORY = "/dev/shm"  # A file system in memory, for journals that cost CPU only.
# What, arguments of the benchmark.
MEMORIES = [
    ("one lcore", []),
    ("two lcores", ["--lcores", "2"]),
]


def memories(options):
    """With journals in memory and without any, one after the other."""
    print("\n| three journals in memory, sync | CPU us a commit | without journals "
          "| times as much (aim) | commits/s | without |")
    print("| --- | --- | --- | --- | --- | --- |")
    for what, arguments in MEMORIES:
        command = [PROGRAM, "--seconds", str(options.seconds)] + arguments
        pairs = []
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                pairs.append((run_json(command + ["--durability", "sync", "--directory", folder,
                                                  "--format"]), run_json(command)))

        def median(of):
            return statistics.median(of(*pair) for pair in pairs)

        print(f"| {what} | {median(lambda r, _: r['cpu_us_per_commit']):.3f} "
              f"| {median(lambda _, r: r['cpu_us_per_commit']):.3f} "
              f"| {median(lambda a, b: a['cpu_us_per_commit'] / b['cpu_us_per_commit']):.2f} (1.5) "
              f"| {median(lambda r, _: r['commits_per_s']) / 1e6:.2f} M "
              f"| {median(lambda _, r: r['commits_per_s']) / 1e6:.2f} M |", flush=True)


SNAPSHOTS_RATE = 200000
SNAPSHOTS_PAUSE_MS = 50
# What, arguments of the benchmark.
SNAPSHOTS = [
    ("null: 4096 sessions", []),
    ("kv: 4096 sessions, 100000 keys", ["--machine", "kv", "--read-share", "0"]),
]


def snapshots(options):
    """Half of the time the replicas cut snapshots in turn, in slices that alternate with calm ones."""
    print(f"\n| open loop, {SNAPSHOTS_RATE} commits/s, one lcore | image | cut in ms "
          "| p50 us, with / without | p99 us | p99.9 us | max us | p99.9 ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for what, arguments in SNAPSHOTS:
        runs = [run_json([PROGRAM, "--rate", str(SNAPSHOTS_RATE), "--snapshots",
                          str(SNAPSHOTS_PAUSE_MS), "--seconds", str(4 * options.seconds)] +
                         arguments) for _ in range(options.runs)]

        def median(of):
            return statistics.median(of(run) for run in runs)

        def both(percentile):
            return (f"{median(lambda r: r['latency_us'][percentile]):.1f} / "
                    f"{median(lambda r: r['latency_us_without_snapshots'][percentile]):.1f}")

        ratio = median(lambda r: r["latency_us"]["p999"] /
                       r["latency_us_without_snapshots"]["p999"])
        print(f"| {what} | {median(lambda r: r['snapshots']['bytes']) / 1e6:.2f} MB "
              f"| {median(lambda r: r['snapshots']['ms']):.1f} | {both('p50')} | {both('p99')} "
              f"| {both('p999')} | {both('max')} | {ratio:.1f} |", flush=True)


READ_BYTES = 1 << 20  # At a time, as a start does.
SEGMENTS = 16  # Of 64 MiB in each journal.
RECOVERY_COMMITS = 800000  # Of 1024 bytes, and the warm-up's: nearly all of that.


def read_plain(folder):
    """Seconds that reading all journals takes, one after the other, past the kernel's cache."""
    buffer = mmap.mmap(-1, READ_BYTES)
    files = sorted(glob.glob(os.path.join(folder, "replica-*", "segment-*")))
    begun = time.monotonic()
    for file in files:
        fd = os.open(file, os.O_RDONLY | os.O_DIRECT)
        while os.readv(fd, [buffer]) > 0:
            pass
        os.close(fd)
    return time.monotonic() - begun


def recovery(options):
    """Journals are filled, without a snapshot; then a start reads them back, between two plain reads
    of the same files."""
    print("\n| journals read back at the start | MB | of writes | MB/s | plain read MB/s "
          "| times a plain read (aim) |")
    print("| --- | --- | --- | --- | --- | --- |")
    runs = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(dir=options.directory) as folder:
            cluster = [PROGRAM, "--durability", "sync", "--directory", folder, "--value", "1024",
                       "--segments", str(SEGMENTS), "--snapshot-segments", str(SEGMENTS)]
            filled = run_json(cluster + ["--format", "--lcores", "2", "--seconds", "300",
                                         "--commits", str(RECOVERY_COMMITS)])
            before = read_plain(folder)
            run = run_json(cluster + ["--seconds", "0.2", "--warmup", "0"])
            run["plain_s"] = statistics.mean([before, read_plain(folder)])
            run["written"] = (filled["journal_writes_per_s"] * filled["seconds"] *
                              filled["journal_write_bytes"])
            runs.append(run)

    def median(of):
        return statistics.median(of(run) for run in runs)

    print(f"| three, of 1024-byte commands | {median(lambda r: r['journal_read_bytes']) / 1e6:.0f} "
          f"| {100 * median(lambda r: r['written'] / r['journal_read_bytes']):.0f}% "
          f"| {median(lambda r: r['journal_read_bytes'] / r['journal_read_s']) / 1e6:.0f} "
          f"| {median(lambda r: r['journal_read_bytes'] / r['plain_s']) / 1e6:.0f} "
          f"| {median(lambda r: r['journal_read_s'] / r['plain_s']):.2f} (2) |", flush=True)


TABLES = (failovers, embedded, journals, memories, recovery, snapshots, processes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--kills", type=int, default=20, help="leaders killed for each row")
    parser.add_argument("--micro", metavar="FILE",
                        default=os.path.join(ROOT, "build", "micro.json"))
    parser.add_argument("--directory", default=ROOT, help="on the disk that takes the journals")
    parser.add_argument("--only", choices=[table.__name__ for table in TABLES])
    options = parser.parse_args()
    print(machine() + f"; medians of {options.runs} runs\n")
    if options.kills < 1:
        parser.error("--kills takes a number of at least 1")
    for table in TABLES:
        if options.only in (None, table.__name__):
            table(options)
    if options.only:
        return
    print(f"\nMicro-benchmarks ({options.micro}):", flush=True)
    sys.exit(subprocess.run([MICRO, f"--benchmark_out={options.micro}",
                             "--benchmark_out_format=json", "--benchmark_min_time=0.1"],
                            stderr=subprocess.DEVNULL, check=False).returncode)


main()
