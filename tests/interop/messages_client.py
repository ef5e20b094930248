"""A client of the message service that shares no code with netsync.

Python 3, standard library only, written from a description of the protocol.

`--client original` reads as the original does, faults included: IPv4 only; at every poll it takes one
read of up to 1,024 bytes for one message. What its decoder cannot take is lost, as is all behind a
second percent sign. End of stream and errors are nothing to it; here the first is reported.

`--client judge` reads everything as it comes and reports each read as a segment. A segment has to begin
with a canonical header block, and one of up to 1,024 bytes has to be a whole message, in UTF-8; the rest
is reported as a violation. Only what follows more than 1,024 bytes, or a stop in reading, may be the
continuation of a message.

Both send what they are told to, whole, however long; the original would cut what finds no room.

It is driven by a program: one JSON object a line. They are obeyed in order, one after the other.

    in:  {"do": "send", "headers": [["name", "value"], ...], "body": "..."}    one message, in one write;
                                         as in the original a value that is null cannot be sent
         {"do": "text", "text": "..."}   as the original sends a plain text: raw
         {"do": "raw", "hex": "..."}     any bytes, in one write
         {"do": "segments", "hex": ["...", ...], "pause": SECONDS}    each in a write of its own
         {"do": "stop_reading"}          and let the buffers fill
         {"do": "read_on"}
         {"do": "half_close"}            send no more
         {"do": "reset"}                 break the connection off, and end the program
         {"do": "close"}                 close the connection
         {"do": "quit"}, end of input    end the program, 2 s later at most, whatever is still to be sent
    out: {"event": "connected", "port"}
         {"event": "failed", "reason"}, and the exit status is 1
         {"event": "message", "headers": [["name", "value"], ...], "body"}           original
         {"event": "lost", "hex", "reason"}                                          original
         {"event": "segment", "hex", "length", "since_ms"}   judge; since the one before, or connected
         {"event": "violation", "what", "hex"}               judge
         {"event": "unsent", "reason"}
         {"event": "ended", "reason"}    once: "eof", "reset", "closed" by command, or an error

    Of a segment or a violation the first 4,096 bytes are shown.

    python3 messages_client.py HOST PORT [--client original|judge] [--poll SECONDS]
                               [--receive-buffer BYTES]
"""

import argparse
import codecs
import contextlib
import json
import os
import queue
import re
import select
import socket
import struct
import sys
import threading
import time

MESSAGE_BYTES_MAX = 1024
SHOWN_BYTES_MAX = 4096
CONNECT_S = 10.0
TURN_S = 0.005
GRACE_S = 2.0

# ---- the format


def encode(headers, body):
    """Nothing is escaped. Raises TypeError where a value is None."""
    block = "".join(name + ":" + value + "|" for name, value in headers)
    return ("$" + block + "%" + body).encode("utf-8")


def decode_as_original(data):
    """
    The headers and the body of what was read at once.

    Raises ValueError where the original has an exception.
    """
    block, *bodies = data.decode("utf-8")[1:].split("%")
    if not bodies:
        raise ValueError("no percent sign")
    headers = []
    for piece in filter(None, block.split("|")):
        name, *values = piece.split(":")
        if not values:
            raise ValueError(f"no colon in {piece!r}")
        headers.append([name, values[0]])
    return headers, bodies[0]


class Judge:
    """Measures the segments of one server, in the order they come."""

    beginning = re.compile(rb"\$(?:[^:|%$]*:[^|%]*\|)*%")

    def __init__(self):
        self.cut_anywhere = False  # Segments that waited to be read show nothing of how they were sent.
        self._bytes = 0  # Since a message began.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def faults(self, segment):
        """Whatever is wrong with one more segment, as texts."""
        faults = []
        begins = self.beginning.match(segment)
        if begins or not self._may_continue():
            if not begins:
                faults.append("does not begin with a canonical header block")
            if self._decoder.getstate()[0]:
                faults.append("the message before ends within a character")
            self._begin()
        self._bytes += len(segment)
        try:
            self._decoder.decode(segment, final=not self._may_continue())
        except UnicodeDecodeError as error:
            faults.append(f"not UTF-8: {error.reason}")
            self._decoder.reset()
        return faults

    def _may_continue(self):
        return self._bytes > MESSAGE_BYTES_MAX or self.cut_anywhere

    def _begin(self):
        self._bytes = 0
        self._decoder.reset()


# ---- the clients


