#!/usr/bin/env python3
"""Real processes under faults, with clients whose histories are judged: three replicas over
af_packet, each in a network namespace, and paxwire-kv on kernel sockets in one more.

Each case begins with a fresh cluster and an empty store. While clients work, its fault is done to the
cluster, and shown to bite; when they have ended, the histories must be linearizable, and the
replicas' digests equal. Prints a line for each case, then `N passed, N failed`.

    faults.py [CASE...]         a part of a case's name is enough
"""

import argparse
import contextlib
import glob
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cluster as base
from cluster import run, wait_until

# Asked many times, and a program for each question takes longer than the answer.
_loader = importlib.machinery.SourceFileLoader("paxwire_ctl", base.CTL)
ctl = importlib.util.module_from_spec(importlib.util.spec_from_loader("paxwire_ctl", _loader))
_loader.exec_module(ctl)

MODE = "af_packet"
KV = base.program("build", "tools", "client", "paxwire-kv")
LINEAR = base.program("build", "tests", "linear", "paxwire-linear")
CLIENT = base.HOSTS - 1     # The namespace of the clients,
CLIENT_ADDRESS = "10.9.0.4/24"
LOAD_S = 5                  # and how long they work.
CALM_S = 1                  # Of that, before the fault.
# What each program of clients does; each has sockets, threads and a history of its own. The readers
# do not look for another leader while theirs is silent: one that leads no more, and does not know
# it, must not answer them.
WRITERS = ["--clients", "2", "--outstanding", "4", "--reads", "40", "--cas", "15", "--deletes", "10"]
READERS = ["--retry", "3000000", "--timeout", "20000", "--outstanding", "4", "--reads", "100"]
PROGRAMS = (WRITERS, WRITERS, READERS)
JOURNAL = "journal: {directory: \"%s\", segment_bytes: 16777216, segments: 8}"
OPERATIONS_LEAST = 100000   # All cases together.
# Shorter than a fail-over: some outcomes stay unknown, and the checker must cope.
TIMEOUT_MS = 700


