#!/usr/bin/env python3
"""Sends frames that are none of the protocol's to replicas, for as long as it lives: through a raw
socket on eth0 of the namespace that it runs in. Says `floods` when it begins; when SIGTERM ends it,
how many were sent and how many answers to them came.

    flood.py ADDRESS-MAC...     each as 10.9.0.1-02:00:00:00:09:01
"""

import random
import signal
import socket
import struct
import sys
import time

OWN_MAC = bytes.fromhex("020000000977")
OWN_ADDRESS = "10.9.0.119"  # Nobody's: an answer to it is to be seen on this socket.
UDP_PORT = 7400             # The replicas'.
FIRST_BYTES = b"\x51\x02"   # Of a message: its magic with the version, a type.
ETH_P_ALL = 3
BURST, PAUSE_S = 64, 0.002


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(address, payload, protocol=17, fragment=0, options=b"", version=4):
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", version << 4 | 5 + len(options) // 4, 0,
                           20 + len(options) + len(payload), 1, fragment, 64, protocol, check,
                           socket.inet_aton(OWN_ADDRESS), socket.inet_aton(address)) + options
    return header(checksum(header(0))) + payload


def udp(payload, port=UDP_PORT):
    return struct.pack("!HHHH", UDP_PORT, port, 8 + len(payload), 0) + payload


def body(length):
    return random.randbytes(length)


def frames(address, mac):
    """One of each kind that a replica drops."""
    ethernet = bytes.fromhex(mac.replace(":", "")) + OWN_MAC
    ours = udp(body(200))
    return [
        ethernet + b"\x81\x00\x00\x05\x08\x00" + ip(address, ours),  # A VLAN's.
        ethernet + b"\x08\x00" + ip(address, ours, fragment=0x2000),  # A fragment.
        ethernet + b"\x08\x00" + ip(address, ours, options=b"\x01" * 4),  # Options.
        ethernet + b"\x08\x00" + ip(address, ours, version=6),  # Another version.
        ethernet + b"\x08\x00" + ip(address, ours)[:150],  # Shorter than it says.
        ethernet + b"\x08\x00" + ip(address, body(200), protocol=6),  # Not UDP.
        ethernet + b"\x08\x00" + ip(address, udp(body(200), port=7401)),  # Another port.
        ethernet + b"\x08\x00" + ip(address, udp(body(9))),  # Shorter than a header.
        ethernet + b"\x08\x00" + ip(address, udp(b"\x00" + body(199))),  # Not our first byte.
        ethernet + b"\x08\x00" + ip(address, udp(FIRST_BYTES + body(198))),  # No right tag.
        ethernet + b"\x08\x00" + ip(address, udp(body(1400))),  # As long as the MTU allows.
    ]


def main():
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.bind(("eth0", ETH_P_ALL))
    link.setblocking(False)
    queue = [frame for target in sys.argv[1:] for frame in frames(*target.split("-"))]
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("floods", flush=True)
    sent = answers = 0
    own = socket.inet_aton(OWN_ADDRESS)
    while not ended:
        for _ in range(BURST):
            try:
                link.send(queue[sent % len(queue)])
                sent += 1
            except OSError:
                break  # The queue is full.
        try:
            while True:
                frame = link.recv(2048)
                answers += frame[12:14] == b"\x08\x00" and frame[30:34] == own
        except BlockingIOError:
            pass
        time.sleep(PAUSE_S)
    print(f"{sent} sent, {answers} answered")


main()
