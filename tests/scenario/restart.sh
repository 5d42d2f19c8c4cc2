#!/bin/sh
# restart.sh PAXWIRE-BENCH - a cluster with journals is killed (kill -9, all replicas at once) in the
# middle of its load and started again, several times: all that was acknowledged is there, the same
# as before. scenarios.md, process: whole cluster killed; SIGKILL: nothing acknowledged is lost.
set -eu

bench=$1
folder=$(mktemp -d ./paxwire-restart-XXXXXX)
trap 'rm -rf "$folder"' EXIT

# run OPTION...: a cluster that ends itself by --die.
run() {
	status=0
	"$bench" --durability sync --directory "$folder" --segments 2 --sessions 512 \
		--commits 20000 --seconds 100 --warmup 0.1 "$@" >"$folder/log" 2>&1 || status=$?
}

run --format --die "$folder/told"
if grep -q 'O_DIRECT\|in memory' "$folder/log"; then
	cat "$folder/log"
	exit 77
fi
for lcores in 1 2 4 1; do
	[ "$status" -eq 137 ] || {
		cat "$folder/log"
		echo "It did not kill itself: exit status $status."
		exit 1
	}
	mv "$folder/told" "$folder/before"
	echo "killed at: $(cat "$folder/before")"
	run --lcores "$lcores" --survive "$folder/before" --die "$folder/told"
done
run --survive "$folder/told"
cat "$folder/log"
exit "$status"
