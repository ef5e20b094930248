# What networks in namespaces are made of; for the scripts beside it, which begin with it.

# `ip netns` keeps names here. On a mount of our own they meet no others, and vanish with it.
mount -t tmpfs tmpfs /run
mkdir /run/netns

# Runs a command in a namespace. `ip netns exec` would mount another /sys, which containers forbid.
within() {
  namespace=$1
  shift
  nsenter --net="/run/netns/$namespace" "$@"
}

# Nothing but ARP talks here unasked, who is no router forwards nothing (a new namespace may inherit
# that), and what a bridge carries is no business of the rules for IP.
quiet='
  echo 0 > /proc/sys/net/ipv4/ip_forward
  for file in all default; do
    file=/proc/sys/net/ipv6/conf/$file/disable_ipv6
    [ ! -e $file ] || echo 1 > $file
  done
  file=/proc/sys/net/bridge/bridge-nf-call-iptables
  [ ! -e $file ] || echo 0 > $file
'

# Makes a namespace with one link, whose other end is in a bridge: NAME BRIDGE-NAMESPACE BRIDGE LINK ADDRESS
attach() {
  name=$1 around=$2 bridge=$3 link=$4 address=$5
  ip netns add "$name"
  within "$name" sh -euc "$quiet"
  ip -n "$name" link set lo up
  ip -n "$around" link add "$name" type veth peer name "$link" netns "$name"
  ip -n "$around" link set "$name" master "$bridge" up
  ip -n "$name" address add "$address/24" dev "$link"
  ip -n "$name" link set "$link" up
}

# Makes a bridge: NAMESPACE BRIDGE ADDRESS
bridge() {
  ip -n "$1" link add "$2" type bridge
  ip -n "$1" address add "$3/24" dev "$2"
  ip -n "$1" link set "$2" up
}
