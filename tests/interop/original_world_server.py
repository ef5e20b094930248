"""How the original world server behaves on the wire, faults included, for clients to meet.

Written from a description of its behaviour. Its faults, which a client has to live with: one counter
numbers the packets to everybody; what is not acknowledged is forgotten after 1,000 ticks and never
sent again; anyone acknowledges for anyone; an ACK with a type is acted upon; what has a right header
and is JSON is acknowledged, whatever it is; movement is only in the snaps of each 1,000th tick; a diff
has no type and tells only of new bodies; a client stays until it says stop.

A tick is 10 ms; bodies move in straight lines. Those of `--bodies`, and those created, are numbered
from 0 in the order of their creation.

    in:  {"do": "create", "snapshot": [velocity, angular velocity, quaternion, position, mass]}
         {"do": "quit"}, end of input
    out: {"event": "listening", "port"}
         {"event": "packet", "from": [host, port], "sequence", "flags", "type", "bytes", "payload"}
         {"event": "refused", "from", "reason", "bytes"}    neither acknowledged nor looked at
         {"event": "created", "id", "time"}
         {"event": "warning", "what"}    among them what is raised inside and contained

    python3 original_world_server.py [PORT] [--bodies N] [--loss SHARE] [--seed N]

Without PORT, or with 0, any port is taken; it listens on 127.0.0.1 only. `--loss` is both ways.
"""

import argparse
import random
import select
import socket
import struct
import time

from world_client import (
    ACK,
    BUFFER_BYTES,
    DATAGRAMS_AT_ONCE,
    NUMBERS,
    Commands,
    decode,
    encode,
    encode_ack,
    encode_json,
    is_snapshot,
    run_to_end,
    tell,
)

TICK_S = 0.01
KEYFRAME_TICKS = 1000
UNACKED_TICKS_MAX = 1000
HEARTBEAT_S = 2.0
WARNING_BYTES = 512


class Body:
    def __init__(self, snapshot):
        self.velocity, self.angular_velocity, self.quaternion, self.position, self.mass = snapshot
        self.position = list(self.position)

    def step(self):
        for axis, speed in enumerate(self.velocity):
            self.position[axis] += speed * TICK_S

    def snapshot(self):
        return [
            self.velocity,
            self.angular_velocity,
            self.quaternion,
            list(self.position),
            self.mass,
        ]


