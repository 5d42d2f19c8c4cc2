#!/usr/bin/env python3
"""mutants - breaks one rule at a time in a copy of the tree: each must be caught.

  run.py                     all of them: unit tests, seeds of the simulator, its graphs; a table
  run.py --quick NAME...     these only, up to the first that catches each; no table

A patch is a header (`Rule: ...`, `Else: ...` where design and code name the run that breaks without
the rule), an empty line, and a unified diff. It applies wherever its lines stand, but they must
stand exactly once: a patch that has lost its place fails, loudly.
"""

import argparse
import concurrent.futures
import filecmp
import glob
import os
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TABLE = os.path.join(HERE, "README.md")
MARK = "<!-- Written by run.py. -->\n"

SHARED = """consensus_shared = shared_library('consensus-shared', consensus_sources,
  include_directories: root_inc,
  dependencies: consensus_deps,
  c_args: march_args)
"""

LIMIT_S = 900  # Of one step: a mutant may run for ever.


class Lost(Exception):
    """A patch that does not apply."""


class Patch:
    def __init__(self, name):
        self.name = name
        with open(os.path.join(HERE, name + ".patch"), encoding="utf-8") as file:
            head, self.diff = file.read().split("\n\n", 1)
        fields = dict(line.split(": ", 1) for line in head.splitlines())
        self.rule = fields["Rule"]
        self.otherwise = fields.get("Else", "")

    def hunks(self):
        """(path, text before, text after) of each hunk."""
        path, before, after, found = None, [], [], []
        for line in self.diff.splitlines(keepends=True) + ["@@"]:
            if line.startswith(("--- ", "+++ ", "@@")):
                if before or after:
                    found.append((path, "".join(before), "".join(after)))
                    before, after = [], []
                if line.startswith("+++ b/"):
                    path = line[len("+++ b/"):].strip()
            else:
                if line[0] in " -":
                    before.append(line[1:])
                if line[0] in " +":
                    after.append(line[1:])
        return found

    def apply(self, tree):
        for path, before, after in self.hunks():
            target = os.path.join(tree, path)
            with open(target, encoding="utf-8") as file:
                text = file.read()
            if text.count(before) != 1:
                raise Lost(f"{self.name}: its lines stand {text.count(before)} times in {path}; "
                           "make the patch anew")
            with open(target, "w", encoding="utf-8") as file:
                file.write(text.replace(before, after))

    def files(self):
        return sorted({path for path, _, _ in self.hunks()})

    def outside(self):
        """The tests of what it touches outside of the protocol: the simulator has none of that."""
        touched = [os.path.splitext(os.path.basename(path))[0] for path in self.files()
                   if not path.startswith("consensus/")]
        named = os.path.join(ROOT, "tests", "unit", "test_")
        return [path[len(named):-len(".c")] for noun in touched
                for path in glob.glob(f"{named}{noun}.c") + glob.glob(f"{named}{noun}_*.c")]


class Tree:
    """A copy of the sources, built once; then only what a patch touches."""

    def __init__(self, folder):
        self.folder = folder
        self.build = os.path.join(folder, "build")
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True,
                                capture_output=True, text=True).stdout
        for path in filter(None, listed.split("\0")):
            if os.path.exists(os.path.join(ROOT, path)):
                self.copy(path)
        self.share()
        # Warnings are not the question here: a mutant may leave something unused.
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            self.run(["meson", "setup", "-Doptimization=2", "-Ddebug=false", "-Dwerror=false",
                      self.build, folder], check=True)
        self.tests = self.unit_tests()

    def copy(self, path):
        """Only if it differs: what was built before stays so."""
        source, target = os.path.join(ROOT, path), os.path.join(self.folder, path)
        if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)

    def share(self):
        """The tests link the protocol as a shared library: a mutant is one file to compile, and
        one to link."""
        path = os.path.join(self.folder, "consensus/meson.build")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        static = "consensus_dep = declare_dependency(\n  link_with: consensus_lib"
        if text.count(static) != 1:
            raise SystemExit("mutants: consensus/meson.build is not as expected.")
        shared = SHARED + static.replace("consensus_lib", "consensus_shared")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(static, shared))

    def unit_tests(self):
        """Those that link the protocol alone."""
        with open(os.path.join(self.folder, "tests/unit/meson.build"), encoding="utf-8") as file:
            nouns = re.findall(r"'(\w+)': \[consensus_dep\]", file.read())
        if len(nouns) < 20:
            sys.exit("mutants: tests/unit/meson.build no longer lists the tests as expected.")
        return nouns

    def run(self, command, check=False):
        try:
            return subprocess.run(command, capture_output=True, text=True, errors="replace",
                                  timeout=LIMIT_S, check=check)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "it ran for ever")

    def compile(self, nouns=None):
        targets = ["tests/unit/test_" + noun for noun in nouns or self.tests]
        targets += [] if nouns else ["tests/sim/paxwire-sim"]
        done = self.run(["ninja", "-C", self.build, "-j", "1", *targets])
        if done.returncode != 0:
            raise SystemExit("mutants: the build failed:\n" + done.stdout[-3000:])

    def failing_units(self, first_only, nouns=None):
        failing = []
        for noun in nouns or self.tests:
            done = self.run([os.path.join(self.build, "tests/unit/test_" + noun)])
            names = re.findall(r"\[  FAILED  \] (\w+)$", done.stdout + done.stderr, flags=re.M)
            if done.returncode != 0:
                # One that aborts names nothing.
                failing += sorted(set(names)) or [noun]
            if failing and first_only:
                break
        return failing

    def simulator(self):
        return os.path.join(self.build, "tests/sim/paxwire-sim")

    def seeds_to_catch(self, first, seeds):
        """How many seeds it takes from `first` on; None: more than `seeds`."""
        done = self.run([self.simulator(), "--count", "--seeds", str(seeds), "--first", str(first)])
        if done.returncode == 124:
            return 1
        count = int(done.stdout.split("\n")[-2].split(" ", 1)[0])
        return count or None

    def graphs_fail(self):
        return self.run([self.simulator(), "--graphs", "20"]).returncode != 0


