#!/usr/bin/env python3
"""snapshots.py PAXWIRE-BENCH - what cutting snapshots costs, as the report for machines says it:
snapshots were cut, and commands took some time with and without them."""

import json
import os
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "report.json")
    subprocess.run([sys.argv[1], "--machine", "kv", "--keys", "20000", "--snapshots", "50", "--rate",
                    "20000", "--seconds", "2", "--warmup", "0.2", "--json", path], check=True)
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
cut = report["snapshots"]
assert cut["count"] > 0 and cut["bytes"] > 0 and 0 < cut["ms"] <= cut["max_ms"], cut
for latencies in (report["latency_us"], report["latency_us_without_snapshots"]):
    assert 0 < latencies["p50"] <= latencies["p999"] <= latencies["max"], latencies
assert report["agreement"] and report["commits"] > 0, report