class Cluster(base.Cluster):
    """Replicas, and clients on kernel sockets."""

    def __init__(self, folder, tunables, durable):
        super().__init__(MODE, folder)
        with open(self.config, encoding="utf-8") as f:
            text = f.read().replace("tunables: {", "tunables: {" + tunables)
        if durable:
            text = text.replace("durability: none", "durability: sync\n" + JOURNAL % folder)
            text = text.replace("learner: 1}", "learner: 1, journal: 1}")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)
        run(*self.network.inside(CLIENT), "ip", "address", "add", CLIENT_ADDRESS, "dev", "eth0")
        run("nft", "add", "table", "bridge", "faults")
        run("nft", "add", "chain", "bridge", "faults", "passing",
            "{ type filter hook forward priority 0; }")
        self.clients = []
        self.durable = durable

    def ctl(self, i, *arguments):
        found = glob.glob(os.path.join(self.folder, "dpdk", f"paxwire-*-{i}", "dpdk_telemetry.v2*"))
        try:
            command = ",".join(["/paxwire/" + arguments[0], str(i), *arguments[1:]])
            answer = ctl.ask(found[0], command) if found else None
        except SystemExit as e:  # Its sentence.
            answer = {"error": str(e)}
        return answer or {"error": "nobody answers"}

    def begin(self):
        for i in range(base.HOSTS - 1 if self.durable else 0):
            run(base.REPLICA, "--config", self.config, "--replica", str(i), "--format")
        base.members_find_each_other_and_one_leads(self)

    def leads(self):
        return wait_until("a leader", lambda: [i for i in [self.leader()] if i is not None])[0]

    def another_leads(self, old):
        """The member that leads after `old`, as the others see it."""
        def elected():
            for i in self.alive():
                if i != old and self.ctl(i, "status").get("condition") == "leads":
                    return [i]
            return None
        return wait_until("another leader", elected)[0]

    def count(self, i, command, *keys):
        answer = self.ctl(i, command)
        return sum(answer.get(key, 0) for key in keys)

    # ---- Faults on the way ----

    def rule(self, *words):
        """A rule for frames that pass the switch; its counter shows that it bites."""
        run("nft", "add", "rule", "bridge", "faults", "passing", *words)

    def rules_hit(self):
        listed = json.loads(run("nft", "-j", "list", "table", "bridge", "faults").stdout)
        counts = [part["counter"]["packets"] for item in listed["nftables"] if "rule" in item
                  for part in item["rule"]["expr"] if "counter" in part]
        assert counts and min(counts) > 0, f"a fault did not bite: {counts}"
        return sum(counts)

    def heal(self):
        run("nft", "flush", "chain", "bridge", "faults", "passing")

    # ---- Clients ----

    def start_clients(self):
        for i, program in enumerate(PROGRAMS):
            command = [KV, "--config", self.config, "--timeout", str(TIMEOUT_MS), "throughput",
                       "--seconds", str(LOAD_S), "--keys", "50", *program,
                       "--seed", str(time.time_ns() % 2**32), "--first", str(1000 * i),
                       "--history", self.history(i)]
            with open(os.path.join(self.folder, f"client{i}.log"), "w", encoding="utf-8") as out:
                self.clients.append(subprocess.Popen(
                    self.network.inside(CLIENT) + ["setpriv", "--pdeathsig", "KILL"] + command,
                    stdout=out, stderr=out))
        self.others += self.clients

    def history(self, i):
        return os.path.join(self.folder, f"history{i}.txt")

    def end_clients(self):
        """Operations answered and unknown, of all together; the longest gap of those who write."""
        answered = unknown = 0
        gap_ms = 0.0
        for i, client in enumerate(self.clients):
            status = client.wait(timeout=base.PATIENCE_S)
            said = self.said(f"client{i}")
            assert status == 0, said
            counts = re.search(r"(\d+) answered, (\d+) unknown", said)
            answered += int(counts[1])
            unknown += int(counts[2])
            if PROGRAMS[i] is WRITERS:
                gap_ms = max(gap_ms, float(re.search(r"between answers ([\d.]+) ms", said)[1]))
        return answered, unknown, gap_ms

    def judge(self):
        """The histories, all together."""
        files = [self.history(i) for i in range(len(PROGRAMS))]
        done = run(LINEAR, *files, check=False)
        if done.returncode != 0:
            kept = tempfile.mkdtemp(prefix="paxwire-history-")
            for path in files:
                shutil.copy(path, kept)
            raise RuntimeError(f"{done.stdout}{done.stderr}the histories are in {kept}")

    def agree(self):
        """All that live come to one instance, and have the same digests."""
        def level():
            status = [self.ctl(i, "status").get("delivered") for i in self.alive()]
            return None not in status and len(set(status)) == 1 and status[0] > 0
        try:
            wait_until("that all are level", level)
        except RuntimeError as e:
            raise RuntimeError(f"{e}: {[self.ctl(i, 'status') for i in self.alive()]}") from e
        base.compare_digests({i: self.ctl(i, "digests") for i in self.alive()})


# ---- Cases: what is done while the clients work; each returns how it showed ----

def a_follower_is_killed(c):
    leader = c.leads()
    victim = (leader + 1) % (base.HOSTS - 1)
    kill(c, victim)
    before = c.count(leader, "status", "delivered")
    wait_until("commits without it",
               lambda: c.count(leader, "status", "delivered") > before + 1000)
    return f"replica {victim} killed"


def the_leader_is_killed(c):
    leader = c.leads()
    kill(c, leader)
    return f"replica {leader} killed, {c.another_leads(leader)} leads"