class Client:
    """What both clients do. `tell(event, **facts)` hears what happens."""

    family = socket.AF_UNSPEC

    def __init__(self, words, tell):
        """Raises OSError when there is no connection."""
        self.reading = True
        self._tell = tell
        self._ended = False
        self._socket = self._connect(words)
        self._socket.setblocking(False)
        tell("connected", port=self._socket.getsockname()[1])

    def _connect(self, words):
        failure = None
        found = socket.getaddrinfo(words.host, words.port, self.family, socket.SOCK_STREAM)
        for family, type, protocol, _, address in found:
            sock = socket.socket(family, type, protocol)
            if words.receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, words.receive_buffer)
            sock.settimeout(CONNECT_S)
            try:
                sock.connect(address)
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure

    def run(self, commands):
        while True:
            while not commands.empty():
                command = commands.get()
                if command["do"] == "quit":
                    return
                if command["do"] == "reset":
                    self._reset()
                    return
                try:
                    self.take(**command)
                except (OSError, TypeError) as error:
                    self._tell("unsent", reason=reason_of(error))
            self._pass(TURN_S)

    # ---- from the server

    def read(self, seconds_max):
        """Reads once, or waits for as long."""
        raise NotImplementedError

    def _pass(self, seconds):
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if self.reading and not self._ended:
                self.read(left_s)
            else:
                time.sleep(left_s)

    def _receive(self, bytes_max):
        """Empty when there is nothing, and never will be again when the connection has ended."""
        try:
            data = self._socket.recv(bytes_max)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._end(reason_of(error))
            return b""
        if not data:
            self._end("eof")
        return data

    def _end(self, reason):
        if not self._ended:
            self._ended = True
            self._tell("ended", reason=reason)

    # ---- to the server

    def take(self, do, **facts):
        """One command that does not end the program."""
        if do == "send":
            self._send(encode(**facts))
        elif do == "text":
            self._send(facts["text"].encode("utf-8"))
        elif do == "raw":
            self._send(bytes.fromhex(facts["hex"]))
        elif do == "segments":
            self._send_segments(map(bytes.fromhex, facts["hex"]), facts.get("pause", 0))
        elif do in ("stop_reading", "read_on"):
            self.reading = do == "read_on"
        elif do == "half_close":
            self._socket.shutdown(socket.SHUT_WR)
        elif do == "close":
            self._socket.close()
            self._end("closed")
        else:
            raise ValueError(f"{do} is no command")

    def _send(self, data):
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                self._pass(TURN_S)

    def _send_segments(self, segments, pause_s):
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, segment in enumerate(segments):
            if number:
                self._pass(pause_s)
            self._send(segment)

    def _reset(self):
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        with contextlib.suppress(OSError):  # It is closed.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._socket.close()


class OriginalClient(Client):
    family = socket.AF_INET

    def __init__(self, words, tell):
        super().__init__(words, tell)
        self._poll_s = words.poll
        self._poll_at = time.monotonic()

    def read(self, seconds_max):
        wait_s = self._poll_at - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, seconds_max))
            return
        self._poll_at = time.monotonic() + self._poll_s
        data = self._receive(MESSAGE_BYTES_MAX)
        if not data:
            return
        try:
            headers, body = decode_as_original(data)
            self._tell("message", headers=headers, body=body)
        except ValueError as error:
            self._tell("lost", hex=data.hex(), reason=str(error))


class JudgeClient(Client):
    def __init__(self, words, tell):
        super().__init__(words, tell)
        self._judge = Judge()
        self._heard_at = time.monotonic()

    def read(self, seconds_max):
        if not select.select([self._socket], [], [], seconds_max)[0]:
            return
        data = self._receive(65536)
        if not data:
            return
        now = time.monotonic()
        since_ms = round((now - self._heard_at) * 1000, 1)
        self._heard_at = now
        shown = data[:SHOWN_BYTES_MAX].hex()
        self._tell("segment", hex=shown, length=len(data), since_ms=since_ms)
        for fault in self._judge.faults(data):
            self._tell("violation", what=fault, hex=shown)

    def take(self, do, **facts):
        super().take(do, **facts)
        if do == "stop_reading":
            self._judge.cut_anywhere = True


def reason_of(error):
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    return getattr(error, "strerror", None) or str(error)


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def read_commands(commands):
    """Runs in a thread: not every system can wait for the input and a socket at once."""
    try:
        for line in sys.stdin.buffer:
            command = json.loads(line)
            if command["do"] == "quit":
                break
            commands.put(command)
    finally:
        commands.put({"do": "quit"})
    time.sleep(GRACE_S)
    os._exit(0)  # Something holds the program up.


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--client", choices=["original", "judge"], default="original")
    parser.add_argument("--poll", type=float, default=1 / 60, metavar="SECONDS", help="original")
    parser.add_argument("--receive-buffer", type=int, metavar="BYTES", help="of the system")
    words = parser.parse_args()

    commands = queue.Queue()
    threading.Thread(target=read_commands, args=(commands,), daemon=True).start()
    status = 0
    try:
        client = {"original": OriginalClient, "judge": JudgeClient}[words.client](words, tell)
    except OSError as error:
        tell("failed", reason=reason_of(error))
        status = 1
    else:
        client.run(commands)
    sys.stderr.flush()
    os._exit(status)  # The thread may still hold the input.


if __name__ == "__main__":
    main()
