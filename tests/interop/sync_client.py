"""A SimpleNetSync 3 client that shares no code with netsync: Python 3, standard library only.

It follows the wire format to the letter and takes nothing on trust: a snapshot that is not ASCII, not
JSON or not a dictionary of strings ends it, as it ends the receiving thread of the original client.

On the command line it is driven by a program: one JSON object a line.

    in:  {"do": "send", "state": "..."}                send a state
         {"do": "play", "every": 0.05, "state": "..."} send it again and again, a counter appended
         {"do": "rest"}                                only keep-alives from now on
         {"do": "report"}                              answer with what was seen so far
         end of input                                  leave, without a word, as clients do
    out: {"event": "connected" | "states" | "report" | "disconnected" | "broken", ...}
"""

import argparse
import asyncio
import json
import socket
import sys
import threading

ID_REQUEST = -1
REQUEST_EVERY_S = 0.2
KEEP_ALIVE_EVERY_S = 1.0
SILENCE_S = 10.0


def number_of(datagram):
    return int.from_bytes(datagram[:8], "little", signed=True)


def bytes_of(number):
    return number.to_bytes(8, "little", signed=True)


class SyncClient(asyncio.DatagramProtocol):
    """One player. `tell(event, **facts)` hears what happens to it."""

    def __init__(self, tell, keep_alive="python", ignore_replies=0, silence=SILENCE_S):
        self.id = None
        self.states = {}
        self.connected = False
        self._tell = tell
        # The Python client sends number 0 without a state; the Godot client repeats the id request.
        self._keep_alive = bytes_of(ID_REQUEST if keep_alive == "godot" else 0)
        self._ignore_replies = ignore_replies
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._timers = {}
        self._number = 0
        self._newest = -1
        self._heard_at = None
        self._ignored_ids = []
        self._counts = {"datagrams": 0, "snapshots": 0, "replies": 0, "old": 0}
        self._gap_max = 0.0

    # ---- what the socket says

    def connection_made(self, transport):
        self._transport = transport
        self._request_id()

    def datagram_received(self, datagram, address):
        if self.id is None:
            return self._on_handshake(datagram)
        if not self.connected:
            return
        now = self._loop.time()
        self._gap_max = max(self._gap_max, now - self._heard_at)
        self._heard_at = now
        self._counts["datagrams"] += 1
        number = number_of(datagram)
        if number <= self._newest:
            self._counts["replies" if number == ID_REQUEST else "old"] += 1
            return
        self._newest = number
        self._on_snapshot(number, datagram[8:])

    def error_received(self, error):
        pass  # Some systems report here that nobody listens. The silence will tell.

    # ---- handshake

    def _request_id(self):
        self._transport.sendto(bytes_of(ID_REQUEST))
        self._after("request", REQUEST_EVERY_S, self._request_id)

    def _on_handshake(self, datagram):
        if number_of(datagram) != ID_REQUEST:
            return
        id = int.from_bytes(datagram[8:], "little", signed=True)
        if len(self._ignored_ids) < self._ignore_replies:
            self._ignored_ids.append(id)
            return
        self._timers.pop("request").cancel()
        self.id = id
        self.connected = True
        self._heard_at = self._loop.time()
        self._after("keep-alive", KEEP_ALIVE_EVERY_S, self._send_keep_alive)
        self._after("silence", self._silence, self._check_silence)
        self._tell(
            "connected",
            id=id,
            reply_bytes=len(datagram),
            port=self._transport.get_extra_info("sockname")[1],
            ignored_ids=self._ignored_ids,
        )

    # ---- connected

    def _on_snapshot(self, number, text):
        self._counts["snapshots"] += 1
        try:
            states = json.loads(text.decode("ascii"))
            if not all(isinstance(state, str) for state in states.values()):
                raise ValueError("a state that is not a string")
        except (ValueError, AttributeError) as error:
            self._end()
            return self._tell("broken", reason=f"{error}", number=number)
        self.states = states
        self._tell("states", number=number, states=states)

    def _send_keep_alive(self):
        self._transport.sendto(self._keep_alive)
        self._after("keep-alive", KEEP_ALIVE_EVERY_S, self._send_keep_alive)

    def _check_silence(self):
        left = self._heard_at + self._silence - self._loop.time()
        if left > 0:
            return self._after("silence", left, self._check_silence)
        self._end()
        self._tell("disconnected")

    def send(self, state):
        if not self.connected:
            return
        self._transport.sendto(bytes_of(self._number) + state.encode("utf-8"))
        self._number += 1

    def play(self, every, state, turn=0):
        self.send(f"{state}{turn}")
        self._after("play", every, self.play, every, state, turn + 1)

    def rest(self):
        timer = self._timers.pop("play", None)
        if timer:
            timer.cancel()

    def report(self):
        self._tell("report", gap_max=self._gap_max, connected=self.connected, **self._counts)

    def _after(self, name, seconds, call, *arguments):
        self._timers[name] = self._loop.call_later(seconds, call, *arguments)

    def _end(self):
        self.connected = False
        for timer in self._timers.values():
            timer.cancel()


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def read_commands(loop, take):
    """Runs in a thread: not every system can wait for the input and a socket at once."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(take, json.loads(line))
    loop.call_soon_threadsafe(take, {"do": "leave"})


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--keep-alive", choices=["python", "godot"], default="python")
    parser.add_argument("--ignore-replies", type=int, default=0, help="take the n-th reply as lost")
    parser.add_argument("--silence", type=float, default=SILENCE_S)
    parser.add_argument("--local-port", type=int, default=0)
    words = parser.parse_args()

    loop = asyncio.get_running_loop()
    left = loop.create_future()
    server = socket.getaddrinfo(words.host, words.port, type=socket.SOCK_DGRAM)[0]
    wildcard = "::" if server[0] == socket.AF_INET6 else "0.0.0.0"
    _, client = await loop.create_datagram_endpoint(
        lambda: SyncClient(tell, words.keep_alive, words.ignore_replies, words.silence),
        local_addr=(wildcard, words.local_port),
        remote_addr=server[4][:2],
    )

    def take(command):
        what = command.pop("do")
        if what == "leave":
            left.set_result(None)
        else:
            {"send": client.send, "play": client.play, "rest": client.rest, "report": client.report}[
                what
            ](**command)

    threading.Thread(target=read_commands, args=(loop, take), daemon=True).start()
    await left


if __name__ == "__main__":
    asyncio.run(main())
