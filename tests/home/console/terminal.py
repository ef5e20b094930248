"""Runs a program in a terminal of its own, under the orders of JSON lines, and tells what comes of it.

Standard library only. Orders: {"do": "type", "bytes": [...]}, {"do": "resize", "rows": 12, "columns":
60}, {"do": "signal", "number": 15}, {"do": "modes"}, {"do": "pause"} (from now on
nothing is taken of what the program draws), {"do": "resume"}. It prints {"event": "drawn", "text": ...}, {"event": "modes", ...} and at the
end {"event": "ended", "status": ..., ...modes}.

    python3 terminal.py ROWS COLUMNS PROGRAM WORD...
"""

import codecs
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def modes(terminal, before):
    now = termios.tcgetattr(terminal)
    return {
        "echo": bool(now[3] & termios.ECHO),
        "lines": bool(now[3] & termios.ICANON),
        "signals": bool(now[3] & termios.ISIG),
        "asBefore": now == before,
    }


def fill(name):
    """Prints until there is no room for more."""
    terminal = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        while True:
            os.write(terminal, bytes(64))
    except BlockingIOError:
        os.close(terminal)


def start(rows, columns, words):
    ours, theirs = pty.openpty()
    resize(theirs, rows, columns)

    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=take_terminal
    )
    # Theirs stays open: it is asked for its modes once the program has ended.
    return child, ours, theirs


def main():
    rows, columns = int(sys.argv[1]), int(sys.argv[2])
    child, ours, theirs = start(rows, columns, sys.argv[3:])
    before = termios.tcgetattr(theirs)
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    orders = b""
    sources = [ours, 0]
    is_paused = False
    while True:
        ended = child.poll() is not None
        ready, _, _ = select.select(sources, [], [], 0 if ended else 0.02)
        if ours in ready:
            tell("drawn", text=utf8.decode(os.read(ours, 65536)))
        elif ended:
            break
        if 0 not in ready:
            continue
        more = os.read(0, 65536)
        if not more:
            sources.remove(0)
        *lines, orders = (orders + more).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "type":
                os.write(ours, bytes(order["bytes"]))
            elif order["do"] == "resize":
                resize(theirs, order["rows"], order["columns"])
            elif order["do"] == "signal":
                os.kill(child.pid, order["number"])
            elif order["do"] == "modes":
                tell("modes", **modes(theirs, before))
            elif order["do"] == "pause" and not is_paused:
                sources.remove(ours)
                is_paused = True
                fill(os.ttyname(theirs))
            elif order["do"] == "resume" and is_paused:
                sources.append(ours)
                is_paused = False
    tell("ended", status=child.returncode, **modes(theirs, before))


if __name__ == "__main__":
    main()
