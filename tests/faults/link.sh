# A server's computer and a players' one with a cable between them, in network namespaces.
#
#     unshare --net --mount --pid --fork --kill-child sh link.sh
#
#     server 192.0.2.1 --------- players 198.51.100.2, which the server reaches by its default route
#
# It prints one line of JSON when all is there, and lasts until its input ends; all ends with it then.
set -eu
. "$(dirname "$0")/../nat/namespaces.sh"

for name in server players; do
  ip netns add "$name"
  within "$name" sh -euc "$quiet"
  ip -n "$name" link set lo up
done
ip -n server link add lan type veth peer name lan netns players
ip -n server address add 192.0.2.1/24 dev lan
ip -n players address add 198.51.100.2/32 dev lan
ip -n players link set lan up
ip -n server link set lan up
ip -n server route add default dev lan
ip -n players route add 192.0.2.0/24 dev lan src 198.51.100.2

# /proc is still the one outside, so this is the number by which others find this process.
read -r pid rest < /proc/self/stat
echo "{\"event\":\"ready\",\"pid\":$pid}"
exec cat
