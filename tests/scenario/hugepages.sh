#!/bin/sh
# Huge pages in use come back after a kill -9, and no file of ours is left in hugetlbfs.
wanted=1200
total=/proc/sys/vm/nr_hugepages
free_pages() { awk '/^HugePages_Free/ { print $2 }' /proc/meminfo; }

before=$(cat "$total")
files_before=$(find /dev/hugepages -type f 2>/dev/null | wc -l)
if [ "$(id -u)" -ne 0 ] || ! { echo "$wanted" >"$total"; } 2>/dev/null; then
	echo 'this machine gives us no huge pages'
	exit 77
fi
trap 'echo "$before" >"$total"' EXIT
if [ "$(free_pages)" -lt "$wanted" ]; then
	echo "only $(free_pages) of $wanted huge pages are free"
	exit 77
fi

"$1" --seconds 60 >/dev/null 2>&1 &
process=$!
used=0
for _ in $(seq 100); do
	used=$((wanted - $(free_pages)))
	[ "$used" -gt 0 ] && break
	sleep 0.1
done
kill -9 "$process"
wait "$process" 2>/dev/null
for _ in $(seq 100); do
	[ "$(free_pages)" -ge "$wanted" ] && break
	sleep 0.1
done
files=$(find /dev/hugepages -type f 2>/dev/null | wc -l)
echo "used $used pages, $(free_pages) of $wanted free after the kill, $files files"
[ "$used" -gt 0 ] && [ "$(free_pages)" -ge "$wanted" ] && [ "$files" -eq "$files_before" ]
