#!/usr/bin/env python3
"""A seed that fails replays exactly, and so does the smallest run that it is brought down to."""

import subprocess
import sys

SIM = sys.argv[1]


def run(arguments):
    return subprocess.run([SIM, *arguments], capture_output=True, text=True, check=False)


def command_after(mark, output):
    line = next(line for line in output.splitlines() if line.startswith(mark))
    return line[len(mark):].split()[1:]


def number(arguments, option, otherwise):
    return int(arguments[arguments.index(option) + 1]) if option in arguments else otherwise


def main():
    failed = run(["--mutant", "swap", "--seeds", "200", "--explain"])
    assert failed.returncode == 1, failed.stdout
    again = command_after("again: ", failed.stdout)
    least = command_after("smallest that fails: ", failed.stdout)
    for arguments in (again, least):
        one, other = run(arguments), run(arguments)
        assert one.returncode == 1, arguments
        assert one.stdout == other.stdout, "two runs of one seed differ"
        assert "sends ACCEPT to replica" in one.stdout, "there is no timeline"
    assert number(least, "--commits", 300) < 300, least
    # A swap needs no fault at all.
    assert number(least, "--faults", 1) == 0, least
    print("as they should be: " + " ".join(least))


main()
