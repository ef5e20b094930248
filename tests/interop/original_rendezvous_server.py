"""How the original rendezvous server behaves on the wire, faults included, both dialects on one port.

Written from a description of its behaviour. Its faults, which peers have to live with: nothing is sent
twice; addresses and times are taken unchecked, and a text for a time stops the clock, so that nothing
expires any more; a name that is no text is stored but never confirmed; in dialect 1 a host with a new
port has to wait for its old entry to end; in dialect 2 nothing malformed is ever complained about,
whoever makes up a sender and a password can drop any host, and a list too long for a datagram is lost.

Prints {"event": "listening", "port": N} and serves until its input ends.

    python3 original_rendezvous_server.py PORT [--bind IP] [--tick SECONDS]
"""

import argparse
import asyncio
import hashlib
import json
import sys
import threading

DATAGRAM_BYTES = 8192
SERVER = "_HANDSHAKE_SERVER"


class Host:
    def __init__(self, name, address, message):
        self.name = name
        self.address = address
        self.local_address = message["local-address"]
        self.seconds = message["seconds-before-expiry"]
        self.password = message.get("password")
        self.password_required = message.get("password-required")


class Dialect:
    """One table of hosts and its clock."""

    def __init__(self, send):
        self.hosts = {}
        self._send_object = send
        self._clock_going = True

    def count_down(self):
        if not self._clock_going:
            return
        try:
            for host in list(self.hosts.values()):
                host.seconds -= 1
                if host.seconds <= 0:
                    del self.hosts[host.name]
        except TypeError:
            self._clock_going = False

    def is_taken(self, name, address):
        return name in self.hosts and self.hosts[name].address != address


class Dialect1(Dialect):
    def on_message(self, message, address):
        name = message.get("sender")
        wanted = ["type", "sender", "local-address"]
        wanted += {
            "registering-server": ["seconds-before-expiry"],
            "requesting-to-join-server": ["server-name"],
        }.get(message.get("type"), [])
        for key in wanted:
            if key not in message:
                return self.complain(name, address, f"missing info from packet data: {key}")
        if message["type"] == "registering-server":
            self.on_register(name, message, address)
        elif message["type"] == "requesting-to-join-server":
            self.on_join(name, message, address)

    def on_register(self, name, message, address):
        if self.is_taken(name, address):
            return self.complain(name, address, "server already exists")
        self.hosts[name] = Host(name, address, message)
        self.send(name, address, {"type": "confirming-registration", "intended-recipient": name})

    def on_join(self, name, message, address):
        host = self.hosts.get(message["server-name"])
        if not host:
            return self.complain(name, address, message["server-name"] + " not found")
        self.introduce(name, address, host.name, host.address, host.local_address)
        self.introduce(host.name, host.address, name, address, message["local-address"])

    def introduce(self, name, address, peer, global_address, local_address):
        info = {
            "type": "providing-peer-handshake-info",
            "peer-name": peer,
            "global-address": global_address,
            "local-address": local_address,
            "intended-recipient": name,
        }
        self.send(name, address, info)

    def complain(self, name, address, text):
        error = {"type": "server-error", "intended-recipient": name, "message": text}
        self.send(name, address, error)

    def send(self, name, address, message):
        if isinstance(name, str):
            self._send_object(message, address)


FIELDS_2 = {
    "registering-server": ["local-address", "seconds-before-expiry", "password", "password-required"],
    "refreshing-server-registration": ["seconds-before-expiry"],
    "requesting-to-join-server": ["local-address", "server-name", "password"],
    "requesting-server-list": ["password"],
    "drop-me": ["name"],
}


class Dialect2(Dialect):
    def on_message(self, message, address):
        wanted = ["__sender-name", "__destination-name", "__destination-address", "__hash-string"]
        wanted += FIELDS_2[message["__type"]]
        if not all(key in message for key in wanted):
            return
        name = message["__sender-name"]
        if name in (SERVER, ""):
            return
        host = self.hosts.get(name)
        # Whoever sends a password is measured by it, registered or not.
        password = message["password"] if "password" in message else host and host.password
        if password is None or message["__hash-string"] != self.hash_of(message, password):
            return
        type = message["__type"]
        if type == "registering-server":
            self.on_register(name, message, address, password)
        elif type == "refreshing-server-registration" and host:
            host.seconds = message["seconds-before-expiry"]
            self.send("confirming-registration-refresh", name, address, password)
        elif type == "requesting-to-join-server":
            self.on_join(name, message, address, password)
        elif type == "requesting-server-list":
            hosts = self.hosts.values()
            servers = [{"name": h.name, "password-required": h.password_required} for h in hosts]
            self.send("providing-server-list", name, address, password, servers=servers)
        elif type == "drop-me":
            self.hosts.pop(message["name"], None)

    def on_register(self, name, message, address, password):
        if self.is_taken(name, address):
            text = "server already exists"
            return self.send("server-error", name, address, password, message=text)
        self.hosts[name] = Host(name, address, message)
        if isinstance(name, str):
            self.send("confirming-registration", name, address, password)

    def on_join(self, name, message, address, password):
        host = self.hosts.get(message["server-name"])
        if not host:
            text = message["server-name"] + " not found"
            return self.send("server-error", name, address, password, message=text)
        self.introduce(host.name, host.address, host.password, name, address, message["local-address"])
        self.introduce(name, address, password, host.name, host.address, host.local_address)

    def introduce(self, name, address, password, peer, global_address, local_address):
        info = {
            "peer-name": peer,
            "global-address": global_address,
            "local-address": local_address,
        }
        self.send("providing-peer-handshake-info", name, address, password, **info)

    def send(self, type, name, address, password, **fields):
        message = {
            **fields,
            "__type": type,
            "__destination-name": name,
            "__destination-address": address,
            "__sender-name": None,
        }
        self._send_object({**message, "__hash-string": self.hash_of(message, password)}, address)

    def hash_of(self, message, password):
        fields = {key: value for key, value in message.items() if key != "__hash-string"}
        fields.setdefault("password", password)
        texts = [value for value in fields.values() if isinstance(value, str)]
        text = "".join(sorted(fields) + sorted(texts))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self._transport = transport
        self.dialects = [Dialect1(self.send), Dialect2(self.send)]

    def datagram_received(self, datagram, address):
        try:
            message = json.loads(datagram[:DATAGRAM_BYTES].decode("utf-8"))
            self.dialects["__type" in message].on_message(message, address[:2])
        except Exception:
            pass  # Whatever goes wrong with a datagram, the original says nothing to its sender.

    def send(self, message, address):
        self._transport.sendto(json.dumps(message).encode("ascii"), address)

    def error_received(self, error):
        pass  # A datagram too long, or nobody there.


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--bind", default="127.0.0.1", metavar="IP")
    parser.add_argument("--tick", type=float, default=1.0, help="seconds between two countdowns")
    words = parser.parse_args()
    loop = asyncio.get_running_loop()
    local = (words.bind, words.port)
    transport, server = await loop.create_datagram_endpoint(Server, local_addr=local)
    port = transport.get_extra_info("sockname")[1]
    print(json.dumps({"event": "listening", "port": port}), flush=True)

    ended = asyncio.Event()

    def end_with_input():
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=end_with_input, daemon=True).start()
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), words.tick)
        except asyncio.TimeoutError:
            for dialect in server.dialects:
                dialect.count_down()


if __name__ == "__main__":
    asyncio.run(main())
