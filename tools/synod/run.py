#!/usr/bin/env python3
"""Two proposers with different values, three acceptors and a learner, each a process of its own with
a DPDK port, decide on one value. --rounds N repeats it under random loss, and checks that one value
wins each time. The ports are packet sockets on veth pairs in a network namespace of its own: no root
and no NIC are needed."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "build", "tools", "synod", "paxwire-synod")
NODES = 6
PROPOSERS = {3: "apple", 4: "pear"}
LEARNER = 5
LOSS = 20          # Per cent of what each node hears, when there are several rounds.
LIMIT_S = 120


def fail(sentence):
    sys.exit(f"synod: {sentence}")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: {done.stderr.strip()}")


def make_network():
    run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
    run("ip", "link", "set", "br0", "up")
    for i in range(NODES):
        run("ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", f"n{i}")
        for end in (f"p{i}", f"n{i}"):
            path = f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6"
            if os.access(path, os.W_OK):
                with open(path, "w", encoding="ascii") as f:
                    f.write("1")
        run("ip", "link", "set", f"p{i}", "master", "br0", "up")
        run("ip", "link", "set", f"n{i}", "up")


def start(i, options, logs):
    command = ["setpriv", "--pdeathsig", "KILL", PROGRAM, "--id", str(i), "--port",
               f"net_af_packet0,iface=n{i},framesz=2048,framecnt=256,blocksz=65536",
               "--rounds", str(options.rounds)]
    if i in PROPOSERS:
        command += ["--value", PROPOSERS[i]]
    if options.rounds > 1:
        command += ["--loss", str(LOSS)]
    return subprocess.Popen(command, text=True,
                            stdout=logs.get(i))


def compare(said, rounds):
    """Every round: the two proposers decided on the same proposed value, and if the learner heard
    enough votes (it loses some, too), on that one."""
    decided = {}
    for number, value in re.findall(r"^proposer \d: round (\d+) decided (\w+)$", said, re.M):
        decided.setdefault(int(number), []).append(value)
    learnt = {int(number): value for number, value in
              re.findall(r"^round (\d+): consensus achieved on value (\w+)$", said, re.M)}
    for number in range(rounds):
        values = decided.get(number, [])
        if len(values) != len(PROPOSERS) or len(set(values)) != 1 \
                or values[0] not in PROPOSERS.values():
            fail(f"round {number}: the proposers decided {values}")
        if learnt.get(number, values[0]) != values[0]:
            fail(f"round {number}: decided {values[0]}, learnt {learnt[number]}")
    wins = {value: sum(v[0] == value for v in decided.values()) for value in PROPOSERS.values()}
    print(f"{rounds} rounds under {LOSS}% loss, one value in each: "
          + ", ".join(f"{value} won {count}" for value, count in wins.items())
          + f"; the learner saw consensus achieved in {len(learnt)}")


def inside(options):
    make_network()
    processes = {}
    # Of one round all is shown; of several, what these say is compared.
    logs = {i: tempfile.TemporaryFile("w+") for i in (LEARNER, *PROPOSERS) if options.rounds > 1}
    try:
        for i in range(NODES):
            processes[i] = start(i, options, logs)
        end = time.monotonic() + LIMIT_S
        for i in PROPOSERS:
            status = processes[i].wait(timeout=max(1, end - time.monotonic()))
            if status != 0:
                fail(f"proposer {i} ended with {status}")
        time.sleep(0.2)  # The last votes are still on their way to the learner.
        processes[LEARNER].terminate()
        status = processes[LEARNER].wait(timeout=10)
    except subprocess.TimeoutExpired:
        fail(f"no agreement within {LIMIT_S} s: is a CPU free?")
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
    if status != 0:
        fail("the learner did not see one value chosen.")
    if options.rounds > 1:
        said = ""
        for log in logs.values():
            log.seek(0)
            said += log.read()
        compare(said, options.rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 1 <= options.rounds <= 4096:
        fail("--rounds takes 1 to 4096.")
    if options.inside:
        inside(options)
        return
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    if os.geteuid() == 0:
        unshare = ["unshare", "--net", "--mount"]
    probe = subprocess.run(unshare + ["true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        fail(f"a network namespace can not be made ({probe.stderr.strip()}): run it as root, or "
             "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1).")
    os.execvp(unshare[0], unshare + [sys.executable, os.path.abspath(__file__), "--inside",
                                     "--rounds", str(options.rounds)])


main()
