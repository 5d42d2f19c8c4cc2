#!/bin/sh
# trimmed.sh PAXWIRE-BENCH - journals are trimmed to snapshots under load: their files stay as many as
# they were formatted with, however much is written; a cluster that is killed starts from snapshots,
# and all that was acknowledged is there. scenarios.md, storage: disk space is bounded.
set -eu

bench=$1
folder=$(mktemp -d ./paxwire-trimmed-XXXXXX)
trap 'rm -rf "$folder"' EXIT
. "$(dirname "$0")/durable.sh"
cluster 'cluster: {name: trimmed, id: 1}' 'durability: sync' \
	"journal: {directory: $folder, segments: 12, segment_bytes: 2097152, snapshot_segments: 3}"

# Each replica's segments stand behind their first ones by now, and are no more than a bound.
bounded() {
	for id in 0 1 2; do
		[ -f "$folder/replica-$id/snapshot" ]
		[ ! -f "$folder/replica-$id/segment-0000" ]
		[ "$(ls "$folder/replica-$id" | grep -c '^segment-')" -le "$1" ]
	done
}

run --value 512 --format --commits 150000 --die "$folder/told"
if grep -q 'O_DIRECT\|in memory' "$folder/log"; then
	exit 77
fi
[ "$status" -eq 137 ]
bounded 24
mv "$folder/told" "$folder/before"
run --value 512 --commits 150000 --survive "$folder/before" --die "$folder/told"
[ "$status" -eq 137 ]
bounded 24
# A snapshot is lost: its replica stands until it has another's.
rm "$folder/replica-0/snapshot"
run --value 512 --commits 20000
[ "$status" -eq 0 ]
grep -q 'replica 0: .*/snapshot is damaged or not there' "$folder/log"
