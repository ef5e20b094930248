#!/bin/sh
# A street with a server and two homes behind routers, in network namespaces of this machine.
#
#     street.sh KEPT|RANDOM LAN_A LAN_B     for example: street.sh KEPT 192.168.1 192.168.2
#
# To be run in a network and a mount namespace of its own (unshare --net --mount), with which all of it
# ends. Prints "ready" and then waits for its input to end.
#
#     server 203.0.113.10 ───────────────────────────────┐
#     c 203.0.113.20, without a router ──────────────────┤
#     home a: a1 (.5), a2 (.6) ── router_a 203.0.113.1 ──┤ street
#     home b: b1 (.5), b2 (.6) ── router_b 203.0.113.2 ──┘
#
# The routers let in only answers. KEPT: they keep the port of who speaks, where they can; RANDOM: they
# take another one for everybody who is spoken to.
set -eu
ports=$1
# Names of namespaces are kept here; nobody else's are in the way.
mount -t tmpfs tmpfs /run

house() { # NAME BRIDGE_NAMESPACE BRIDGE ADDRESS GATEWAY
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip link add "$1" type veth peer name eth0 netns "$1"
  if [ -n "$2" ]; then ip link set "$1" netns "$2"; fi
  ip ${2:+-n "$2"} link set "$1" master "$3" up
  ip -n "$1" addr add "$4/24" dev eth0
  ip -n "$1" link set eth0 up
  if [ -n "$5" ]; then ip -n "$1" route add default via "$5"; fi
}

router() { # NAME WAN_ADDRESS LAN
  house "$1" "" street "$2" ""
  ip -n "$1" link add lan type bridge
  ip -n "$1" addr add "$3.1/24" dev lan
  ip -n "$1" link set lan up
  ip netns exec "$1" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  if [ "$ports" = RANDOM ]; then how=fully-random; else how=; fi
  ip netns exec "$1" nft -f - << END
table ip home {
  chain outside {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" masquerade $how
  }
  chain through {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan" accept
  }
  chain inside {
    type filter hook input priority filter; policy accept;
    iifname "eth0" drop
  }
}
END
}

ip link set lo up
ip link add street type bridge
ip link set street up
house server "" street 203.0.113.10 ""
house c "" street 203.0.113.20 ""
router router_a 203.0.113.1 "$2"
router router_b 203.0.113.2 "$3"
house a1 router_a lan "$2.5" "$2.1"
house a2 router_a lan "$2.6" "$2.1"
house b1 router_b lan "$3.5" "$3.1"
house b2 router_b lan "$3.6" "$3.1"
echo ready
cat > /dev/null
