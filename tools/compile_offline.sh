#!/usr/bin/env bash
# Makes dist/netsync on Linux x64 where Deno's own runtime cannot be downloaded but npm is in reach.
#
# Every executable that `deno compile` made contains the runtime of its Deno version, and DENORT_BIN takes
# one. The npm package below ships one made by Deno 2.4.2, the oldest version netsync supports; so this
# compiles with Deno 2.4.2. Releases are made with the pinned latest version and its own runtime.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/netsync-compile"
deno="$cache/deno/node_modules/.bin/deno"
runtime="$cache/denort"
[ -x "$deno" ] || npm install --prefix "$cache/deno" --no-audit --no-fund deno@2.4.2 > /dev/null
if [ ! -x "$runtime" ]; then
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  (cd "$unpacked" && npm pack --silent @vltpkg/cli-linux-x64@0.0.0-18 > /dev/null && tar xzf ./*.tgz)
  install -m 755 "$unpacked/package/vlt" "$runtime.new"
  mv "$runtime.new" "$runtime" # Whole or not at all.
fi
DENO_TLS_CA_STORE=system DENORT_BIN="$runtime" "$deno" task compile
