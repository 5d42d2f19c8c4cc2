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
import os
import subprocess
import sys
import tempfile
import time

import cluster as base
import disks
import ports
import transfer
from clients import ANY_READERS, CALM_S, Cluster, KV, LINEAR, LOAD_S, MEMBERS, MODE, Needs
from cluster import run, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
OPERATIONS_LEAST = 100000   # All cases together.


# ---- Cases: what is done while the clients work; each returns how it showed ----


def a_follower_is_killed(c):
    leader = c.leads()
    victim = (leader + 1) % (len(MEMBERS))
    c.kill(victim)
    c.goes_on_without(victim)
    return f"replica {victim} killed"


def the_leader_is_killed(c):
    leader = c.leads()
    c.kill(leader)
    return f"replica {leader} killed, {c.another_leads(leader)} leads"


def the_leader_is_stopped_beyond_every_timeout_and_goes_on(c):
    leader = c.leads()
    c.stop(leader)
    other = c.another_leads(leader)
    time.sleep(1)
    c.go_on(leader)
    wait_until("that it steps down", lambda: c.count(leader, "status", "step_downs") > 0)
    return f"replica {leader} stopped, {other} leads"


def every_member_is_stopped_beyond_every_timeout_and_goes_on(c):
    leader = c.leads()
    for i in MEMBERS:
        c.stop(i)
    time.sleep(2)
    # In turn, the leader first: it has no quorum for a while, and no word of that.
    for i in (leader, *(i for i in MEMBERS if i != leader)):
        c.go_on(i)
        time.sleep(0.2)
    return f"all stopped for 2 s, {c.leads()} leads after {leader}"


def a_durable_leader_is_killed_and_started_again_and_again(c):
    killed = []
    for _ in range(3):
        leader = c.leads()
        c.kill(leader)
        other = c.another_leads(leader)
        c.start_again(leader)
        killed.append(f"{leader} (then {other} leads)")
    return "killed and back: " + ", ".join(killed)


def every_durable_member_is_killed_and_started_one_after_the_other(c):
    before = c.count(c.leads(), "status", "delivered")
    assert before > 0
    for i in list(c.replicas):
        c.kill(i)
    for i in MEMBERS:
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
    for i in MEMBERS:
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
    for i in MEMBERS:
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


DURABLE = Needs(durability="sync")
ASYNC = Needs(durability="async")
# Soon copied, and some hundred writes fill it.
SMALL = DURABLE._replace(segments=4, segment_bytes=1 << 20)
OWN_DISK = SMALL._replace(own_disk=True, load_s=3 * LOAD_S)
# What the proved protocol does not allow, and the others must keep out.
DISK_LIES = "a record that was durable is not on its disk, which it takes for whole"
# Many more instances a second than a log holds; with a disk as well.
BUSY = Needs(keys=2000, programs=(
    ("--outstanding", "16", "--reads", "20", "--cas", "10", "--deletes", "10"), ANY_READERS))
BUSY_DURABLE = Needs(durability="sync", load_s=2 * LOAD_S, keys=2000, programs=(
    ("--clients", "2", "--outstanding", "64", "--reads", "20", "--cas", "10", "--deletes", "10"),
    ANY_READERS))
# One for each operation outstanding.
MANY_SESSIONS = Needs(durability="sync", keys=5000, programs=(
    ("--clients", "2", "--outstanding", "2048", "--reads", "20"),))

