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
cat >"$folder/cluster.yaml" <<EOF
cluster: {name: full, id: 1}
journal: {directory: $folder/journals, memory_backed: true, segments: 2, segment_bytes: 1048576, snapshot_segments: 2}
tunables: {idle: yield}
replicas:
EOF
for id in 0 1 2; do
	echo "  - {id: $id, address: 10.0.0.$((id + 1)), ports: [ring]," \
		"stages: {io: 1, leader: 1, acceptors: [1], learner: 1, journal: 1}}" \
		>>"$folder/cluster.yaml"
done

run() {
	status=0
	"$bench" --config "$folder/cluster.yaml" --sessions 256 --value 1024 --seconds 100 --warmup 0 "$@" \
		>"$folder/log" 2>&1 || status=$?
	cat "$folder/log"
}

# Some 1500 commands fit; the others' logs still have all that it then misses.
run --format --commits 4000 --die "$folder/told"
[ "$status" -eq 137 ]
grep -q 'replica 0: .*/replica-0/segment-.* can not be written: No space left on device' \
	"$folder/log"
mount -o remount,size=512m "$folder/journals/replica-0"
run --commits 1000 --survive "$folder/told"
[ "$status" -eq 0 ]
! grep -q 'No space left' "$folder/log"
