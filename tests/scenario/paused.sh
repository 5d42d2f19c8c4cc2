#!/bin/sh
# paused.sh PAXWIRE-BENCH MACHINE - a follower with a journal stands still until the others have
# dropped from their logs what it lacks, and installs a snapshot. scenarios.md, storage: log wraps
# while a follower lags.
set -eu

folder=$(mktemp -d ./paxwire-paused-XXXXXX)
trap 'rm -rf "$folder"' EXIT
status=0
"$1" --machine "$2" --durability sync --directory "$folder" --segments 4 --format --keys 20000 \
	--pause-follower 2 --commits 20000 --seconds 100 --warmup 0.2 >"$folder/log" 2>&1 || status=$?
cat "$folder/log"
if grep -q 'O_DIRECT\|in memory' "$folder/log"; then
	exit 77
fi
exit "$status"
