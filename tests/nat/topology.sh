# Two homes behind routers and a public network between them, all in network namespaces.
#
#     unshare --net --mount --pid --fork --kill-child sh topology.sh [LAN-B [MASQUERADE-A [MASQUERADE-B]]]
#
# LAN-B is how home B's addresses begin (192.168.2). MASQUERADE-* is what follows that word in a router's
# rules: nothing keeps the port where it can, "fully-random" gives each way a port of its own.
#
#     c 203.0.113.11 -----------+
#     server 203.0.113.10 ------+------ 203.0.113.1, the provider, who forwards nothing
#            +------------------+-----------------+
#     router-a 203.0.113.21               router-b 203.0.113.22
#        a1 192.168.1.11                     b1 192.168.2.11
#        a2 192.168.1.12                     b2 192.168.2.12
#
# It prints one line of JSON when all is there, and lasts until its input ends. Being the first process
# of a PID namespace it takes everything with it then: programs inside, namespaces, links.
set -eu
lan_b=${1:-192.168.2}
masquerade_a=${2-}
masquerade_b=${3-}

. "$(dirname "$0")/namespaces.sh"

# Makes a home: LETTER PUBLIC-ADDRESS LAN MASQUERADE
home() {
  router=router-$1 lan=$3
  attach "$router" provider public wan "$2"
  ip -n "$router" route add default via 203.0.113.1
  bridge "$router" lan "$lan.1"
  within "$router" sh -euc 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  # Only what was asked for comes in. Nothing is turned around for those inside (no hairpinning).
  within "$router" nft -f - << RULES
table ip home {
  chain input {
    type filter hook input priority 0
    policy drop
    iifname "lan" accept
    ct state established,related accept
  }
  chain forward {
    type filter hook forward priority 0
    policy drop
    ct state established,related accept
    iifname "lan" oifname "wan" accept
  }
  chain leave {
    type nat hook postrouting priority 100
    policy accept
    oifname "wan" masquerade $4
  }
}
RULES
  for number in 1 2; do
    attach "$1$number" "$router" lan lan0 "$lan.1$number"
    ip -n "$1$number" route add default via "$lan.1"
  done
}

ip netns add provider
within provider sh -euc "$quiet"
bridge provider public 203.0.113.1
attach server provider public wan 203.0.113.10
attach c provider public wan 203.0.113.11
home a 203.0.113.21 192.168.1 "$masquerade_a"
home b 203.0.113.22 "$lan_b" "$masquerade_b"

# /proc is still the one outside, so this is the number by which others find this process.
read -r pid rest < /proc/self/stat
echo "{\"event\":\"ready\",\"pid\":$pid}"
exec cat
