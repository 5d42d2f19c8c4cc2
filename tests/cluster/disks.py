"""Cases whose fault is a disk's: full, failing, empty, or an old one come back; and what each mode of
durability makes of a member's end."""

import contextlib
import fcntl
import os
import shutil
import struct
import time

from clients import MEMBERS
from cluster import Skip, run, wait_until

DISK_BYTES = 32 << 20
BLOCK_BYTES = 4096
# Of the loop device's settings, all of them and the limit of its size: <linux/loop.h>.
LOOP_SET_STATUS64, LOOP_GET_STATUS64 = 0x4C04, 0x4C05
LOOP_INFO_BYTES, LOOP_SIZELIMIT_AT = 232, 32
FAILED = "stands: its disk failed"
NO_SPACE = "No space left on device. This replica votes no more once its last segment is full"


class Disk:
    """A file system of its own for a member's journal, on a block device that can fail."""

    def __init__(self, c, i):
        self.path = c.directory(i)
        # In memory: on the disk of the others' journals they would wait for each other's flushes.
        memory = os.path.join(c.folder, "memory")
        os.mkdir(memory)
        run("mount", "-t", "tmpfs", "none", memory)
        c.mounts.append(memory)
        image = os.path.join(memory, f"disk-{i}.img")
        with open(image, "wb") as f:
            f.truncate(DISK_BYTES)
        run("mkfs.ext4", "-q", "-b", str(BLOCK_BYTES), "-O", "^has_journal", image)
        os.mkdir(self.path)
        done = run("losetup", "--find", "--show", image, check=False)
        if done.returncode != 0:
            raise Skip(f"there is no loop device: {done.stderr.strip()}")
        self.device = done.stdout.strip()
        try:
            run("mount", self.device, self.path)
        finally:
            run("losetup", "--detach", self.device)  # With its last mount, however that ends.
        c.mounts.append(self.path)

    def fill(self):
        """Not a block is left."""
        filler = os.open(os.path.join(self.path, "filler"), os.O_CREAT | os.O_WRONLY)
        size = 0
        for piece in (1 << 20, BLOCK_BYTES):
            with contextlib.suppress(OSError):
                while True:
                    os.posix_fallocate(filler, size, piece)  # Writes nothing: the disk is idle.
                    size += piece
        os.close(filler)
        assert os.statvfs(self.path).f_bavail == 0

    def make_room(self):
        os.remove(os.path.join(self.path, "filler"))

    def limit(self, size):
        """Whatever lies beyond can not be read or written any more: the device says EIO."""
        device = os.open(self.device, os.O_RDWR)
        settings = bytearray(LOOP_INFO_BYTES)
        fcntl.ioctl(device, LOOP_GET_STATUS64, settings)
        struct.pack_into("<Q", settings, LOOP_SIZELIMIT_AT, size)
        fcntl.ioctl(device, LOOP_SET_STATUS64, settings)
        os.close(device)


def lead(c, i):
    """Replica `i` is to lead."""
    if c.leads() != i:
        c.ctl(c.leads(), "transfer", str(i))
    wait_until(f"that replica {i} leads", lambda: c.leader() == i)


def stands(c, i, sentence):
    """Its disk has failed: it says so, is no leader, and the others go on."""
    c.waits_to_say(i, sentence)
    wait_until("that it stands", lambda: FAILED in c.ctl(i, "status").get("condition", ""))
    other = c.goes_on_without(i)
    wait_until("that it refuses to vote", lambda: c.count(i, "drops", "disk_failed") > 0)
    return other


def the_leaders_disk_runs_full_and_has_room_again(c):
    lead(c, 0)
    c.disk.fill()
    other = stands(c, 0, NO_SPACE)
    c.kill(0)
    # With a full disk it starts, and stands again as soon as it needs more.
    c.start_replica(0)
    c.waits_to_say(0, NO_SPACE)
    c.end(0)
    c.disk.make_room()
    c.start_again(0)
    return f"replica 0 had no space left and stood, {other} leads"


def the_leaders_disk_fails_and_is_mended(c):
    lead(c, 0)
    c.disk.limit(1 << 20)
    other = stands(c, 0, "failed: Input/output error: this replica votes no more")
    c.kill(0)
    c.refuses_to_start(0, "can not be read: Input/output error")
    c.disk.limit(0)
    c.start_again(0)
    return f"replica 0 met EIO and stood, {other} leads"


def every_async_member_ends_in_order_and_starts_again(c):
    for i in MEMBERS:
        c.end(i)
    ends = [c.said(f"replica{i}") for i in MEMBERS]
    before = max(int(said.split("ends at instance ")[1].split(",")[0]) for said in ends)
    for i in MEMBERS:
        c.start_replica(i)
    leader = c.leads()
    after = c.count(leader, "status", "delivered")
    assert 0 < before <= after, (before, after)
    return f"all ended at instance {before}, {leader} leads at {after}"


def a_killed_async_member_stays_out(c):
    victim = c.leads()
    c.kill(victim)
    other = c.goes_on_without(victim)
    c.refuses_to_start(victim, "durability was async and the last run did not end in order")
    return f"replica {victim} killed and refused, {other} leads"


def an_empty_disk_under_an_old_identity_is_refused(c):
    victim = (c.leads() + 1) % len(MEMBERS)
    c.kill(victim)
    leader = c.goes_on_without(victim)
    shutil.rmtree(c.directory(victim))
    c.refuses_to_start(victim, "is not there: if this replica never ran, format it")
    # Against the advice: it has another identity, and nobody hears it.
    c.format(victim)
    others = c.alive()
    before = {i: c.count(i, "drops", "foreign_uuid") for i in others}
    c.start_replica(victim)
    wait_until("that the others refuse it", lambda: all(
        c.count(i, "drops", "foreign_uuid") > before[i] for i in others))
    status = c.ctl(victim, "status")
    assert status["delivered"] == 0 and "waits for all members" in status["condition"], status
    c.end(victim)
    return f"replica {victim} refused by {others}, {leader} leads"


def an_old_image_of_its_disk_keeps_a_member_out(c):
    """Of the last life but one: its life is one that the others hear."""
    leader = c.leads()
    victim, third = (i for i in MEMBERS if i != leader)
    c.end(victim)
    own, image = c.directory(victim), os.path.join(c.folder, "image")
    shutil.copytree(own, image)
    c.start_again(victim)
    now = c.count(leader, "status", "delivered")
    wait_until("that it told of more", lambda: c.count(victim, "status", "delivered") > now)
    time.sleep(1)  # In its heartbeats.
    c.kill(victim)
    lost = own + "-lost"
    os.rename(own, lost)
    os.rename(image, own)
    c.start_replica(victim)
    wait_until("that it stands", lambda: "others heard more of it than its disk holds" in
               c.ctl(victim, "status").get("condition", ""))
    c.kill(third)
    wait_until("that nobody leads", lambda: c.leader() is None)
    time.sleep(1)
    assert c.leader() is None and set(c.alive()) == {leader, victim}
    c.start_again(third)
    c.end(victim)
    shutil.rmtree(own)
    os.rename(lost, own)
    c.start_again(victim)
    return f"replica {victim} stood with an image of an earlier life, {c.leads()} leads with {third}"


def the_leader_of_thousands_of_sessions_is_killed(c):
    leader = wait_until("4096 sessions", lambda: [
        i for i in [c.leads()] if c.count(i, "status", "sessions") >= 4096])[0]
    c.kill(leader)
    other = c.goes_on_without(leader)
    sessions = c.count(other, "status", "sessions")
    return f"replica {leader} killed with {sessions} sessions, {other} leads"
