#!/usr/bin/env python3
"""Count the cases in a log of `meson test` (meson-logs/<name>.json).

A cmocka program counts as its cases; what a case says last before it skips is the reason. A program
that prints `N passed, N failed[, N skipped]` counts as it says, and prints each skip's reason as
`skipped: WHAT: WHY`. Any other counts as one. The output has that form too.
"""

import collections
import json
import pathlib
import re
import sys

CASE = re.compile(r"\[\s*(RUN|OK|SKIPPED)\s*\] (\S+)$")
SKIPPED = re.compile(r"^skipped: (.+?): (.+)$", re.MULTILINE)
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def cmocka(output):
    """(cases begun, cases passed, {skipped case: reason}), from what cmocka writes to stdout."""
    begun, passed, skips, said = collections.Counter(), collections.Counter(), {}, ""
    for line in output.splitlines():
        match = CASE.match(line)
        if not match:
            said = line
            continue
        outcome, case = match.groups()
        if outcome == "RUN":
            begun[case] += 1
            said = ""
        elif outcome == "OK":
            passed[case] += 1
        else:
            skips[case] = said.strip() or "no reason given"
    return begun, passed, skips


def tally(test):
    """(passed, failed, {skipped: reason}) of one program."""
    name, result = test["name"].split(" / ")[-1], test["result"]
    output = test.get("stdout", "")

    if result == "SKIP":
        return 0, 0, {name: last_line(output)}

    begun, well, idle = cmocka(output)
    passed, failed, skips = 0, 0, {}
    said = SUMMARY.findall(output)
    if begun:
        passed = well.total()
        skips = {f"{name}: {case}": reason for case, reason in idle.items()}
        # A case that began and did not end well: failed, crashed or timed out.
        failed = (begun - well - collections.Counter(idle.keys())).total()
    elif said:
        passed, failed = int(said[-1][0]), int(said[-1][1])
        skips = {f"{name}: {what}": why for what, why in SKIPPED.findall(output)}
        for number in range(len(skips), int(said[-1][2] or 0)):
            skips[f"{name}: {number + 1}"] = "no reason given"
    elif result == "OK":
        passed = 1

    if result not in ("OK", "EXPECTEDFAIL") and failed == 0:
        failed = 1
    return passed, failed, skips


def main():
    log = pathlib.Path(sys.argv[1])
    lines = log.read_text().splitlines() if log.exists() else []
    passed, failed, skipped = 0, 0, 0
    for test in map(json.loads, lines):
        ok, bad, skips = tally(test)
        passed, failed, skipped = passed + ok, failed + bad, skipped + len(skips)
        if bad:
            print(f"failed: {test['name'].split(' / ')[-1]}: {test['result']}")
        for name, reason in skips.items():
            print(f"skipped: {name}: {reason}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))


main()
