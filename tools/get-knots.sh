#!/usr/bin/env bash
# get-knots.sh DEST: unpack Debian's bitcoin-knots with its own C library; DEST/bin/bitcoind starts it.
# No root. About 10 s. Use it on regtest only: that build schedules a hard fork on mainnet and testnet4.
set -euo pipefail
. "$(dirname "$0")/private-apt.sh"
private_unpack "${1:?usage: get-knots.sh DEST}" trixie bitcoin-knots/sid
"$1/bin/bitcoind" --version | sed -n 1p
