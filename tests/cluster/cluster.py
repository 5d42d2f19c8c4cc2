#!/usr/bin/env python3
"""Replicas and a load as processes of their own, each in a network namespace of its own, joined by
veth pairs and a bridge. Modes: af_packet, af_xdp (both
as root), rootless (af_packet as an ordinary user, in a user namespace).

Prints a line for each rule, then `N passed, N failed`; a mode that can not run here is skipped, and
its reason printed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PAXWIRE_BUILD", "build")  # The folder of the build to test.
PROGRAMS = os.environ.get("PAXWIRE_PROGRAMS")  # A folder with all of them; else where they are.


def program(*path):
    return os.path.join(PROGRAMS, path[-1]) if PROGRAMS else os.path.join(ROOT, *path)


REPLICA = program(BUILD, "dataplane", "paxwire")
CHECKER = program("build", "proof", "paxwire-check")
BENCH = program(BUILD, "bench", "paxwire-bench")
CTL = program("tools", "paxwire-ctl")
KV = program("build", "tools", "client", "paxwire-kv")
EXAMPLE = program("build", "tools", "client", "paxwire-client-example")
MODES = ("af_packet", "rootless", "af_xdp")
HOSTS = 4          # Three replicas, and the load on the last.
PATIENCE_S = 60    # For what takes a second: a stall of the machine is none of ours.
SKIP = 77


class Skip(Exception):
    """The machine lacks something; the reason is the text."""


def run(*command, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def wait_until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.1)
    raise RuntimeError(f"not within {PATIENCE_S} s: {what}")


def devargs(mode, queues=1):
    if mode == "af_xdp":
        return "net_af_xdp0,iface=eth0"
    # The ring is locked memory, of which an ordinary user has 8 MiB.
    frames = 512 if mode == "rootless" else 4096
    pairs = f",qpairs={queues}" if queues > 1 else ""
    return f"net_af_packet0,iface=eth0,framesz=2048,framecnt={frames},blocksz=65536{pairs}"


def cluster_file(mode, machine, window):
    """All stages of a replica on one lcore: four processes share two CPUs."""
    text = ["cluster: {name: test, id: 7}", "durability: none", "quorums: {kind: majority}",
            f"state_machine: \"{machine}\"", "kv: {capacity: 100000, value_max: 64}",
            f"tunables: {{idle: yield, window: {window}, retransmit_us: 20000, "
            # Four processes on two CPUs of a busy machine: stalls are no deaths.
            "commit_idle_us: 50, election_timeout_ms: 1000}", "replicas:"]
    # Several RX queues of a port are one more thing to get right, and nothing to measure here.
    queues = 2 if mode == "af_packet" and machine == "kv" else 1
    for i in range(HOSTS - 1):
        text.append(f"  - {{id: {i}, address: 10.9.0.{i + 1}, "
                    f"ports: [\"{devargs(mode, queues)}\"], queues: {queues}, "
                    "stages: {io: 1, leader: 1, acceptors: [1], learner: 1}}")
    text.append("clients:")
    text.append(f"  - {{name: load, address: 10.9.0.{HOSTS}, ports: [\"{devargs(mode)}\"], "
                "lcore: 1}")
    text.append(f"  - {{name: mirror, address: 10.9.0.50, ports: [\"{devargs(mode)}\"], lcore: 1}}")
    return "\n".join(text) + "\n"


class Network:
    """Namespaces as processes that hold them; this process is in the switch's own."""

    def __init__(self):
        self.holders = []
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        run("ip", "link", "set", "br0", "up")
        for path in ("iptables", "ip6tables", "arptables"):
            try:
                with open(f"/proc/sys/net/bridge/bridge-nf-call-{path}", "w") as f:
                    f.write("0")
            except OSError:
                pass  # No such module: nothing filters.
        for i in range(HOSTS):
            self.add_host(i)

    def add_host(self, i):
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.holders.append(holder)
        own = os.readlink("/proc/self/ns/net")
        wait_until("a network namespace",
                   lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
        mac = f"02:00:00:00:09:{i + 1:02x}"
        run("ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", "eth0", "address", mac,
            "netns", str(holder.pid))
        run("ip", "link", "set", f"p{i}", "master", "br0", "up")
        inside = ["nsenter", "--net", "--target", str(holder.pid)]
        # The kernel's own IPv6 chatter is none of the test's.
        run(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6 || true")
        run(*inside, "ip", "link", "set", "eth0", "up")

    def inside(self, i):
        return ["nsenter", "--net", "--target", str(self.holders[i].pid)]

    def close(self):
        for holder in self.holders:
            holder.kill()
            holder.wait()


class Cluster:
    """The processes, and what they said."""

    def __init__(self, mode, folder, machine="kv", window=2048):
        self.mode = mode
        self.folder = folder
        self.config = os.path.join(folder, "cluster.yaml")
        self.steps = os.path.join(folder, "steps")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(cluster_file(mode, machine, window))
        self.environment = dict(os.environ, RUNTIME_DIRECTORY=folder)
        self.network = Network()
        self.replicas = {}
        self.others = []

    def start(self, where, name, *command):
        log = os.path.join(self.folder, f"{name}.log")
        cpus = os.cpu_count() - 1
        # Whatever ends this test ends its processes too.
        command = ["setpriv", "--pdeathsig", "KILL"] + list(command) + [
            "--", "--lcores", f"0@0-{cpus},1@0-{cpus}"]
        with open(log, "w", encoding="utf-8") as out:
            return subprocess.Popen(self.network.inside(where) + command, stdout=out, stderr=out,
                                    env=self.environment)

    def start_replica(self, i):
        record = ["--record", self.steps] if self.steps else []
        self.replicas[i] = self.start(i, f"replica{i}", REPLICA, "--config", self.config,
                                      "--replica", str(i), *record)

    def check_steps(self, refusal=None):
        """No replica runs any more: does the proved protocol allow each step of all their lives, or all
        up to one that is refused so? Returns how many it allows."""
        done = run(CHECKER, self.steps, check=False)
        refused = re.match(r"REFUSED step (\d+): (.*)", done.stdout)
        if refused and refused[2] == refusal:
            return int(refused[1])
        if done.returncode != 0 or refusal:
            kept = tempfile.mkdtemp(prefix="paxwire-steps-")
            shutil.move(self.steps, kept)
            raise RuntimeError(f"{done.stdout}{done.stderr}the steps are in {kept}/steps")
        return int(done.stdout.split()[0])

    def ctl(self, i, *arguments):
        done = run(sys.executable, CTL, "--json", "--replica", str(i), *arguments, check=False,
                   env=self.environment)
        return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}

    def start_bench(self, *arguments, name="load"):
        process = self.start(HOSTS - 1, name, BENCH, "--config", self.config, "--client", "load",
                             "--json", os.path.join(self.folder, f"{name}.json"), *arguments)
        self.others.append(process)
        return process

    def finish_bench(self, process, name):
        try:
            status = process.wait(timeout=3 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            status = "a timeout"
        if status != 0:
            raise RuntimeError(f"paxwire-bench ended with {status}: {self.said(name)}")
        with open(os.path.join(self.folder, f"{name}.json"), encoding="utf-8") as f:
            return json.load(f)

    def bench(self, *arguments, name="load"):
        return self.finish_bench(self.start_bench(*arguments, name=name), name)

    def said(self, name):
        with open(os.path.join(self.folder, f"{name}.log"), encoding="utf-8") as f:
            return f.read().strip()[-600:]

    def alive(self):
        return [i for i, p in self.replicas.items() if p.poll() is None]

    def leader(self):
        for i in self.alive():
            if self.ctl(i, "status").get("condition") == "leads":
                return i
        return None

    def close(self):
        for process in list(self.replicas.values()) + self.others:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.network.close()


# ---- The rules, in order: each leaves the cluster as the next one expects it ----

def members_find_each_other_and_one_leads(c):
    for i in range(HOSTS - 1):
        c.start_replica(i)
    wait_until("a leader", lambda: c.leader() is not None)


def no_command_is_lost_under_load(c):
    report = c.bench("--commits", "200000", "--seconds", "120", "--warmup", "0.2")
    assert report["failed"] == 0 and report["unanswered"] == 0, report
    assert report["commits"] >= 200000, report
    assert report["allocated_while_polling_bytes"] == 0, report


def replicas_agree_at_equal_instances(c):
    compare_digests({i: c.ctl(i, "digests") for i in c.alive()})


def compare_digests(digests):
    """Those of each replica by instance; at least two replicas have one in common."""
    common = set.intersection(*(set(d) for d in digests.values()))
    assert len(digests) >= 2 and common, digests
    for instance in common:
        assert len({d[instance] for d in digests.values()}) == 1, instance


def arp_and_icmp_echo_are_answered(c):
    run("ip", "address", "replace", "10.9.0.100/24", "dev", "br0")
    done = run("ping", "-c", "3", "-i", "0.2", "-W", "5", "10.9.0.1", check=False)
    assert " 0% packet loss" in done.stdout, done.stdout + done.stderr


def kv(c, *words):
    """paxwire-kv on the kernel's sockets, from the switch: (exit status, what it printed)."""
    done = run(KV, "--config", c.config, "--address", "10.9.0.100", "--timeout",
               str(1000 * PATIENCE_S), *words, check=False)
    return done.returncode, done.stdout.strip() + done.stderr


def a_client_on_kernel_sockets_gets_puts_deletes_and_swaps(c):
    key = str(2**64 - 1)
    assert kv(c, "get", key) == (2, "")
    status, first = kv(c, "put", key, "one")
    assert status == 0 and int(first) > 0, first
    assert kv(c, "get", key) == (0, f"{first} one")
    assert kv(c, "cas", key, "0", "two") == (3, first)
    status, second = kv(c, "cas", key, first, "two")
    assert status == 0 and int(second) > int(first), second
    for way in ("--any", "--any", "--any", "--timeout=60000"):  # Each member, and the leader.
        assert kv(c, way, "get", key) == (0, f"{second} two")
    # What a member has applied may be older: then its own word for how far tells.
    status, said = kv(c, "--stale", "get", key)
    words = said.split()
    assert status in (0, 2) and (int(words[0]) > int(second)) == (words[1:] == [second, "two"]), said
    assert kv(c, "del", key)[0] == 0
    assert kv(c, "del", key) == (2, "")
    status, said = kv(c, "put", key, "x" * 65)
    assert status == 5 and "refuses it (bad command)" in said, (status, said)


def kernel_clients_have_every_operation_answered(c):
    status, said = kv(c, "throughput", "--seconds", "60", "--operations", "50000", "--clients", "2")
    assert status == 0 and " 50000 answered, 0 unknown, 0 not run" in said, said


def the_clients_example_counts_though_two_do_at_once(c):
    for _ in range(2):
        c.others.append(subprocess.Popen([EXAMPLE, c.config, str(2**60), "200"],
                                         stdout=subprocess.PIPE, text=True))
    counts = [p.communicate(timeout=PATIENCE_S)[0] for p in c.others[-2:]]
    assert max(int(count) for count in counts) == 400, counts


def a_tunable_changes_while_it_runs(c):
    for i in c.alive():
        assert c.ctl(i, "set", "batch", "4").get("batch") == "4"
    report = c.bench("--seconds", "1", "--warmup", "0.1", name="tuned")
    assert report["failed"] == 0 and report["unanswered"] == 0, report
    leader = c.leader()
    assert leader is not None
    for i in c.alive():
        assert c.ctl(i, "set", "batch", "0").get("batch") == "0"
    assert "error" in c.ctl(leader, "set", "batch", "9999")


def the_heap_is_not_touched_while_polling(c):
    for i in c.alive():
        heap = c.ctl(i, "heap")
        assert heap["allocated_while_polling_bytes"] == 0, heap
        assert heap["allocated_bytes"] > 0, heap


def the_same_replica_does_not_start_twice_on_a_host(c):
    second = c.start(0, "twice", REPLICA, "--config", c.config, "--replica", "0")
    c.others.append(second)
    assert second.wait(timeout=PATIENCE_S) == 1
    assert "runs on this host already" in c.said("twice"), c.said("twice")


def the_lead_moves_by_command_and_no_command_is_lost(c):
    load = c.start_bench("--seconds", "4", "--warmup", "0.1", "--rate", "2000", name="moving")
    before = c.ctl(c.leader(), "status")["delivered"]
    wait_until("the load", lambda: c.ctl(c.leader(), "status")["delivered"] > before + 1000)
    for _ in range(4):
        leader = wait_until("a leader", lambda: [i for i in [c.leader()] if i is not None])[0]
        target = next(i for i in c.alive() if i != leader)
        moved = c.ctl(leader, "transfer", str(target))
        assert moved.get("leader") == target, moved
        wait_until("that it leads", lambda t=target: c.leader() == t)
        assert "leads: tell that one" in c.ctl(leader, "transfer", str(target))["error"]
    report = c.finish_bench(load, "moving")
    assert report["failed"] == 0 and report["unanswered"] == 0, report
    assert report["commits"] > 4000, report


def another_leads_when_the_leader_is_killed(c):
    dead = wait_until("a leader", lambda: [i for i in [c.leader()] if i is not None])[0]
    process = c.replicas.pop(dead)
    # The child of nsenter and setpriv is the replica itself: both became it.
    process.kill()
    process.wait()
    wait_until("another leader", lambda: c.leader() is not None)
    report = c.bench("--commits", "20000", "--seconds", "120", "--warmup", "0.1", name="after")
    assert report["failed"] == 0 and report["unanswered"] == 0, report
    c.dead = dead


def refused(c, i):
    return c.ctl(i, "drops").get("foreign_uuid", 0)


def a_restart_under_a_killed_identity_is_refused(c):
    before = {i: refused(c, i) for i in c.alive()}
    c.start_replica(c.dead)
    wait_until("that the others refuse it",
               lambda: all(refused(c, i) > count for i, count in before.items()))
    status = wait_until("its status", lambda: [s for s in [c.ctl(c.dead, "status")]
                                               if "condition" in s])[0]
    assert status["delivered"] == 0 and "waits for all members" in status["condition"], status
    assert c.leader() not in (None, c.dead)


def a_signal_ends_a_replica_cleanly(c):
    for i in c.alive():
        c.replicas[i].send_signal(signal.SIGTERM if i % 2 else signal.SIGINT)
    for i, process in c.replicas.items():
        assert process.wait(timeout=PATIENCE_S) == 0, c.said(f"replica{i}")
        assert f"replica {i} ends at instance" in c.said(f"replica{i}")


def the_proved_protocol_allows_each_step(c):
    assert c.check_steps() > 0


RULES = (
    members_find_each_other_and_one_leads,
    no_command_is_lost_under_load,
    replicas_agree_at_equal_instances,
    arp_and_icmp_echo_are_answered,
    a_client_on_kernel_sockets_gets_puts_deletes_and_swaps,
    kernel_clients_have_every_operation_answered,
    the_clients_example_counts_though_two_do_at_once,
    a_tunable_changes_while_it_runs,
    the_heap_is_not_touched_while_polling,
    the_same_replica_does_not_start_twice_on_a_host,
    the_lead_moves_by_command_and_no_command_is_lost,
    another_leads_when_the_leader_is_killed,
    replicas_agree_at_equal_instances,
    a_restart_under_a_killed_identity_is_refused,
    a_signal_ends_a_replica_cleanly,
    the_proved_protocol_allows_each_step,
)


def inside(mode):
    """In the switch's namespace: the rules, each on what the one before left."""
    passed = 0
    with tempfile.TemporaryDirectory(prefix="paxwire-") as folder:
        cluster = Cluster(mode, folder)
        try:
            for rule in RULES:
                begin = time.monotonic()
                rule(cluster)
                passed += 1
                print(f"ok      {mode}: {rule.__name__.replace('_', ' ')} "
                      f"({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as e:  # Whatever it is, the rule does not hold.
            print(f"FAILED  {mode}: {rule.__name__.replace('_', ' ')}: {e}")
            for i in cluster.replicas:
                print(f"  replica {i}: {cluster.said(f'replica{i}')}")
            return passed, 1
        finally:
            cluster.close()
    return passed, 0


def bench_table(mode, seconds):
    """What README's table says of processes: the ports first, then the cluster on them."""
    with tempfile.TemporaryDirectory(prefix="paxwire-") as folder:
        c = Cluster(mode, folder, "null", 4096)
        c.steps = None  # Recording has a price.
        try:
            mirror = c.start(0, "mirror", BENCH, "--config", c.config, "--client", "mirror",
                             "--reflect")
            c.others.append(mirror)
            ports = c.bench("--ping", "mirror", "--seconds", str(seconds), name="ping")
            mirror.terminate()
            mirror.wait()
            members_find_each_other_and_one_leads(c)
            report = c.bench("--demo", "--seconds", str(seconds), name="report")
            report["port_rtt_us"] = ports["port_rtt_us"]
            report["port_frames_per_s"] = ports["port_frames_per_s"]
            print(json.dumps(report))
            return 0, 0
        finally:
            c.close()


def unshare_command(mode):
    if mode == "rootless":
        if os.geteuid() == 0:
            # Away from root's rights first: an ordinary user, and what he may open.
            return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                    "unshare", "--user", "--map-root-user", "--net", "--mount"]
        return ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    if os.geteuid() != 0:
        raise Skip("needs root")
    return ["unshare", "--net", "--mount"]


def outside(mode, extra, script=os.path.abspath(__file__),
            programs=(REPLICA, BENCH, CTL, KV, EXAMPLE)):
    """The script in namespaces of its own, for one mode. Returns (passed, failed, skipped)."""
    try:
        if "--bench" not in extra and not os.path.exists(CHECKER):
            raise Skip("there is no paxwire-check: tools/run prove builds it")
        prefix = unshare_command(mode)
        probe = run(*prefix, "true", check=False)
        if probe.returncode != 0:
            raise Skip(f"namespaces can not be made: {probe.stderr.strip()}")
    except Skip as e:
        print(f"skipped: {mode}: {e}")
        return 0, 0, 1
    with tempfile.TemporaryDirectory(prefix="paxwire-programs-") as folder:
        # An ordinary user may not read where we were built, nor our interpreter.
        os.chmod(folder, 0o755)
        checker = (CHECKER,) if os.path.exists(CHECKER) else ()
        for path in programs + checker + (os.path.abspath(__file__), script):
            shutil.copy(path, folder)
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR="/tmp",
                           PAXWIRE_PROGRAMS=folder)
        done = subprocess.run(prefix + ["/usr/bin/python3",
                                        os.path.join(folder, os.path.basename(script)),
                                        "--inside", mode] + extra,
                              stdout=subprocess.PIPE, text=True, check=False, env=environment,
                              cwd="/")
    sys.stdout.write(done.stdout)
    counts = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", done.stdout, re.M)
    if not counts and extra:
        return 0, int(done.returncode != 0), 0
    if not counts:
        print(f"FAILED  {mode}: the test itself ended with {done.returncode}")
        return 0, 1, 0
    return tuple(int(count or 0) for count in counts[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--bench", type=float, metavar="SECONDS",
                        help="no rules: measure, and print one JSON object")
    parser.add_argument("modes", nargs="*", help="one of: " + ", ".join(MODES))
    options = parser.parse_args()
    if set(options.modes) - set(MODES):
        parser.error("the modes are " + ", ".join(MODES))
    if options.inside:
        passed, failed = (bench_table(options.inside, options.bench) if options.bench
                          else inside(options.inside))
        if not options.bench:
            print(f"{passed} passed, {failed} failed")
        sys.exit(failed)
    totals = [0, 0, 0]
    for mode in options.modes or MODES:
        extra = ["--bench", str(options.bench)] if options.bench else []
        totals = [a + b for a, b in zip(totals, outside(mode, extra))]
    if options.bench:
        sys.exit(totals[1] > 0)
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    sys.exit(totals[1] > 0)


if __name__ == "__main__":
    main()
