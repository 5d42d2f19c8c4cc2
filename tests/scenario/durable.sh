# durable.sh - sourced: three replicas with journals in one process, by a file of its own in $folder.

# cluster LINE...: the file's head; stages of a replica share one lcore.
cluster() {
	{
		printf '%s\n' "$@" 'tunables: {idle: yield}' 'replicas:'
		for id in 0 1 2; do
			echo "  - {id: $id, address: 10.0.0.$((id + 1)), ports: [ring]," \
				"stages: {io: 1, leader: 1, acceptors: [1], learner: 1, journal: 1}}"
		done
	} >"$folder/cluster.yaml"
}

# run OPTION...: leaves its exit status in $status, and what it said in $folder/log.
run() {
	status=0
	"$bench" --config "$folder/cluster.yaml" --sessions 256 --seconds 100 --warmup 0 "$@" \
		>"$folder/log" 2>&1 || status=$?
	cat "$folder/log"
}
