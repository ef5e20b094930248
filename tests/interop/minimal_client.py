"""The least that joins: what a newcomer writes after reading the protocol once.

One IPv6 socket that also speaks IPv4, and a *blocking* receive between id requests: a server that does
not answer the first request leaves this program waiting for ever. Received states are printed, one
JSON object a line; the state is a counter. Ends when its input ends.

    python3 minimal_client.py PORT [HOST]
"""

import itertools
import json
import os
import socket
import sys
import threading
import time

PORT = int(sys.argv[1])
HOST = sys.argv[2] if len(sys.argv) > 2 else "::1"


def pack(number, text=""):
    return number.to_bytes(8, "little", signed=True) + text.encode("ascii")


def unpack(datagram):
    return int.from_bytes(datagram[:8], "little", signed=True), datagram[8:]


def ask_for_id(sock):
    while True:
        sock.sendto(pack(-1), (HOST, PORT))
        number, rest = unpack(sock.recvfrom(65536)[0])
        if number == -1:
            return int.from_bytes(rest, "little", signed=True)
        time.sleep(0.5)


def print_states(sock):
    newest = -1
    while True:
        number, rest = unpack(sock.recvfrom(65536)[0])
        if number > newest:
            newest = number
            states = json.loads(rest.decode("ascii"))
            print(json.dumps({"event": "states", "number": number, "states": states}), flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    threading.Thread(target=end_with_input, daemon=True).start()
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    own_id = ask_for_id(sock)
    print(json.dumps({"event": "connected", "id": own_id}), flush=True)
    threading.Thread(target=print_states, args=(sock,), daemon=True).start()
    for number in itertools.count():
        sock.sendto(pack(number, str(number + 1)), (HOST, PORT))
        time.sleep(0.1)


if __name__ == "__main__":
    main()
