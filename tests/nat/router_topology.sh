# A home whose router maps ports, somebody outside, and a network without a router, in network namespaces.
#
#     unshare --net --mount --pid --fork --kill-child sh router_topology.sh [PUBLIC]
#
# PUBLIC is how the addresses of the public network begin (11.22.33).
#
#     outside 11.22.33.10 ----+---- router 11.22.33.21       alone 192.168.9.11
#                              |      lan 192.168.1.1           (its gateway 192.168.9.1 is not there)
#                          the public     home 192.168.1.11
#                           network       neighbour 192.168.1.12
#
# The router's rules are those miniupnpd adds its own to; it is started and stopped from elsewhere. Its
# configurations are in /run, which only who is in here sees:
#     both.conf      UPnP and NAT-PMP
#     nat-pmp.conf   NAT-PMP only
#
# The public network's addresses are none of those for documentation: miniupnpd maps nothing when it finds
# one of them, or a private one, on its other side. Nothing of this network leaves the namespaces.
#
# It prints one line of JSON when all is there, and lasts until its input ends. Being the first process
# of a PID namespace it takes everything with it then: programs inside, namespaces, links.
set -eu
public=${1:-11.22.33}

. "$(dirname "$0")/namespaces.sh"

ip netns add provider
within provider sh -euc "$quiet"
bridge provider public "$public.1"
attach outside provider public wan "$public.10"
attach router provider public wan "$public.21"
ip -n router route add default via "$public.1"
bridge router lan 192.168.1.1
within router sh -euc 'echo 1 > /proc/sys/net/ipv4/ip_forward'
attach home router lan lan0 192.168.1.11
attach neighbour router lan lan0 192.168.1.12
for name in home neighbour; do ip -n "$name" route add default via 192.168.1.1; done
attach alone provider public wan 192.168.9.11
ip -n alone link set wan nomaster 2> /dev/null || true
ip -n alone route add default via 192.168.9.1

# Only what was asked for comes in. Into the three chains miniupnpd puts what it maps.
cat > /run/router.nft << RULES
flush ruleset
table inet filter {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward {
    type filter hook forward priority 0
    policy drop
    ct state established,related accept
    iifname "lan" oifname "wan" accept
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority -100
    policy accept
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority 100
    policy accept
    jump postrouting_miniupnpd
    oifname "wan" masquerade
  }
}
RULES
within router nft -f /run/router.nft

# Makes a configuration: NAME LINES. The lease file shows what is mapped.
configure() {
  cat > "/run/$1.conf" << CONF
ext_ifname=wan
listening_ip=lan
ipv6_disable=yes
http_port=0
secure_mode=yes
system_uptime=no
notify_interval=900
min_lifetime=2
lease_file=/run/leases
friendly_name=Box & Sons
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
$2
CONF
}
configure both 'enable_natpmp=yes'
configure nat-pmp 'enable_natpmp=yes
enable_upnp=no'

# /proc is still the one outside, so this is the number by which others find this process.
read -r pid rest < /proc/self/stat
echo "{\"event\":\"ready\",\"pid\":$pid}"
exec cat