def measure(tree, seeds, repeats):
    """The number of seeds, from several first ones; [] when the first try does not catch it."""
    counts = []
    for i in range(repeats):
        count = tree.seeds_to_catch(1 + i * 1000000, seeds)
        if count is None:
            break
        counts.append(count)
    return counts


def kill(tree, patch, options):
    """A line of the table: (units that fail, counts of seeds, whether the graphs fail)."""
    patch.apply(tree.folder)
    try:
        outside = patch.outside()
        tree.compile(outside)
        units = tree.failing_units(options.quick, outside)
        if outside or (options.quick and units):
            return units, [], False
        counts = measure(tree, options.seeds, 1 if options.quick else options.repeats)
        # They are about elections, and take long.
        elections = any("election" in path for path in patch.files())
        graphs = (elections or not (units or counts)) and tree.graphs_fail()
        return units, counts, graphs
    finally:
        for path in patch.files():
            tree.copy(path)


def line_of(patch, units, counts, graphs, repeats):
    rule = patch.rule + (f" (else: {patch.otherwise})" if patch.otherwise else "")
    by = []
    if units:
        by.append(f"unit: {units[0]}" + (f" and {len(units) - 1} more" if units[1:] else ""))
    if counts:
        by.append("sim")
    if graphs:
        by.append("graphs")
    seeds = "-"
    if counts:
        few = "" if len(counts) == repeats else f" ({len(counts)} of {repeats} tries)"
        seeds = f"{statistics.median(counts):.0f}{few}"
    return f"| {patch.name} | {rule} | {', '.join(by) or '**nothing**'} | {seeds} |\n"


def write_table(lines, options):
    with open(TABLE, encoding="utf-8") as file:
        head = file.read().split(MARK)[0]
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(head + MARK)
        file.write(f"\n{len(lines)} mutants; at most {options.seeds} seeds a try, "
                   f"{options.repeats} tries.\n\n")
        file.write("| Mutant | Rule that it breaks | Caught by | Median seeds |\n")
        file.write("| --- | --- | --- | --- |\n")
        file.writelines(lines)


def work(names, folder, options):
    """Takes names until there is none; its verdicts: (name, caught, line)."""
    verdicts = []
    tree = Tree(folder)
    tree.compile()
    failing = tree.failing_units(True)
    if failing:
        raise SystemExit(f"mutants: without any of them, {failing[0]} fails.")
    while True:
        try:
            patch = Patch(names.get_nowait())
        except queue.Empty:
            return verdicts
        try:
            units, counts, graphs = kill(tree, patch, options)
            line = line_of(patch, units, counts, graphs, options.repeats)
            verdicts.append((patch.name, bool(units or counts or graphs), line))
        except Lost as lost:
            verdicts.append((patch.name, False, f"mutants: {lost}\n"))
        print(verdicts[-1][2], end="", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", help="a folder for the copies, which stay for the next time")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count()))
    options = parser.parse_args()
    known = sorted(file[:-6] for file in os.listdir(HERE) if file.endswith(".patch"))
    for name in options.names:
        if name not in known:
            sys.exit(f"mutants: there is no {name}.patch in tests/mutants.")
    names = queue.SimpleQueue()
    for name in options.names or known:
        names.put(name)
    with tempfile.TemporaryDirectory(prefix="paxwire-mutants-") as scratch, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        folders = [os.path.join(options.keep or scratch, str(i)) for i in range(options.jobs)]
        workers = [pool.submit(work, names, folder, options) for folder in folders]
    verdicts = sorted(verdict for worker in workers for verdict in worker.result())
    lines = [line for _, _, line in verdicts]
    caught = sum(good for _, good, _ in verdicts)
    missed = len(verdicts) - caught
    if not options.names and not options.quick:
        write_table(lines, options)
    print(f"{caught} passed, {missed} failed")
    sys.exit(0 if missed == 0 else 1)


if __name__ == "__main__":
    main()
