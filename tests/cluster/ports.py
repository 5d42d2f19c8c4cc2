"""Cases whose fault is at the ports: one goes down, or carries frames that are none of the protocol's."""

import os
import re
import signal
import subprocess
import sys
import time

from clients import CALM_S, CLIENT, LOAD_S, MEMBERS
from cluster import run, wait_until

FLOOD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flood.py")
DOWN_S = 2


def the_leaders_port_goes_down_and_up_again(c):
    leader = c.leads()
    inside = c.network.inside(leader)
    run(*inside, "ip", "link", "set", "eth0", "down")
    other = c.another_leads(leader)
    before = c.count(leader, "status", "delivered")
    time.sleep(DOWN_S)
    assert c.count(leader, "status", "delivered") == before, "it heard something all the same"
    run(*inside, "ip", "link", "set", "eth0", "up")
    wait_until("that it is back",
               lambda: c.count(leader, "status", "delivered") >
               max(before, c.count(other, "status", "delivered") - 1000))
    return f"replica {leader} had no port for {DOWN_S} s, {other} led"


def a_flood_of_foreign_and_broken_frames(c):
    leader, ballot = c.leads(), c.ctl(c.leads(), "status")["ballot"]
    targets = [f"10.9.0.{i + 1}-02:00:00:00:09:{i + 1:02x}" for i in MEMBERS]
    reasons = ("not_ip", "ip", "not_udp", "port", "short", "magic", "tag")
    before = {reason: [c.count(i, "drops", reason) for i in MEMBERS] for reason in reasons}
    flood = subprocess.Popen(c.network.inside(CLIENT) + ["setpriv", "--pdeathsig", "KILL",
                                                         sys.executable, FLOOD, *targets],
                             stdout=subprocess.PIPE, text=True)
    c.others.append(flood)
    assert flood.stdout.readline() == "floods\n"  # On a busy machine its start takes a while.
    time.sleep(LOAD_S - 2 * CALM_S)
    flood.send_signal(signal.SIGTERM)
    said = flood.communicate(timeout=LOAD_S)[0]
    sent, answers = map(int, re.findall(r"\d+", said))
    refused = 0
    for reason in reasons:
        more = [c.count(i, "drops", reason) - before[reason][i] for i in MEMBERS]
        assert min(more) > 0, (reason, more)
        refused += sum(more)
    # Nobody is answered who is not known; and good frames have their share: nobody lost the lead.
    assert answers == 0, said
    assert c.ctl(leader, "status")["ballot"] == ballot, "the flood cost the leadership"
    return f"{sent} frames sent, {refused} refused and counted, none answered, {leader} leads on"