CASES = {
    a_follower_is_killed: Needs(),
    the_leader_is_killed: Needs(),
    the_leader_is_killed_while_frames_are_lost: Needs(),
    the_leader_is_stopped_beyond_every_timeout_and_goes_on: Needs(),
    every_member_is_stopped_beyond_every_timeout_and_goes_on: Needs(),
    the_leader_is_cut_off_from_the_others_but_not_from_clients: Needs(),
    the_leader_sends_but_does_not_hear_the_others: Needs(),
    the_leader_hears_but_is_not_heard_by_the_others: Needs(),
    a_fifth_of_all_frames_is_lost: Needs(),
    frames_are_doubled_and_others_changed_on_the_way: Needs(),
    a_durable_leader_is_killed_and_started_again_and_again: DURABLE,
    every_durable_member_is_killed_and_started_one_after_the_other: DURABLE,
    ports.the_leaders_port_goes_down_and_up_again: Needs(),
    ports.a_flood_of_foreign_and_broken_frames: Needs(),
    disks.the_leaders_disk_runs_full_and_has_room_again: OWN_DISK,
    disks.the_leaders_disk_fails_and_is_mended: OWN_DISK,
    disks.every_async_member_ends_in_order_and_starts_again: ASYNC,
    disks.a_killed_async_member_stays_out: ASYNC,
    disks.an_empty_disk_under_an_old_identity_is_refused: DURABLE._replace(disk_lies=True),
    disks.an_old_image_of_its_disk_keeps_a_member_out: SMALL._replace(load_s=4 * LOAD_S,
                                                                     disk_lies=True),
    disks.the_leader_of_thousands_of_sessions_is_killed: MANY_SESSIONS,
    transfer.a_follower_stopped_beyond_the_logs_installs_a_snapshot: BUSY,
    transfer.a_leader_stopped_beyond_the_logs_installs_a_snapshot: BUSY,
    transfer.what_a_durable_member_installed_is_there_after_a_kill: BUSY_DURABLE,
    transfer.a_durable_member_is_killed_in_the_middle_of_installs: BUSY_DURABLE._replace(
        keys=20000),
    transfer.others_trim_their_journals_beyond_a_dead_member: BUSY_DURABLE._replace(
        segments=4, segment_bytes=1 << 20, snapshot_segments=1),
}
NAMED = {case.__name__: case for case in CASES}


def run_case(case):
    """The case on a cluster of its own; returns its operations, and what to say of it."""
    with tempfile.TemporaryDirectory(prefix="paxwire-") as folder, \
            contextlib.closing(Cluster(folder, CASES[case])) as c:
        try:
            if c.needs.own_disk:
                c.disk = disks.Disk(c, 0)
            c.begin()
            c.start_clients()
            time.sleep(CALM_S)
            shown = case(c)
            answered, unknown, gap_ms = c.end_clients()
            c.judge()
            c.agree()
            c.end_members()
            steps = c.check_steps(DISK_LIES if c.needs.disk_lies else None)
        except Exception:
            for i in c.alive():
                print(f"  replica {i}: {c.ctl(i, 'status')} {c.ctl(i, 'drops')}")
            for name in sorted(os.listdir(folder)):
                if name.endswith(".log"):
                    print(f"  {name}: {c.said(name[:-4])}")
            raise
    return answered, (f"{shown}; {answered} answered, {unknown} unknown, longest gap {gap_ms:.0f} "
                      f"ms, {steps} steps")


def inside(names):
    passed = failed = skipped = operations = 0
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
        elif done.returncode == base.SKIP:
            skipped += 1
            print(f"skipped: {title}: {done.stdout.strip()}", flush=True)
        else:
            failed += 1
            print(f"FAILED  {title} {took}\n{done.stdout}", flush=True)
    if not names and failed + skipped == 0 and operations < OPERATIONS_LEAST:
        failed += 1
        print(f"FAILED  only {operations} operations were judged")
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=NAMED, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="CASE")
    options = parser.parse_args()
    if options.case:
        try:
            answered, shown = run_case(NAMED[options.case])
        except base.Skip as e:
            print(e)
            sys.exit(base.SKIP)
        except Exception as e:  # Whatever it is, the rule does not hold.
            print(f"  {type(e).__name__}: {e}")
            sys.exit(1)
        print(answered, shown)
        return
    if options.inside:
        passed, failed, skipped = inside(options.names)
        print(f"{passed} passed, {failed} failed, {skipped} skipped")
        sys.exit(failed > 0)
    counts = base.outside(MODE, options.names, os.path.abspath(__file__),
                          (base.REPLICA, base.BENCH, base.CTL, KV, LINEAR,
                           *(os.path.join(HERE, name) for name in (
                              "clients.py", "disks.py", "flood.py", "ports.py", "transfer.py"))))
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    sys.exit(counts[1] > 0)


if __name__ == "__main__":
    main()
