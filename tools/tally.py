#!/usr/bin/env python3
"""Count the cases in a log of `meson test` (meson-logs/<name>.json).

A cmocka program counts as its cases; a program that prints `N passed, N failed[, N skipped]` counts
as it says; any other counts as one. Each skip is printed with its reason, and the last line is
`N passed, N failed[, N skipped]`.
"""

import collections
import json
import pathlib
import re
import sys

CASE = re.compile(r"^\[\s*(RUN|OK|SKIPPED)\s*\] (\S+)", re.MULTILINE)
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def tally(test):
    """(passed, failed, {skipped: reason}) of one program."""
    name, result = test["name"], test["result"]
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")

    if result == "SKIP":
        return 0, 0, {name: last_line(test.get("stdout", ""))}

    cases = {key: collections.Counter() for key in ("RUN", "OK", "SKIPPED")}
    for outcome, case in CASE.findall(output):
        cases[outcome][case] += 1

    passed, failed, skips = 0, 0, {}
    said = SUMMARY.findall(output)
    if cases["RUN"]:
        passed = cases["OK"].total()
        for case in cases["SKIPPED"]:
            skips[f"{name}: {case}"] = "see its log"
        # A case that began and did not end well: failed, crashed or timed out.
        failed = (cases["RUN"] - cases["OK"] - cases["SKIPPED"]).total()
    elif said:
        passed, failed = int(said[-1][0]), int(said[-1][1])
        for number in range(int(said[-1][2] or 0)):
            skips[f"{name}: {number + 1}"] = "see its log"
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
            print(f"failed: {test['name']}: {test['result']}")
        for name, reason in skips.items():
            print(f"skipped: {name}: {reason}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))


main()
