/*
 * given_telemetry.h - one replica of a small cluster, served by DPDK's telemetry in a folder of its
 * own, and a client of its socket.
 */
#ifndef TESTS_UNIT_GIVEN_TELEMETRY_H
#define TESTS_UNIT_GIVEN_TELEMETRY_H

#include <ftw.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>

#include "dataplane/app_null.h"
#include "dataplane/eal.h"
#include "dataplane/telemetry.h"
#include "tests/unit/given_config.h"

enum {
	SELF = 1,
	HEAP_MIB = 160,
	ANSWER_MAX = 16384,
	SKIPPED = 77,
};

static struct replica replica;
static struct lcore lcores[2]; /* Not running: what control writes to them is seen. */
static char folder[] = "/tmp/test_telemetry.XXXXXX";
static char prefix[32];
static char answer[ANSWER_MAX + 1];

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
	(void)s;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void remove_folder(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* False: the reason to skip was printed. */
static inline bool given_dpdk_with_telemetry(void)
{
	if (mkdtemp(folder) == NULL) {
		puts("skipped: telemetry: /tmp takes no folder.");
		return false;
	}
	atexit(remove_folder); /* Also if a test crashes: cmocka ends by exit then. */
	snprintf(prefix, sizeof(prefix), "test-telemetry-%d", (int)getpid());
	setenv("RUNTIME_DIRECTORY", folder, 1);
	setenv("XDG_RUNTIME_DIR", folder, 1);
	const struct eal_request request = {
		.program = "test_telemetry",
		.prefix = prefix,
		.heap_mebibytes = HEAP_MIB,
	};

	if (eal_start(&request, error, sizeof(error)))
		return true;
	printf("skipped: telemetry: %s\n", error);
	return false;
}

static inline bool given_replica(void)
{
	const struct machine machine = app_null();
	const struct endpoint self = {.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 2))};
	struct live_member members[MEMBER_MAX] = {0};

	given(small);
	if (!when_loaded() ||
		!replica_create(&replica, &config, SELF, &machine, error, sizeof(error)))
		return false;
	for (uint32_t i = 0; i < config.replicas_count; i++) {
		members[i].known = true;
		members[i].endpoint.mac.addr_bytes[5] = (uint8_t)(i + 1);
		memcpy(&members[i].endpoint.ip, config.replicas[i].address.bytes, 4);
	}
	return replica_attach(&replica, &self, members, error, sizeof(error));
}

static inline int connect_to_it(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 30};
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/dpdk/%s/dpdk_telemetry.v2", folder, prefix);
	assert_true(s >= 0);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(s, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_true(recv(s, answer, ANSWER_MAX, 0) > 0); /* What it is. */
	return s;
}

/* The whole answer to a command, without the braces with the command's name around it. */
static inline void when_asked(const char *command)
{
	int s = connect_to_it();
	int name = (int)strcspn(command, ",");
	char begin[64];

	assert_int_equal(send(s, command, strlen(command), 0), strlen(command));
	ssize_t bytes = recv(s, answer, ANSWER_MAX, 0);

	close(s);
	assert_true(bytes > 0);
	answer[bytes] = 0;
	snprintf(begin, sizeof(begin), "{\"%.*s\":", name, command);
	assert_memory_equal(answer, begin, strlen(begin));
	assert_int_equal(answer[bytes - 1], '}');
	answer[bytes - 1] = 0;
	memmove(answer, answer + strlen(begin), (size_t)bytes - strlen(begin));
}

/* This key with this value stands in the answer. */
static inline void then_says(const char *key, const char *value)
{
	char pair[600];

	snprintf(pair, sizeof(pair), "\"%s\":%s", key, value);
	const char *at = strstr(answer, pair);

	if (at == NULL || strchr(",}", at[strlen(pair)]) == NULL)
		fail_msg("no %s in %s", pair, answer);
}

static inline void then_counts(const char *key, uint64_t value)
{
	char number[32];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	then_says(key, number);
}

/* The answer is this sentence, to be shown to the one who asked, and nothing else. */
static inline void then_refused_by(const char *sentence)
{
	char whole[600];

	snprintf(whole, sizeof(whole), "{\"error\":\"%s\"}", sentence);
	assert_string_equal(answer, whole);
}

#endif
