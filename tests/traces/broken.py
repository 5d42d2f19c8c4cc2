#!/usr/bin/env python3
"""The checker against broken C: the simulator with one rule taken away (consensus/proof/mutants.toml)
records its runs, and paxwire-check must refuse them.

Only the changed file is compiled anew; all else is build/'s own.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import mutants  # pylint: disable=wrong-import-position

BUILD = os.path.join(ROOT, "build")
SIM = "tests/sim/paxwire-sim"
CHECKER = os.path.join(BUILD, "proof", "paxwire-check")
SECONDS = 120


class Broken(Exception):
    """A simulator that can not be built."""


def run(command):
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{command[0]}: {done.stderr[-500:]}")
    return done.stdout


class Simulator:
    """How build/ makes the simulator."""

    def __init__(self):
        self.link = shlex.split(run(["ninja", "-t", "commands", "-s", SIM]))
        # It has the protocol with limits of its own.
        self.commands = {one["file"]: shlex.split(one["command"])
                         for one in json.loads(run(["ninja", "-t", "compdb"]))
                         if one["output"].startswith(os.path.dirname(SIM) + "/")}

    def build(self, mutant, folder):
        """The program with that rule taken away, in the folder."""
        mutant.write(folder)
        command = self.commands[f"../consensus/{mutant.file}"]
        changed = os.path.join(folder, "changed.o")
        self.compile(command, os.path.join(folder, "consensus", mutant.file), changed)
        program = os.path.join(folder, "paxwire-sim")
        link = list(self.link)
        # An object that is named stands before the library's own of the same functions.
        link[link.index("-o"):link.index("-o") + 2] = ["-o", program, changed]
        run(link)
        return program

    @staticmethod
    def compile(command, source, target):
        command = [one for one in command if one not in ("-Werror", "-MD")]
        for option in ("-MQ", "-MF", "-o", "-c"):
            at = command.index(option)
            del command[at:at + 2]
        run([*command, "-o", target, "-c", source])


def judge(program, arguments):
    """What the checker says of what the simulator records, in one line. A CHECK may end the simulator: what
    it recorded until then is what counts."""
    with subprocess.Popen(["timeout", str(SECONDS), program, "--record", "-", *arguments.split()],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sim:
        done = subprocess.run([CHECKER, "-"], stdin=sim.stdout, capture_output=True, text=True,
                              check=False)
        sim.stdout.close()
    return done.stdout.strip().split("\n")[0] or done.stderr.strip()


def kill(simulator, mutant):
    """What to tell of it, and whether the checker refuses it."""
    try:
        with tempfile.TemporaryDirectory(prefix="paxwire-broken-") as folder:
            said = judge(simulator.build(mutant, folder), mutant.checker)
    except Broken as error:
        return f"mutant: {mutant.name}: NOT REFUSED: {error}", False
    # Not what has no step: the end of a file that an abort cut short.
    found = re.match(r"REFUSED step \d+ of run (\d+): (.*)", said)
    if not found:
        return f"mutant: {mutant.name}: NOT REFUSED: {said}", False
    return f"mutant: {mutant.name}: refused (seed {found[1]}: {found[2]})", True


def main():
    simulator = Simulator()
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for told, refused in pool.map(lambda one: kill(simulator, one), mutants.load("checker")):
            print(told, flush=True)
            results.append(refused)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
