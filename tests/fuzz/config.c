/*
 * config - any text is a configuration or is refused by one sentence. What is accepted has quorums
 * that intersect and tunables that keep their rules, and hashes alike when it is loaded again.
 */
#include <string.h>

#include "config/config.h"
#include "consensus/check.h"
#include "tests/fuzz/fuzz.h"

static struct config config, again;
static char error[CONFIG_ERROR_MAX];

static bool load(const uint8_t *data, size_t size, struct config *to)
{
	memset(error, 0x55, sizeof(error));
	return config_load_text("fuzz.yaml", (const char *)data, size, to, error, sizeof(error));
}

static void refused_by_a_sentence(void)
{
	const char *end = memchr(error, '\0', sizeof(error));

	CHECK(end != NULL);
	CHECK(strncmp(error, "fuzz.yaml: ", 11) == 0 && end > error + 20);
	CHECK(strchr(error, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quorum quorum;

	if (!load(data, size, &config)) {
		refused_by_a_sentence();
		return 0;
	}
	CHECK(config_quorum(&config, &quorum) == QUORUM_OK);
	CHECK(config.replicas_count >= 1 && config.replicas_count <= MEMBER_MAX);
	for (uint32_t i = 0; i < config.replicas_count; i++)
		CHECK(config.replicas[i].id == i);
	CHECK((config_log_bytes(&config) & (config_log_bytes(&config) - 1)) == 0);
	CHECK(load(data, size, &again) && config_hash(&again) == config_hash(&config));
	return 0;
}
