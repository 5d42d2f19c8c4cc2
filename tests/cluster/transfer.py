"""Cases whose fault is a member's lag: the others have dropped from their logs what it lacks, and it
takes a snapshot of one of them."""

import os
import random
import re
import sys
import time

from clients import MEMBERS
from cluster import PATIENCE_S, wait_until

LOG_INSTANCES = 8192    # consensus/limits.h
BEYOND = 2 * LOG_INSTANCES
INSTALLS = ("is received", "is checked", "goes to the disk", "replaces the state")
KILLS = 3           # In the middle of an install.
TRIES_MOST = 12
MOMENT_MOST_S = 0.03


def delivered(c, i):
    return wait_until(f"what replica {i} has delivered", lambda: c.count(i, "status", "delivered"))


def installed(c, i):
    return c.count(i, "status", "snapshots_installed")


def others_go_beyond(c, i, stood):
    """Who stood at that instance finds it in no log any more; returns who leads."""
    leader = c.another_leads(i)
    c.load_until("that the others' logs begin above it",
                 lambda: delivered(c, leader) > stood + BEYOND)
    return leader


def is_level(c, i):
    """It is where the leader is: at once, with all that was under way."""
    leader = c.another_leads(i)
    wait_until("that it is level", lambda: delivered(c, i) >= delivered(c, leader) > 0)


def installs(c, i):
    wait_until("that it installs a snapshot", lambda: installed(c, i) > 0)
    return installed(c, i)


def stands_still(c, victim):
    """Until it is beyond the others' logs; returns who leads then."""
    stood = delivered(c, victim)
    # What waits in its sockets would take it on, some way.
    c.rule("oifname", f"p{victim}", "counter", "drop")
    c.stop(victim)
    leader = others_go_beyond(c, victim, stood)
    c.rules_hit()
    c.heal()
    c.go_on(victim)
    return leader


def follower(c):
    return (c.leads() + 1) % len(MEMBERS)


def a_follower_stopped_beyond_the_logs_installs_a_snapshot(c):
    victim = follower(c)
    leader = stands_still(c, victim)
    times = installs(c, victim)
    return f"replica {victim} stopped, {leader} leads, {times} installed"


def a_leader_stopped_beyond_the_logs_installs_a_snapshot(c):
    victim = c.leads()
    leader = stands_still(c, victim)
    times = installs(c, victim)
    wait_until("that it steps down", lambda: c.count(victim, "status", "step_downs") > 0)
    return f"replica {victim} stopped, {leader} leads, {times} installed"


def what_a_durable_member_installed_is_there_after_a_kill(c):
    victim = follower(c)
    stands_still(c, victim)
    times = installs(c, victim)
    # Without load the others do not go on without it: all that it lacks is in their logs.
    c.load_ends()
    is_level(c, victim)
    stood = delivered(c, victim)
    c.kill(victim)
    c.start_again(victim)
    is_level(c, victim)
    assert delivered(c, victim) >= stood
    status = c.ctl(victim, "status")
    assert (status["snapshots_restored"], status["snapshots_installed"]) == (1, 0), status
    return f"replica {victim} stopped, {times} installed, killed at {stood}, and back from its disk"


def killed_in_an_install(c, victim, moment_s):
    """Killed so long after it began one; returns how far it was, if that was not the end."""
    end = time.monotonic() + PATIENCE_S
    while c.ctl(victim, "status").get("snapshot") not in INSTALLS and not installed(c, victim):
        assert time.monotonic() < end, c.ctl(victim, "status")
    time.sleep(moment_s)
    state = c.ctl(victim, "status").get("snapshot")
    c.kill(victim)
    return state if state in INSTALLS else None


def a_durable_member_is_killed_in_the_middle_of_installs(c):
    victim = follower(c)
    seed = time.time_ns() % 2**32
    moments = random.Random(seed)
    leader = stands_still(c, victim)
    killed = []
    for _ in range(TRIES_MOST):
        killed += filter(None, [killed_in_an_install(c, victim, moments.uniform(0, MOMENT_MOST_S))])
        if len(killed) == KILLS:
            break
        # It may have installed all of it, and more.
        leader = others_go_beyond(c, victim, delivered(c, leader))
        c.start_replica(victim)
    assert len(killed) == KILLS, f"seed {seed}: {killed}"
    c.start_again(victim)
    return (f"replica {victim} killed while its snapshot {', '.join(killed)}, {leader} leads; "
            f"seed {seed}")


def segments(c, i):
    """Numbers of the journal's files."""
    return sorted(int(name[1]) for name in map(re.compile(r"segment-(\d+)").fullmatch,
                                               os.listdir(c.directory(i))) if name)


def others_trim_their_journals_beyond_a_dead_member(c):
    victim = follower(c)
    others = [i for i in MEMBERS if i != victim]
    stood = delivered(c, victim)
    c.kill(victim)
    before = {i: segments(c, i)[-1] for i in others}
    leader = others_go_beyond(c, victim, stood)
    c.load_until("that the others trim", lambda: all(segments(c, i)[0] > before[i] for i in others))
    c.start_again(victim)
    times = installs(c, victim)
    most = 2 * c.needs.snapshot_segments + 4  # ST2
    c.load_until("that more were filled",
                 lambda: all(segments(c, i)[-1] > 3 * most for i in MEMBERS))
    # On a busy machine control may be late, and there are more for a while.
    fewest = dict.fromkeys(MEMBERS, sys.maxsize)

    def were_few():
        for i in MEMBERS:
            fewest[i] = min(fewest[i], len(segments(c, i)))
        return max(fewest.values()) <= most
    c.load_until("that they are few again", were_few)
    shown = ", ".join(f"{fewest[i]} of {segments(c, i)[-1] + 1}" for i in MEMBERS)
    return f"replica {victim} killed, {leader} leads, {times} installed; files of journals: {shown}"
