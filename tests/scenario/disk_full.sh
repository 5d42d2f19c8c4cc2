#!/bin/sh
# disk_full.sh PAXWIRE-BENCH - the file system of one replica's journal runs full under load. It says
# so and votes no more, another leads, and nothing acknowledged is lost; when there is space again it
# starts as ever. scenarios.md, storage: disk full.
set -eu

if [ "${2:-}" != inside ]; then
	unshare -rm true 2>/dev/null || {
		echo "There is no mount namespace for a small file system."
		exit 77
	}
	exec unshare -rm "$0" "$1" inside
fi
bench=$1
folder=$(mktemp -d ./paxwire-full-XXXXXX)
trap 'umount "$folder/journals/replica-0" "$folder/journals" || true; rm -rf "$folder"' EXIT
mkdir "$folder/journals"
mount -t tmpfs -o size=1g none "$folder/journals"
mkdir "$folder/journals/replica-0"
mount -t tmpfs -o size=2064k none "$folder/journals/replica-0"
. "$(dirname "$0")/durable.sh"
cluster 'cluster: {name: full, id: 1}' \
	"journal: {directory: $folder/journals, memory_backed: true, segments: 2, segment_bytes: 1048576, snapshot_segments: 2}"

# Some 1500 commands fit; the others' logs still have all that it then misses.
run --value 1024 --format --commits 4000 --die "$folder/told"
[ "$status" -eq 137 ]
grep -q 'replica 0: .*/replica-0/segment-.* can not be written: No space left on device' \
	"$folder/log"
mount -o remount,size=512m "$folder/journals/replica-0"
run --value 1024 --commits 1000 --survive "$folder/told"
[ "$status" -eq 0 ]
! grep -q 'No space left' "$folder/log"
