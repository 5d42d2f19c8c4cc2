/*
 * example.c - the client library in one page: a counter that several programs may increment at once.
 *
 *   paxwire-client-example CLUSTER.yaml KEY TIMES
 *
 * Adds 1 to the number at KEY, TIMES times, each by a compare-and-swap, and prints what it read last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/client/paxwire_client.h"

/* Submits one command and waits for its answer. A future's value lives until it is released, so what
 * is wanted of it is copied. */
static struct paxwire_answer call(struct paxwire_client *client, enum paxwire_kind kind,
	const void *command, uint32_t bytes, void *value, uint32_t value_max)
{
	struct paxwire_answer answer = {0};
	struct paxwire_future *future =
		paxwire_submit_future(client, kind, command, bytes, &answer.status);

	if (future == NULL)
		return answer;
	/* No end of waiting here: the client's own timeout reports it in any case. */
	paxwire_wait(future, UINT32_MAX, &answer);
	if (value_max > 0)
		memcpy(value, answer.value, answer.bytes < value_max ? answer.bytes : value_max);
	paxwire_release(future);
	return answer;
}

/* True: ours was the one that changed it. */
static bool increment(struct paxwire_client *client, uint64_t key, uint64_t *number,
	enum paxwire_status *status)
{
	uint8_t command[PAXWIRE_KV_HEAD_BYTES + sizeof(*number)];
	struct paxwire_answer answer;

	*number = 0;
	answer = call(client, PAXWIRE_READ, command, paxwire_kv_get(command, key), number,
		sizeof(*number));
	if (answer.status == PAXWIRE_OK || answer.status == PAXWIRE_NOT_FOUND) {
		uint64_t version = answer.status == PAXWIRE_OK ? answer.result : 0;

		++*number;
		answer = call(client, PAXWIRE_COMMAND, command,
			paxwire_kv_cas(command, key, version, number, sizeof(*number)), NULL, 0);
	}
	*status = answer.status;
	return answer.status == PAXWIRE_OK;
}

int main(int argc, char **argv)
{
	struct paxwire_options options;
	char error[PAXWIRE_ERROR_MAX];
	enum paxwire_status status = PAXWIRE_OK;
	uint64_t number = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: paxwire-client-example CLUSTER.yaml KEY TIMES\n");
		return 1;
	}
	paxwire_options_init(&options);
	options.config = argv[1];
	struct paxwire_client *client = paxwire_open(&options, error, sizeof(error));

	if (client == NULL) {
		fprintf(stderr, "paxwire-client-example: %s\n", error);
		return 1;
	}
	uint64_t key = strtoull(argv[2], NULL, 10);
	uint64_t left = strtoull(argv[3], NULL, 10);

	/* A mismatch is another program's increment: once more. Anything else is told. */
	while (left > 0 && (status == PAXWIRE_OK || status == PAXWIRE_MISMATCH))
		left -= increment(client, key, &number, &status) ? 1 : 0;
	if (left > 0)
		fprintf(stderr, "paxwire-client-example: the cluster answered: %s\n",
			paxwire_status_text(status));
	else
		printf("%" PRIu64 "\n", number);
	paxwire_close(client);
	return left > 0 ? 1 : 0;
}
