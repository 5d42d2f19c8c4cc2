/* The profiles of config/profiles are files that load, and no part of one makes the loader fail. */
#include "tests/unit/given_config.h"

#include "config/document.h"
#include "config/scalars.h"

static const char *const profiles[] = {
	"embedded",
	"three-hosts-af_packet",
	"three-hosts-af_xdp",
	"nic-low-latency",
	"nic-throughput",
};

enum {
	PROFILES = sizeof(profiles) / sizeof(profiles[0]),
	PATH_BYTES_MAX = 4096,
};

/* CONFIG_PROFILES is the folder, given by config/meson.build. */
static void profile_path(size_t i, char path[PATH_BYTES_MAX])
{
	snprintf(path, PATH_BYTES_MAX, "%s/%s.yaml", CONFIG_PROFILES, profiles[i]);
}

static size_t read_profile(size_t i)
{
	char path[PATH_BYTES_MAX];

	profile_path(i, path);

	FILE *file = fopen(path, "rb");

	assert_non_null(file);

	size_t bytes = fread(text, 1, sizeof(text) - 1, file);

	assert_int_equal(fgetc(file), EOF);
	fclose(file);
	text[bytes] = '\0';
	return bytes;
}

static void every_profile_loads(void **state)
{
	char path[PATH_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < PROFILES; i++) {
		profile_path(i, path);
		if (!config_load(path, &config, error, sizeof(error)))
			fail_msg("%s", error);
		assert_int_equal(config.replicas_count, 3);
		assert_int_equal(config_is_embedded(&config), strcmp(profiles[i], "embedded") == 0);
	}
}

static void the_profiles_are_what_their_names_say(void **state)
{
	(void)state;
	read_profile(0);
	then_accepted();
	assert_string_equal(config.replicas[0].ports.devargs[0], CONFIG_PORT_RING);
	assert_int_equal(config.replicas[0].stages.io, 1);
	assert_int_equal(config.replicas[2].stages.acceptors[0], 1);
	read_profile(1);
	then_accepted();
	assert_non_null(strstr(config.replicas[0].ports.devargs[0], "net_af_packet0,iface=eth0"));
	read_profile(2);
	then_accepted();
	assert_non_null(strstr(config.replicas[0].ports.devargs[0], "net_af_xdp0,iface=eth0"));
	read_profile(3);
	then_accepted();
	assert_int_equal(config.tunables.idle, IDLE_BUSY);
	assert_int_equal(config.tunables.linger_us, 0);
	read_profile(4);
	then_accepted();
	assert_int_equal(config.mtu, 9000);
	assert_int_equal(config.shards, 4);
	assert_int_equal(config.replicas[0].stages.acceptors[3], 7);
}

/* Accepted, or refused with one line that begins with the file's name. */
static void then_answered(const char *file, size_t bytes)
{
	memset(error, '!', sizeof(error));
	if (config_load_text("test.yaml", file, bytes, &config, error, sizeof(error)))
		return;
	assert_non_null(memchr(error, '\0', sizeof(error)));
	assert_int_equal(strncmp(error, "test.yaml: ", 11), 0);
	assert_true(strlen(error) > 20);
	for (size_t i = 0; error[i] != '\0'; i++)
		assert_true((unsigned char)error[i] >= ' ');
}

static void every_beginning_of_a_profile_gets_an_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROFILES; i++) {
		size_t bytes = read_profile(i);

		for (size_t n = 0; n < bytes; n++) {
			/* A copy of exactly n bytes, so that ASan sees a read behind its end. */
			char *part = malloc(n + (n == 0));

			assert_non_null(part);
			memcpy(part, text, n);
			then_answered(part, n);
			free(part);
		}
	}
}

static void a_profile_with_any_one_byte_changed_gets_an_answer(void **state)
{
	static const char bytes_in[] = "\0\n\t :-[]{}*&!|>'\"#%@\x7f\xff"
				       "0a";

	(void)state;
	/* Every place, and at each the next of the bytes: the same run each time. */
	for (size_t i = 0; i < PROFILES; i++) {
		size_t bytes = read_profile(i);

		for (size_t n = 0; n < bytes; n++) {
			char was = text[n];

			text[n] = bytes_in[(n + i) % (sizeof(bytes_in) - 1)];
			then_answered(text, bytes);
			text[n] = was;
		}
	}
}

/* The line of config/README.md's tables about `key`, up to its default, stands there. */
static void then_documented(const char *readme, const struct field *f)
{
	static const char *const marks[] = {"", " ="};
	const char *preset = f->preset != NULL ? f->preset : "";
	char line[256];

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		snprintf(line, sizeof(line), "\n| `%s`%s | %s%s|", f->key, marks[i], preset,
			preset[0] != '\0' ? " " : "");
		if (strstr(readme, line) != NULL)
			return;
	}
	fail_msg("config/README.md does not have %s with default '%s'", f->key, preset);
}

static void every_key_stands_in_the_readme_with_its_default(void **state)
{
	FILE *file = fopen(CONFIG_PROFILES "/../README.md", "rb");

	(void)state;
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; i < SCALAR_COUNT; i++)
		then_documented(text, &scalars_fields()[i]);
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		then_documented(text, &tunables_fields()[i]);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	(void)state;
	assert_false(config_load("/nowhere/cluster.yaml", &config, error, sizeof(error)));
	assert_string_equal(error,
		"/nowhere/cluster.yaml: cannot be read (No such file or directory), give a cluster file "
		"such as config/profiles/embedded.yaml");
	assert_false(config_load("/", &config, error, sizeof(error)));
	assert_string_equal(error,
		"/: cannot be read (Is a directory), give a cluster file such as "
		"config/profiles/embedded.yaml");
	assert_false(config_load("/dev/zero", &config, error, sizeof(error)));
	assert_non_null(strstr(error, "cannot be read (larger than a mebibyte)"));
}

static void a_short_buffer_gets_the_beginning_of_the_sentence(void **state)
{
	char guarded[16];

	(void)state;
	given("mtu: x\n");
	for (size_t size = 0; size < sizeof(guarded); size++) {
		memset(guarded, '!', sizeof(guarded));
		assert_false(
			config_load_text("test.yaml", text, strlen(text), &config, guarded, size));
		if (size > 0)
			assert_int_equal(strlen(guarded), size - 1);
		for (size_t i = size; i < sizeof(guarded); i++)
			assert_int_equal(guarded[i], '!');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile_loads),
		cmocka_unit_test(the_profiles_are_what_their_names_say),
		cmocka_unit_test(every_beginning_of_a_profile_gets_an_answer),
		cmocka_unit_test(a_profile_with_any_one_byte_changed_gets_an_answer),
		cmocka_unit_test(every_key_stands_in_the_readme_with_its_default),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(a_short_buffer_gets_the_beginning_of_the_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