def is_stopped(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


def the_leader_is_stopped_beyond_every_timeout_and_goes_on(c):
    leader = c.leads()
    process = c.replicas[leader]
    process.send_signal(signal.SIGSTOP)
    try:
        # Not its own word for it: its telemetry is stopped too.
        others = [i for i in c.alive() if i != leader]
        other = wait_until("another leader", lambda: [
            i for i in others if c.ctl(i, "status").get("condition") == "leads"])[0]
        assert is_stopped(process)
        time.sleep(1)
    finally:
        process.send_signal(signal.SIGCONT)
    wait_until("that it steps down", lambda: c.count(leader, "status", "step_downs") > 0)
    return f"replica {leader} stopped, {other} leads"


def every_member_is_stopped_beyond_every_timeout_and_goes_on(c):
    leader = c.leads()
    for process in c.replicas.values():
        process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    assert all(is_stopped(process) for process in c.replicas.values())
    # In turn, the leader first: it has no quorum for a while, and no word of that.
    for i in (leader, *(i for i in c.replicas if i != leader)):
        c.replicas[i].send_signal(signal.SIGCONT)
        time.sleep(0.2)
    return f"all stopped for 2 s, {c.leads()} leads after {leader}"


def start_again(c, i):
    """A killed member comes back, and to where the others stand."""
    c.start_replica(i)
    wait_until("that it is back", lambda: c.count(i, "status", "delivered") > 0)


def kill(c, i):
    process = c.replicas.pop(i)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def a_durable_leader_is_killed_and_started_again_and_again(c):
    killed = []
    for _ in range(3):
        leader = c.leads()
        kill(c, leader)
        other = c.another_leads(leader)
        start_again(c, leader)
        killed.append(f"{leader} (then {other} leads)")
    return "killed and back: " + ", ".join(killed)


def every_durable_member_is_killed_and_started_one_after_the_other(c):
    before = c.count(c.leads(), "status", "delivered")
    assert before > 0
    for i in list(c.replicas):
        kill(c, i)
    for i in range(base.HOSTS - 1):
        time.sleep(0.3)
        c.start_replica(i)
    leader = c.leads()
    after = c.count(leader, "status", "delivered")
    # What any of them had told is on a quorum's disks; what the leader had applied was told.
    assert after >= before, (before, after)
    return f"all killed at instance {before}, {leader} leads at {after}"


def the_leader_is_killed_while_frames_are_lost(c):
    c.rule("numgen", "random", "mod", "100", "<", "10", "counter", "drop")
    said = the_leader_is_killed(c)
    time.sleep(1)
    hit = c.rules_hit()
    c.heal()
    return f"{said}, {hit} frames dropped"


def the_leader_is_cut_off_from_the_others_but_not_from_clients(c):
    leader = c.leads()
    # Its clock runs slower than the others': it thinks that it leads long after another does.
    for name in ("election_timeout_ms", "progress_timeout_ms"):
        assert c.ctl(leader, "tunables", name, "20000").get(name) == "20000"
    for i in range(base.HOSTS - 1):
        if i != leader:
            c.rule("iifname", f"p{leader}", "oifname", f"p{i}", "counter", "drop")
            c.rule("iifname", f"p{i}", "oifname", f"p{leader}", "counter", "drop")
    other = c.another_leads(leader)
    time.sleep(1)
    assert c.ctl(leader, "status").get("condition") == "leads"
    hit = c.rules_hit()
    c.heal()
    wait_until("that it steps down", lambda: c.count(leader, "status", "step_downs") > 0)
    return f"replica {leader} cut off, {other} leads, {hit} frames dropped"


def cut_one_way(c, leader, cut):
    """Until another leads: for each other member, no frame passes between the two of
    `cut(other)`, the first to the second."""
    for i in range(base.HOSTS - 1):
        if i != leader:
            source, target = cut(i)
            c.rule("iifname", f"p{source}", "oifname", f"p{target}", "counter", "drop")
    other = c.another_leads(leader)
    hit = c.rules_hit()
    c.heal()
    return f"{other} leads, {hit} frames dropped"


def the_leader_sends_but_does_not_hear_the_others(c):
    leader = c.leads()
    said = cut_one_way(c, leader, lambda other: (other, leader))
    return f"replica {leader} heard nobody, {said}"


def the_leader_hears_but_is_not_heard_by_the_others(c):
    leader = c.leads()
    said = cut_one_way(c, leader, lambda other: (leader, other))
    return f"replica {leader} was not heard, {said}"


def a_fifth_of_all_frames_is_lost(c):
    c.rule("numgen", "random", "mod", "100", "<", "20", "counter", "drop")
    time.sleep(LOAD_S - CALM_S)
    hit = c.rules_hit()
    lost = sum(c.count(i, "drops", "lost_on_the_way") for i in c.alive())
    assert lost > 0
    c.heal()
    return f"{hit} frames dropped, of which members missed {lost}"


def frames_are_doubled_and_others_changed_on_the_way(c):
    # In the body's place, or in the header's where a frame has no body.
    c.rule("ip", "protocol", "udp", "numgen", "random", "mod", "100", "<", "5", "@th,560,32", "set",
           "0x5a5a5a5a", "counter")
    c.rule("ip", "protocol", "udp", "numgen", "random", "mod", "100", "<", "5", "@th,128,32", "set",
           "0x5a5a5a5a", "counter")
    run("nft", "add", "table", "netdev", "twice")
    for i in range(base.HOSTS):
        run("nft", "add", "chain", "netdev", "twice", f"to{i}",
            f"{{ type filter hook egress device p{i} priority 0; }}")
        run("nft", "add", "rule", "netdev", "twice", f"to{i}", "numgen", "random", "mod", "100", "<",
            "20", "dup", "to", f"p{i}")
    time.sleep(LOAD_S - CALM_S)
    hit = c.rules_hit()
    run("nft", "delete", "table", "netdev", "twice")
    c.heal()
    refused = sum(c.count(i, "drops", "tag", "checksum") for i in c.alive())
    twice = sum(c.count(i, "drops", "late_or_twice") for i in c.alive())
    assert refused > 0 and twice > 0, (refused, twice)
    return f"{hit} frames changed, {refused} refused by replicas, {twice} heard twice or late"


# Who stands still for longer slows nobody, and falls beyond the others' logs: there is no state
# transfer yet. So the others wait for a member that is to come back.
COMES_BACK = "lag_timeout_ms: 60000, "
STAYS_OUT = ""

# Those whose members have journals, and come back after kill -9.
DURABLE = (a_durable_leader_is_killed_and_started_again_and_again,
           every_durable_member_is_killed_and_started_one_after_the_other)

# Each with the tunables that it needs.
CASES = {
    a_follower_is_killed: STAYS_OUT,
    the_leader_is_killed: STAYS_OUT,
    the_leader_is_killed_while_frames_are_lost: STAYS_OUT,
    the_leader_is_stopped_beyond_every_timeout_and_goes_on: COMES_BACK,
    every_member_is_stopped_beyond_every_timeout_and_goes_on: COMES_BACK,
    the_leader_is_cut_off_from_the_others_but_not_from_clients: COMES_BACK,
    the_leader_sends_but_does_not_hear_the_others: COMES_BACK,
    the_leader_hears_but_is_not_heard_by_the_others: COMES_BACK,
    a_fifth_of_all_frames_is_lost: COMES_BACK,
    frames_are_doubled_and_others_changed_on_the_way: COMES_BACK,
    a_durable_leader_is_killed_and_started_again_and_again: COMES_BACK,
    every_durable_member_is_killed_and_started_one_after_the_other: COMES_BACK,
}


def run_case(case):
    """The case on a cluster of its own; returns its operations, and what to say of it."""
    with tempfile.TemporaryDirectory(prefix="paxwire-") as folder, \
            contextlib.closing(Cluster(folder, CASES[case], case in DURABLE)) as c:
        try:
            c.begin()
            c.start_clients()
            time.sleep(CALM_S)
            shown = case(c)
            answered, unknown, gap_ms = c.end_clients()
            c.judge()
            c.agree()
        except Exception:
            for name in sorted(os.listdir(folder)):
                if name.endswith(".log"):
                    print(f"  {name}: {c.said(name[:-4])}")
            raise
    return answered, f"{shown}; {answered} answered, {unknown} unknown, longest gap {gap_ms:.0f} ms"


def inside(names):
    passed = failed = operations = 0
    for case in CASES:
        title = case.__name__.replace("_", " ")
        if names and not any(name in title for name in names):
            continue
        # Namespaces are this process's own: each case has a process, and leaves nothing behind.
        begin = time.monotonic()
        done = subprocess.run(["unshare", "--net", "--mount", sys.executable,
                               os.path.abspath(__file__), "--case", case.__name__],
                              stdout=subprocess.PIPE, text=True, check=False)
        took = f"({time.monotonic() - begin:.1f} s)"
        if done.returncode == 0:
            answered, shown = done.stdout.strip().split("\n")[-1].split(" ", 1)
            operations += int(answered)
            passed += 1
            print(f"ok      {title}: {shown} {took}", flush=True)
        else:
            failed += 1
            print(f"FAILED  {title} {took}\n{done.stdout}", flush=True)
    if not names and failed == 0 and operations < OPERATIONS_LEAST:
        failed += 1
        print(f"FAILED  only {operations} operations were judged")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=[case.__name__ for case in CASES], help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="CASE")
    options = parser.parse_args()
    if options.case:
        try:
            answered, shown = run_case(globals()[options.case])
        except Exception as e:  # Whatever it is, the rule does not hold.
            print(f"  {type(e).__name__}: {e}")
            sys.exit(1)
        print(answered, shown)
        return
    if options.inside:
        passed, failed = inside(options.names)
        print(f"{passed} passed, {failed} failed")
        sys.exit(failed > 0)
    counts = base.outside(MODE, options.names, os.path.abspath(__file__),
                          (base.REPLICA, base.BENCH, base.CTL, KV, LINEAR))
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    sys.exit(counts[1] > 0)


if __name__ == "__main__":
    main()
