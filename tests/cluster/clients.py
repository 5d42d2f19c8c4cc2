"""A cluster of replicas as processes, and clients on kernel sockets whose histories are judged."""

import glob
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import typing

import cluster as base
from cluster import run, wait_until

# Asked many times, and a program for each question takes longer than the answer.
_loader = importlib.machinery.SourceFileLoader("paxwire_ctl", base.CTL)
ctl = importlib.util.module_from_spec(importlib.util.spec_from_loader("paxwire_ctl", _loader))
_loader.exec_module(ctl)

MODE = "af_packet"
KV = base.program("build", "tools", "client", "paxwire-kv")
LINEAR = base.program("build", "tests", "linear", "paxwire-linear")
MEMBERS = range(base.HOSTS - 1)
CLIENT = base.HOSTS - 1     # The namespace of the clients,
CLIENT_ADDRESS = "10.9.0.4/24"
LOAD_S = 5                  # and how long they work.
CALM_S = 1                  # Of that, before the fault.
# What each program of clients does; each has sockets, threads and a history of its own. The readers
# do not look for another leader while theirs is silent: one that leads no more, and does not know
# it, must not answer them.
WRITERS = ("--clients", "2", "--outstanding", "4", "--reads", "40", "--cas", "15", "--deletes", "10")
READERS = ("--retry", "3000000", "--timeout", "20000", "--outstanding", "4", "--reads", "100")
ANY_READERS = ("--any", "--outstanding", "2", "--reads", "100")
# Shorter than a fail-over: some outcomes stay unknown, and the checker must cope.
TIMEOUT_MS = 700


class Needs(typing.NamedTuple):
    """What a case wants of its cluster."""
    tunables: str = ""
    durability: str = "none"
    segments: int = 8
    segment_bytes: int = 16 << 20
    snapshot_segments: int = 4
    programs: tuple = (WRITERS, WRITERS, READERS, ANY_READERS)
    load_s: int = LOAD_S
    keys: int = 50
    own_disk: bool = False  # Of replica 0.
    disk_lies: bool = False  # It has less than was durable, and takes that for whole.


