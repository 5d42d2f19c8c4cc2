#!/bin/sh
# The mutant's report says FALSE, and its exit status is 1.
report=$("$1" --mutant swap --seconds 1 --warmup 0.2 2>/dev/null)
status=$?
printf '%s\n' "$report"
[ "$status" -eq 1 ] && printf '%s\n' "$report" | grep -q '^  agreement    FALSE'
