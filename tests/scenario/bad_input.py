#!/usr/bin/env python3
"""What paxwire, paxwire-bench and paxwire-kv say to bad input: one sentence, the last line on stderr, that says
what to do; exit status 1; never a crash.

usage: bad_input.py PAXWIRE PAXWIRE-BENCH PAXWIRE-KV CONFIG-FOLDER [--own-interface]

--own-interface: only what needs one, in a network namespace; status 77 if there can be none.
Prints a line for each rule, then `N passed, N failed`.
"""

import fcntl
import os
import re
import subprocess
import sys
import tempfile

PATIENCE_S = 100  # For what takes a second: a stall of the machine is none of ours.
SKIP = 77
PORT = "net_af_packet0,iface=%s,framesz=2048,framecnt=4096"
MEMORY = ("durability: sync", "durability: none")
# Lines that getopt and DPDK write before ours.
OTHERS = re.compile(r"EAL: |TELEMETRY: |eth_dev_macaddr_set\(\): |"
                    r"\S*paxwire(-bench|-kv)?: (unrecognized option|option '.*' requires)")


class Programs:
    """The programs, in a folder for what they make and the files they read."""

    def __init__(self, paxwire, bench, kv, profiles, folder):
        self.paths = {"paxwire": paxwire, "paxwire-bench": bench, "paxwire-kv": kv}
        self.profiles = profiles
        self.folder = folder
        self.passed = self.failed = 0
        self.files = 0

    def file(self, profile, *changes):
        """The path of a profile with these (from, to) changes."""
        with open(os.path.join(self.profiles, profile + ".yaml"), encoding="utf-8") as f:
            text = f.read()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.files += 1
        path = os.path.join(self.folder, f"{self.files}.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def what_is_wrong(self, name, arguments, sentence, before):
        """None, or why this was no refusal by exactly this sentence."""
        environment = dict(os.environ, RUNTIME_DIRECTORY=self.folder, XDG_RUNTIME_DIR=self.folder,
                           LC_ALL="C")
        try:
            done = subprocess.run([*before, self.paths[name], *arguments], capture_output=True,
                                  text=True, check=False, timeout=PATIENCE_S, env=environment,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return "it does not end"
        lines = done.stderr.splitlines()
        if done.returncode != 1:
            return f"exit status {done.returncode}, not 1: {done.stderr}"
        if not lines or lines[-1] != f"{name}: {sentence}":
            return f"it says {lines[-1:]}\n    and not  {name}: {sentence}"
        more = [line for line in lines[:-1] if not OTHERS.match(line)]
        return f"more lines than one: {more}" if more else None

    def refuse(self, rule, name, arguments, sentence, before=()):
        """The rule holds if the program refuses these arguments so."""
        wrong = self.what_is_wrong(name, arguments, sentence, before)
        print(f"{'FAILED' if wrong else 'ok    '} {name}: {rule}"
              + (f": {wrong}" if wrong else ""), flush=True)
        self.passed += wrong is None
        self.failed += wrong is not None


def refuse_options(p, hosts):
    """Arguments that are wrong before any file is looked at, or by it."""
    paxwire, bench = "paxwire", "paxwire-bench"
    usage = "give --config FILE and --replica N (0 to 8); EAL arguments stand after --."
    missing = os.path.join(p.folder, "missing.yaml")
    p.refuse("no arguments", paxwire, [], usage)
    p.refuse("no replica", paxwire, ["--config", hosts], usage)
    p.refuse("no file", paxwire, ["--replica", "0"], usage)
    p.refuse("a replica that is no number", paxwire, ["--config", hosts, "--replica", "x"], usage)
    p.refuse("a replica above all", paxwire, ["--config", hosts, "--replica", "9"], usage)
    p.refuse("an argument too many", paxwire, ["--config", hosts, "--replica", "0", "x"], usage)
    p.refuse("a replica that the file has not", paxwire, ["--config", hosts, "--replica", "3"],
             f"{hosts}: replicas: there is no replica 3, give 0 to 2.")
    p.refuse("a trace that can not be written", paxwire,
             ["--config", hosts, "--replica", "0", "--trace", p.folder],
             f"{p.folder} can not be written: Is a directory.")
    for name in (paxwire, bench):
        more = ["--replica", "0"] if name == paxwire else []
        p.refuse("an unknown option", name, ["--bogus"], "--help lists the options.")
        p.refuse("an option without its value", name, ["--config"], "--help lists the options.")
        p.refuse("a missing file", name, ["--config", missing, *more],
                 f"{missing}: cannot be read (No such file or directory), give a cluster file "
                 "such as config/profiles/embedded.yaml")
    p.refuse("an argument too many", bench, ["x"],
             '"x" is no option: --help lists them; EAL arguments stand after --.')
    p.refuse("a client that the file has not", bench, ["--config", hosts, "--client", "nobody"],
             f"{hosts}: clients: there is none named nobody: the load needs an entry there.")
    p.refuse("replicas out of range", bench, ["--embedded", "10"],
             '--embedded takes a number from 1 to 9, not "10".')
    p.refuse("a number that is none", bench, ["--seconds", "x"],
             '--seconds takes a number from 0.1 to 86400, not "x".')
    p.refuse("a mode of reads that is none", bench, ["--reads", "round"],
             '--reads is log, leader, any or stale, not "round".')
    for event in (["--kill-leader"], ["--pause-follower", "1"], ["--snapshots", "0", "--rate", "9"]):
        p.refuse("an event elsewhere", bench, ["--config", hosts, *event],
                 "--kill-leader, --transfer, --pause-follower and --snapshots are for a cluster in "
                 "this process: elsewhere there are kill and paxwire-ctl.")
    for events in (["--kill-leader", "--transfer"], ["--transfer", "--pause-follower", "1"],
                   ["--pause-follower", "1", "--snapshots", "0", "--rate", "9"]):
        p.refuse("two events", bench, events,
                 "--kill-leader, --transfer, --pause-follower and --snapshots are runs of their "
                 "own: give one of them.")
    p.refuse("a pause that leaves no majority", bench, ["--embedded", "2", "--pause-follower", "1"],
             "--pause-follower needs at least 3 replicas: fewer have no majority without one.")
    p.refuse("a pause of no time", bench, ["--pause-follower", "0"],
             '--pause-follower takes a number from 0.1 to 3600, not "0".')
    p.refuse("snapshots in a closed loop", bench, ["--snapshots", "0"],
             "--snapshots needs an open loop: give --rate as well.")
    p.refuse("snapshots up to so many commits", bench,
             ["--snapshots", "0", "--rate", "9", "--commits", "9"],
             "--snapshots compares slices of --seconds: leave --commits out.")
    embedded = p.file("embedded")
    p.refuse("more sessions than the cluster keeps", bench,
             ["--config", embedded, "--sessions", "16384"],
             "--sessions 16384, with 64 to spare for those opened twice, does not fit "
             f"{embedded}'s sessions_max of 16384: give that 16448 or more, or take fewer.")
    p.refuse("an MTU beside a file", bench, ["--config", embedded, "--mtu", "9000"],
             "--mtu, --machine and --durability are keys of the file that --config names: "
             "give them there.")
    p.refuse("a tunable without a value", bench, ["--set", "batch"],
             '--set takes NAME=VALUE, not "batch".')
    p.refuse("a tunable that is none", bench, ["--set", "bach=8"],
             "'bach' is no tunable: `paxwire-ctl tunables` lists them")
    p.refuse("a tunable against the rules between them", bench, ["--set", "election_timeout_ms=5"],
             "heartbeat_us: 20000 is more than a third of election_timeout_ms, which is 5 ms, "
             "give at most 1666 or a longer timeout")
    p.refuse("not a number", bench, ["--faults", "nan"],
             '--faults takes a number from 0 to 50, not "nan".')
    p.refuse("a fraction of a byte", bench, ["--value", "1.5"],
             '--value takes a whole number, not "1.5".')
    p.refuse("a value beyond every MTU", bench, ["--value", "100000"],
             '--value takes a number from 0 to 9000, not "100000".')


def refuse_client(p, hosts):
    """What paxwire-kv is asked to do."""
    kv = "paxwire-kv"
    missing = os.path.join(p.folder, "missing.yaml")
    p.refuse("no arguments", kv, [], "no cluster is given: give its file with --config.")
    p.refuse("no command", kv, ["--config", hosts],
             "no command is given: give get, put, del, cas or throughput.")
    p.refuse("an unknown option", kv, ["--bogus"], "--help lists the options.")
    p.refuse("an unknown command", kv, ["--config", hosts, "list"],
             "'list' is no command: give get, put, del, cas or throughput.")
    p.refuse("an argument too few", kv, ["--config", hosts, "cas", "1", "2"],
             "cas takes 3 arguments: see --help.")
    p.refuse("an argument too many", kv, ["--config", hosts, "get", "1", "2"],
             "get takes 1 arguments: see --help.")
    p.refuse("a key that is no number", kv, ["--config", hosts, "get", "x"],
             "KEY: 'x' is not right, give a number from 0 to 18446744073709551615.")
    p.refuse("a key below 0", kv, ["--config", hosts, "get", "--", "-1"],
             "KEY: '-1' is not right, give a number from 0 to 18446744073709551615.")
    p.refuse("more than all", kv, ["--config", hosts, "--reads", "60", "--cas", "41", "throughput"],
             "--reads, --cas and --deletes are 101 percent together: give at most 100.")
    p.refuse("no time", kv, ["--config", hosts, "--seconds", "0", "throughput"],
             "--seconds: '0' is not right, give seconds above 0.")
    p.refuse("a missing file", kv, ["--config", missing, "get", "1"],
             f"{missing}: cannot be read (No such file or directory), give a cluster file "
             "such as config/profiles/embedded.yaml")


def refuse_placements(p, hosts):
    """Lcores and EAL arguments."""
    zero = p.file("three-hosts-af_packet", ("io: 1", "io: 0"))
    acceptor = p.file("three-hosts-af_packet", ("acceptors: [2]", "acceptors: [0]"))
    journal = p.file("three-hosts-af_packet", ("journal: 3}", "journal: 0}"))
    for path in (zero, acceptor, journal):
        p.refuse("a stage on lcore 0", "paxwire", ["--config", path, "--replica", "0"],
                 f"{path}: stages: lcore 0 is for control: place them on lcores from 1 on.")
    zero = p.file("embedded", ("learner: 1", "learner: 0"))
    p.refuse("a stage on lcore 0", "paxwire-bench", ["--config", zero],
             f"{zero}: replicas[0].stages: lcore 0 is for control: place stages from 1 on.")
    zero = p.file("three-hosts-af_packet", ("lcore: 1", "lcore: 0"))
    p.refuse("the load on lcore 0", "paxwire-bench", ["--config", zero],
             f"{zero}: clients: load: lcore 0 is for control: place the load on one from 1 on.")
    high = p.file("embedded", ("io: 1", "io: 20"))
    p.refuse("an lcore beyond an embedded cluster", "paxwire-bench", ["--config", high],
             f"{high}: replicas: an embedded cluster has lcores 1 to 8, not 20.")
    p.refuse("an lcore that the user's --lcores lack", "paxwire-bench", ["--", "--lcores", "0"],
             "lcore 1 can not be started: give DPDK more with --lcores.")
    refused = "DPDK does not start with these EAL arguments: Invalid argument."
    p.refuse("EAL arguments that DPDK refuses", "paxwire",
             ["--config", hosts, "--replica", "0", "--", "--bogus"], refused)
    p.refuse("EAL arguments that DPDK refuses", "paxwire-bench", ["--", "--bogus"], refused)
    p.refuse("a CPU that is not there", "paxwire-bench", ["--", "--lcores", "0@0,1@100000"],
             refused)


def refuse_directories(p):
    """Data directories: which is none of ours, and which is to be formatted."""
    above = os.path.join(p.folder, "journals")
    data = ("directory: /var/lib/paxwire",
            f"directory: {above}\n  segments: 2\n  snapshot_segments: 1\n  segment_bytes: 1048576")
    ours = p.file("three-hosts-af_packet", data)
    other = p.file("three-hosts-af_packet", data, ("id: 2\n\nmtu", "id: 3\n\nmtu"))
    changed = p.file("three-hosts-af_packet", data, ("sessions_max: 16384", "sessions_max: 9999"))
    memory = p.file("three-hosts-af_packet", MEMORY)
    start, make = ["--replica", "0"], ["--replica", "0", "--format"]
    directory = os.path.join(above, "replica-0")
    p.refuse("nothing to format", "paxwire", ["--config", memory, *make],
             f"{memory}: durability: none keeps nothing on disk: there is nothing to format.")
    p.refuse("no folder for the directories", "paxwire", ["--config", ours, *make],
             f"journal.directory: {directory} can not be made (No such file or directory): make "
             f"{above} first, writable for this user.")
    os.mkdir(above)
    p.refuse("no directory", "paxwire", ["--config", ours, *start],
             f"journal.directory: {directory} is not there: if this replica never ran, format it "
             "with `paxwire-ctl format`; else give it its directory back.")
    os.mkdir(directory)
    p.refuse("an empty directory", "paxwire", ["--config", ours, *start],
             f"journal.directory: {directory} is not formatted: if this replica never ran, format "
             "it with `paxwire-ctl format`; else it has lost its promises and must be replaced.")
    done = subprocess.run([p.paths["paxwire"], "--config", ours, *make], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        return done.stderr.strip()
    p.refuse("a formatted directory formatted again", "paxwire", ["--config", ours, *make],
             f"{directory} is formatted already: to give up all that it holds, remove it first.")
    p.refuse("another cluster's directory", "paxwire", ["--config", other, *start],
             f"journal.directory: {directory}: the journal is of another cluster: give this member "
             "its own directory.")
    p.refuse("another configuration's directory", "paxwire", ["--config", changed, *start],
             f"journal.directory: {directory}: the journal was made with other members, quorums or "
             "durability: give the configuration that it was made with.")
    with open(os.path.join(directory, "lock"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        p.refuse("a directory in use", "paxwire", ["--config", ours, *start],
                 f"journal.directory: {directory} is in use by another process: stop that one "
                 "first, or give each replica its own.")
    return None


def refuse_ports(p):
    """Ports, and values that they do not carry."""
    ring = p.file("embedded")
    p.refuse("rings", "paxwire", ["--config", ring, "--replica", "0"],
             f"{ring}: replicas[0].ports: `ring` is for replicas in one process: give a port of "
             "this host, such as net_af_packet0,iface=eth0, or run paxwire-bench --config.")
    none = p.file("three-hosts-af_packet", ("iface=eth0", "iface=no_such_if0"), MEMORY)
    sentence = (f'port "{PORT % "no_such_if0"}": there is no interface no_such_if0: `ip link` '
                "lists those there are.")
    p.refuse("an interface that is not there", "paxwire", ["--config", none, "--replica", "0"],
             sentence)
    p.refuse("an interface that is not there", "paxwire-bench", ["--config", none], sentence)
    for more, limit in (([], "MTU 1500 it may have 1336"),
                        (["--machine", "kv"], "MTU 1500 and kv.value_max it may have 1312"),
                        (["--config", none], "MTU 1500 and kv.value_max it may have 128")):
        p.refuse("a value that no frame carries", "paxwire-bench", ["--value", "9000", *more],
                 f"--value: a value of 9000 bytes is too large: with {limit}.")


def refuse_interfaces(p):
    """By the loopback of a network namespace of our own. False: there is none."""
    before = ["unshare", "-rn", "sh", "-c", 'ip link set lo mtu 1000 up && exec "$@"', "sh"]
    try:
        tried = subprocess.run([*before, "true"], capture_output=True, text=True, check=False)
        problem = tried.stderr.strip() if tried.returncode != 0 else None
    except FileNotFoundError as e:
        problem = str(e)
    if problem is not None:
        print(f"there is no network namespace for an interface of our own: {problem}")
        return False
    narrow = p.file("three-hosts-af_packet", ("iface=eth0", "iface=lo"), MEMORY)
    sentence = (f'port "{PORT % "lo"}": lo carries 1000 bytes, the cluster\'s mtu is 1500: run '
                "`ip link set lo mtu 1500`, or lower mtu in every host's file.")
    rule = "an interface with too small an MTU"
    p.refuse(rule, "paxwire", ["--config", narrow, "--replica", "0"], sentence, before)
    p.refuse(rule, "paxwire-bench", ["--config", narrow], sentence, before)
    many = p.file("three-hosts-af_packet", ("iface=eth0", "iface=lo"), ("mtu: 1500", "mtu: 1000"),
                  MEMORY,
                  ("framecnt=4096", "framecnt=64"),  # Locked memory: an ordinary user has little.
                  ("    stages:", "    queues: 16\n    stages:"))
    p.refuse("more queues than the port has", "paxwire", ["--config", many, "--replica", "0"],
             'port "net_af_packet0,iface=lo,framesz=2048,framecnt=64" has at most 1 RX and '
             "1 TX queues: give `queues` no more (some drivers have an argument for it, "
             "such as qpairs).", before)
    hosts = p.file("three-hosts-af_packet")
    p.refuse("no route to a replica", "paxwire-kv", ["--config", hosts, "get", "1"],
             "replica 0 at 192.168.10.1 can not be reached: Network is unreachable; give this host "
             "an address and a route to the replicas' network.", before)
    before[4] = "ip address add 192.168.10.9/24 dev lo && " + before[4]
    p.refuse(rule, "paxwire-kv", ["--config", hosts, "get", "1"],
             "the way to replica 0 at 192.168.10.1 carries 1000 bytes, the cluster's mtu is 1500: "
             "raise the interface's, or lower mtu in every host's file.", before)
    before[4] = before[4].replace("mtu 1000 ", "")
    p.refuse("no answer", "paxwire-kv", ["--config", hosts, "--timeout", "200", "get", "1"],
             "no replica answered in time, and nothing was done: are they running, and can they be "
             "reached from here?", before)
    return True


def main():
    """All of it, in a folder that is gone afterwards."""
    paxwire, bench, kv, profiles = sys.argv[1:5]
    with tempfile.TemporaryDirectory(prefix="paxwire-bad-input-") as folder:
        p = Programs(paxwire, bench, kv, profiles, folder)
        if "--own-interface" in sys.argv[5:]:
            if not refuse_interfaces(p):
                return SKIP
        else:
            hosts = p.file("three-hosts-af_packet")
            refuse_options(p, hosts)
            refuse_client(p, hosts)
            refuse_placements(p, hosts)
            refuse_ports(p)
            problem = refuse_directories(p)
            if problem is not None:
                print(f"skipped: data directories: {problem}")
    print(f"{p.passed} passed, {p.failed} failed")
    return 0 if p.failed == 0 else 1


sys.exit(main())