class Cluster(base.Cluster):
    """Replicas, and clients on kernel sockets."""

    def __init__(self, folder, needs):
        super().__init__(MODE, folder)
        with open(self.config, encoding="utf-8") as f:
            text = f.read().replace("tunables: {", "tunables: {" + needs.tunables)
        if needs.durability != "none":
            text = text.replace("durability: none", f"durability: {needs.durability}\n"
                                f"journal: {{directory: \"{folder}\", segments: {needs.segments}, "
                                f"segment_bytes: {needs.segment_bytes}, "
                                f"snapshot_segments: {needs.snapshot_segments}}}")
            text = text.replace("learner: 1}", "learner: 1, journal: 1}")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)
        run(*self.network.inside(CLIENT), "ip", "address", "add", CLIENT_ADDRESS, "dev", "eth0")
        run("nft", "add", "table", "bridge", "faults")
        run("nft", "add", "chain", "bridge", "faults", "passing",
            "{ type filter hook forward priority 0; }")
        self.clients = []
        self.needs = needs
        self.mounts = []

    def ctl(self, i, *arguments):
        found = glob.glob(os.path.join(self.folder, "dpdk", f"paxwire-*-{i}", "dpdk_telemetry.v2*"))
        try:
            command = ",".join(["/paxwire/" + arguments[0], str(i), *arguments[1:]])
            answer = ctl.ask(found[0], command) if found else None
        except (SystemExit, OSError) as e:  # Its sentence; or it ended meanwhile.
            answer = {"error": str(e)}
        return answer or {"error": "nobody answers"}

    def begin(self):
        for i in MEMBERS if self.needs.durability != "none" else ():
            self.format(i)
        base.members_find_each_other_and_one_leads(self)

    def end_members(self):
        for i in list(self.replicas):
            self.kill(i)

    def close(self):
        super().close()
        for path in reversed(self.mounts):
            run("umount", "--lazy", path)  # Who was killed holds it for a moment.

    def format(self, i):
        run(base.REPLICA, "--config", self.config, "--replica", str(i), "--format")

    def directory(self, i):
        return os.path.join(self.folder, f"replica-{i}")

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

    def goes_on_without(self, i):
        """The others commit, whatever becomes of this one."""
        leader = self.another_leads(i)
        before = self.count(leader, "status", "delivered")
        self.load_until("commits without it",
                        lambda: self.count(leader, "status", "delivered") > before + 1000)
        return leader

    # ---- Members that end and come back ----

    def kill(self, i):
        process = self.replicas.pop(i)
        process.kill()
        assert process.wait() == -signal.SIGKILL

    def end(self, i):
        """In order, by a signal; returns what it said."""
        process = self.replicas.pop(i)
        process.terminate()
        assert process.wait(timeout=base.PATIENCE_S) == 0, self.said(f"replica{i}")
        return self.said(f"replica{i}")

    def start_again(self, i):
        """It comes back, and to where the others stand."""
        self.start_replica(i)
        wait_until("that it is back", lambda: self.count(i, "status", "delivered") > 0)

    def refuses_to_start(self, i, sentence):
        self.start_replica(i)
        process = self.replicas.pop(i)
        assert process.wait(timeout=base.PATIENCE_S) == 1
        assert sentence in self.said(f"replica{i}"), self.said(f"replica{i}")

    def waits_to_say(self, i, sentence):
        wait_until(f"that replica {i} says: {sentence}",
                   lambda: sentence in self.said(f"replica{i}"))

    # ---- Members that stand still ----

    def stop(self, i):
        """Its telemetry too: it tells nothing until it goes on."""
        process = self.replicas[i]
        process.send_signal(signal.SIGSTOP)

        def is_stopped():
            with open(f"/proc/{process.pid}/stat", encoding="utf-8") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "T"
        wait_until("that it is stopped", is_stopped)

    def go_on(self, i):
        self.replicas[i].send_signal(signal.SIGCONT)

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

    def start_client(self, name, seconds, *program):
        command = [KV, "--config", self.config, "--timeout", str(TIMEOUT_MS), "throughput",
                   "--seconds", str(seconds), "--keys", str(self.needs.keys), *program,
                   "--seed", str(time.time_ns() % 2**32)]
        with open(os.path.join(self.folder, f"{name}.log"), "w", encoding="utf-8") as out:
            process = subprocess.Popen(
                self.network.inside(CLIENT) + ["setpriv", "--pdeathsig", "KILL"] + command,
                stdout=out, stderr=out)
        self.others.append(process)
        return process

    def start_clients(self):
        for i, program in enumerate(self.needs.programs):
            self.clients.append(self.start_client(
                f"client{i}", self.needs.load_s, *program, "--first", str(1000 * i),
                "--history", self.history(i)))

    def load_ends(self):
        for client in self.clients:
            client.wait(timeout=base.PATIENCE_S)

    def more(self):
        """A second of commands that no history has; when the others have ended."""
        self.load_ends()
        process = self.start_client("more", 1)
        assert process.wait(timeout=base.PATIENCE_S) == 0, self.said("more")

    def load_until(self, what, condition):
        """By the clients, and when they have ended by more of them."""
        def reached():
            result = condition()
            if not result and all(client.poll() is not None for client in self.clients):
                self.more()
            return result
        return wait_until(what, reached)

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
            if self.needs.programs[i] not in (READERS, ANY_READERS):
                gap_ms = max(gap_ms, float(re.search(r"between answers ([\d.]+) ms", said)[1]))
        return answered, unknown, gap_ms

    def judge(self):
        """The histories, all together."""
        files = [self.history(i) for i in range(len(self.needs.programs))]
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

        def digests():
            wait_until("that all are level", level)
            found = {i: self.ctl(i, "digests") for i in self.alive()}
            return found if set.intersection(*(set(d) for d in found.values())) else None
        # Who has installed a snapshot has those from there on, one each 4096 instances.
        base.compare_digests(self.load_until("a digest in common", digests))