class Server:
    def __init__(self, words):
        self._going = True
        self._time = 0
        self._bodies = []  # The id is the index.
        self._created = []  # Ids, since the last tick.
        self._clients = []  # Addresses, in the order of their first knock.
        self._unsynced = []
        self._sequence = 0
        self._unacked = {}  # Ticks since it was sent, by sequence number.
        self._loss = words.loss
        self._random = random.Random(words.seed)
        self._handlers = {"knock": self._on_knock, "stop": self._on_stop, "debug": self._on_debug}
        for number in range(words.bodies):
            velocity = [float(number % 3), 1.0, 0.5 * -(number % 5)]
            position = [float(number), 0.0, 0.0]
            self._create([velocity, [0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], position, 1.0 + number])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", words.port))
        self._socket.setblocking(False)
        tell("listening", port=self._socket.getsockname()[1])

    def run(self, commands):
        tick_at = time.monotonic() + TICK_S
        heartbeat_at = time.monotonic() + HEARTBEAT_S
        while self._going:
            now = time.monotonic()
            while tick_at <= now:
                self._contain(self._tick)
                tick_at += TICK_S
            if heartbeat_at <= now:
                self._contain(self._heartbeat)
                heartbeat_at += HEARTBEAT_S
            wait_s = max(0.0, min(tick_at, heartbeat_at) - time.monotonic())
            ready = select.select([self._socket, commands.waking], [], [], wait_s)[0]
            if commands.waking in ready:
                for command in commands.take():
                    self._contain(self._take, **command)
            if self._socket in ready:
                for _ in range(DATAGRAMS_AT_ONCE):
                    if not self._receive():
                        break

    def _contain(self, do, /, *arguments, **facts):
        """As the framework does."""
        try:
            do(*arguments, **facts)
        except (ValueError, TypeError, LookupError, AttributeError, OSError, struct.error) as error:
            tell("warning", what=f"{type(error).__name__}: {error}")

    # ---- from the clients

    def _receive(self):
        try:
            datagram, source = self._socket.recvfrom(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True  # Windows: an earlier datagram found nobody.
        if not self._is_lost():
            self._contain(self._on_datagram, datagram[:BUFFER_BYTES], source)
        return True

    def _on_datagram(self, datagram, source):
        facts = {"from": list(source), "bytes": len(datagram)}
        try:
            packet = decode(datagram)
        except ValueError as error:
            tell("refused", **facts, reason=str(error))
            return
        sequence, payload = packet.sequence, packet.payload
        kind = payload.get("type") if isinstance(payload, dict) else None
        tell(
            "packet",
            **facts,
            sequence=sequence,
            flags=packet.flags,
            type=kind,
            payload=payload,
        )
        if not packet.flags & ACK:
            self._send_datagram(encode_ack(sequence), source)
        elif self._unacked.pop(sequence, None) is None:
            tell("warning", what=f"an ACK of {sequence}, which was not sent")
        kind = payload.get("type")
        if kind is None:
            return
        handler = self._handlers.get(kind)
        if handler:
            handler(source)
        else:
            tell("warning", what=f"the type {kind}")

    def _on_knock(self, source):
        if source not in self._clients:
            self._clients.append(source)
        if source not in self._unsynced:
            self._unsynced.append(source)

    def _on_stop(self, source):
        if source in self._clients:
            self._clients.remove(source)
        if source in self._unsynced:
            self._unsynced.remove(source)

    def _on_debug(self, source):
        tell("warning", what="debug, but this is no debug mode")

    # ---- to the clients

    def _tick(self):
        for sequence in list(self._unacked):
            self._unacked[sequence] += 1
            if self._unacked[sequence] > UNACKED_TICKS_MAX:
                del self._unacked[sequence]
                tell("warning", what=f"no ACK of {sequence}")
        for body in self._bodies:
            body.step()
        self._time += 1
        created, self._created = self._created, []
        unsynced, self._unsynced = self._unsynced, []
        if self._time % KEYFRAME_TICKS == 0:
            self._send_snaps(self._clients)
            return
        self._send_snaps(unsynced)
        if created:
            diff = {str(id): self._bodies[id].snapshot() for id in created}
            for client in self._clients:
                if client not in unsynced:
                    self._send({"diff": diff, "time": self._time}, client)

    def _send_snaps(self, clients):
        for client in clients:
            for id, body in enumerate(self._bodies):
                snapshot = body.snapshot()
                snap = {"type": "snap", "id": id, "time": self._time, "snapshot": snapshot}
                self._send(snap, client)

    def _heartbeat(self):
        for client in self._clients:
            self._send({"type": "heartbeat", "time": time.time()}, client)

    def _send(self, payload, client):
        datagram = encode(self._sequence, encode_json(payload))
        self._unacked[self._sequence] = 0
        self._sequence = (self._sequence + 1) % NUMBERS
        if len(datagram) > WARNING_BYTES:
            tell("warning", what=f"a datagram of {len(datagram)} bytes")
        self._send_datagram(datagram, client)

    def _send_datagram(self, datagram, client):
        if not self._is_lost():
            self._socket.sendto(datagram, client)

    def _is_lost(self):
        return self._random.random() < self._loss

    # ---- from the program

    def _take(self, do, **facts):
        if do == "quit":
            self._going = False
        elif do == "create":
            tell("created", id=self._create(facts["snapshot"]), time=self._time)
        else:
            raise ValueError(f"{do} is no command")

    def _create(self, snapshot):
        if not is_snapshot(snapshot):
            raise ValueError(f"the snapshot {snapshot}")
        id = len(self._bodies)
        self._bodies.append(Body(snapshot))
        self._created.append(id)
        return id


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--bodies", type=int, default=0, metavar="N", help="to begin with")
    parser.add_argument("--loss", type=float, default=0.0, metavar="SHARE", help="both ways, 0 to 1")
    parser.add_argument("--seed", type=int, help="of the loss")
    words = parser.parse_args()

    commands = Commands()
    server = Server(words)
    run_to_end(lambda: server.run(commands))


if __name__ == "__main__":
    main()
