#!/usr/bin/env python3
"""Sends what TouchDesigner's OSC Out CHOP sends, to try presets/examples/touchdesigner.toml without TouchDesigner:
every channel in every frame, at 60 frames per second, in one bundle whose time tag does not count from 1900.

usage: touchdesigner.py [SECONDS] [PORT]
"""
import math, socket, struct, sys, time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
port = int(sys.argv[2]) if len(sys.argv) > 2 else 9000
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def message(address, number):
    name = address.encode()
    return name + b"\0" * (4 - len(name) % 4) + b",f\0\0" + struct.pack(">f", number)


frames = int(seconds * 60)
for frame in range(frames):
    # Five slow sines from 0 to 1, each slower than the last; all end at 1.
    left = (frames - 1 - frame) / 60
    channels = [message(f"/chan{n}", 0.5 + 0.5 * math.cos(left / n)) for n in range(1, 6)]
    bundle = b"#bundle\0" + struct.pack(">II", frame // 60, 0)
    out.sendto(bundle + b"".join(struct.pack(">I", len(c)) + c for c in channels), ("127.0.0.1", port))
    time.sleep(1 / 60)
