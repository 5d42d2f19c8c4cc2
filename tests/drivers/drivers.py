#!/usr/bin/env python3
"""What stands behind a prover or a fuzzer must not take its crash, its silence or a signal for
success: the drivers of tools/ are run with programs that lie, and must fail.

usage: drivers.py TOOLS-FOLDER

Prints a line for each rule, then `N passed, N failed`.
"""

import os
import stat
import subprocess
import sys
import tempfile

PROVERS = 'echo "Found prover Z3 version 4"; echo "Found prover CVC4 version 1"\n'
FOUND = ("echo 'SUMMARY: AddressSanitizer: heap-buffer-overflow (x/fuzz_canary+0x1) in memcpy'\n"
         "exit 1\n")
WELL = ("echo '#200000 DONE   cov: 500 ft: 1 corp: 1/1b'\n"
        "echo 'stat::number_of_executed_units: 200000'\n")

# What frama-c does, and why that is no proof.
LIARS = {
    "a prover that says nothing and exits with 0 proves nothing": "exit 0\n",
    "a prover that a signal ends proves nothing": "kill -SEGV $$\n",
    "goals that are not proved prove nothing": "echo 'Proved goals: 8999 / 9000'\n",
    "fewer goals than there are prove nothing": "echo 'Proved goals:   3 / 3'\n",
    "a proof that names no goal proves nothing": "echo 'Proved goals: 9000 / 9000'\n",
    "functions without contracts prove nothing":
        "echo 'Missing RTE guards'; echo 'Proved goals: 9000 / 9000'\n",
}

# The canary, the target, and why that is no fuzzing.
SLEEPERS = {
    "a fuzzer that executed nothing found nothing": (FOUND, "exit 0\n"),
    "a fuzzer that a signal ends found a crash": (FOUND, WELL + "kill -SEGV $$\n"),
    "a fuzzer that executed less than it was told found nothing":
        (FOUND, WELL.replace("200000", "199999")),
    "a fuzzer that reaches nothing found nothing": (FOUND, WELL.replace("cov: 500", "cov: 5")),
    "a fuzzer that exits with an error found a crash": (FOUND, WELL + "exit 77\n"),
    "fuzzers that do not find the canary's bug find none": (WELL, WELL),
}


def program(path, script):
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


def run(command, folder=None):
    """Exit status, of a driver that finds the folder's programs first."""
    path = (folder + os.pathsep if folder else "") + os.environ["PATH"]
    return subprocess.run(command, env=dict(os.environ, PATH=path), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
                          check=False).returncode


def prover_of(tools, honest):
    """Proves each file. Of a mutant the honest one fails each goal that a mutant must fail."""
    sys.path.insert(0, tools)
    import mutants  # pylint: disable=import-outside-toplevel
    named = sorted({one.wp for one in mutants.load("wp")})
    proved, failed = ("".join(f"echo '[{prover}] Goal typed_ref_{function}_{goal}{said}'\n"
                              for function, goal in named)
                      for prover, said in (("Z3", " : Valid (Qed:1ms) (20ms)"), ("CVC4", " : Timeout (1s)")))
    of_mutant = failed + "echo 'Proved goals: 3 / 4'\n"
    of_file = proved + "echo 'Proved goals: 9000 / 9000'\n"
    return ("function=\nwhile [ $# -gt 0 ]; do\n"
            '[ "$1" = -wp-fct ] && function=$2\nshift\ndone\n'
            f"if [ -n \"$function\" ]; then\n{of_mutant if honest else of_file}"
            f"else\n{of_file}fi\n")


def prove(tools, script):
    with tempfile.TemporaryDirectory() as folder:
        program(os.path.join(folder, "why3"), PROVERS)
        program(os.path.join(folder, "frama-c"), script)
        return run([os.path.join(tools, "prove.py"), "--fresh"], folder)


def fuzz(tools, canary, target):
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "tests/fuzz"))
        program(os.path.join(folder, "tests/fuzz/fuzz_canary"), canary)
        program(os.path.join(folder, "tests/fuzz/fuzz_codec"), target)
        return run([os.path.join(tools, "fuzz.py"), folder, "--quick", "--target", "codec"])


def main():
    tools = sys.argv[1]
    results = [(rule, prove(tools, script) == 1) for rule, script in LIARS.items()]
    results += [(rule, fuzz(tools, *scripts) == 1) for rule, scripts in SLEEPERS.items()]
    honest = prover_of(tools, honest=True)
    results.append(("a proof that proves the mutants too proves nothing",
                    prove(tools, prover_of(tools, honest=False)) == 1))
    results.append(("a prover that a signal ends after it proved all proves nothing",
                    prove(tools, honest + "kill -SEGV $$\n") == 1))
    results.append(("a prover that fails after it proved all proves nothing",
                    prove(tools, honest + "exit 2\n") == 1))
    # Else the rules above hold of drivers that always fail.
    results.append(("a prover that proves the code and no mutant is believed",
                    prove(tools, honest) == 0))
    results.append(("a fuzzer that did as it was told is believed", fuzz(tools, FOUND, WELL) == 0))
    for rule, well in results:
        print(f"{'ok    ' if well else 'FAILED'} {rule}")
    good = sum(well for _, well in results)
    print(f"{good} passed, {len(results) - good} failed")
    sys.exit(0 if good == len(results) else 1)


main()
