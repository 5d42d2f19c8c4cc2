/* The learner's snapshots: cut, served, received, installed. */
#include "tests/unit/given_learner.h"

enum {
	IMAGE_BYTES = 1 << 16,
	SESSIONS_MANY = 256,
	OTHER = 2, /* The member that serves us. */
};

static _Alignas(8) uint8_t image[IMAGE_BYTES];
static _Alignas(8) uint8_t theirs[IMAGE_BYTES]; /* What another member offers, */
static uint64_t theirs_bytes;

/* A machine of some numbers, that one command after the other adds to. */
enum {
	NUMBERS = 200
};

static uint64_t numbers[NUMBERS];
static bool saved[NUMBERS];
static uint32_t scanned;
static struct snapshot *saved_to;
static bool restoring; /* From the first clear on, until it was told that all is there. */

static void save(uint32_t i)
{
	const uint64_t entry[] = {i, numbers[i]};

	if (saved_to == NULL || saved[i])
		return;
	saved[i] = true;
	memcpy(snapshot_add(saved_to, SNAPSHOT_ENTRY, sizeof(entry)), entry, sizeof(entry));
}

static void add(void *state, const struct command *commands, uint32_t count, struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (uint32_t)(commands[i].instance % NUMBERS);

		save(at);
		numbers[at] += commands[i].instance;
		results[i] = (struct result){.status = REPLY_OK, .result = numbers[at]};
	}
	apply(NULL, commands, count, results);
}

static uint64_t numbers_bytes(const void *state)
{
	(void)state;
	return NUMBERS * snapshot_record_bytes(2 * sizeof(uint64_t));
}

static uint64_t numbers_count(const void *state)
{
	(void)state;
	return NUMBERS;
}

static void numbers_begin(void *state, struct snapshot *to)
{
	(void)state;
	saved_to = to;
	scanned = 0;
	memset(saved, 0, sizeof(saved));
}

static bool numbers_step(void *state)
{
	(void)state;
	for (uint32_t i = 0; i < 10 && scanned < NUMBERS; i++)
		save(scanned++);
	if (scanned == NUMBERS)
		saved_to = NULL;
	return scanned < NUMBERS;
}

static bool numbers_valid(const void *state, const uint8_t *entry, uint32_t length,
	uint64_t instance)
{
	(void)state;
	(void)instance;
	return length == 16 && *(const uint64_t *)(const void *)entry < NUMBERS;
}

static bool numbers_clear(void *state)
{
	(void)state;
	memset(numbers, 0, sizeof(numbers));
	restoring = true;
	return false;
}

static void numbers_restore(void *state, const uint8_t *entry, uint32_t length)
{
	const uint64_t *e = (const uint64_t *)(const void *)entry;

	(void)state;
	(void)length;
	numbers[e[0]] = e[1];
}

static void numbers_restored(void *state)
{
	(void)state;
	restoring = false;
}

static const struct machine_snapshot machine_snapshot = {
	.bytes = numbers_bytes,
	.count_max = numbers_count,
	.count = numbers_count,
	.begin = numbers_begin,
	.step = numbers_step,
	.valid = numbers_valid,
	.clear = numbers_clear,
	.restore = numbers_restore,
	.restored = numbers_restored,
};

static void given_stage_of(enum durability durability)
{
	const struct machine machine = {.apply = add,
		.query = query,
		.snapshot = &machine_snapshot};

	setup(NULL);
	settings.durability = durability;
	settings.config_hash = 99;
	learner_stage_init(&stage, &settings, &outlet, &machine, slots, SESSIONS_MAX, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	for (uint32_t i = 0; i < NUMBERS; i++)
		numbers[i] = i;
	saved_to = NULL;
	restoring = false;
}

static int given_machine(void **state)
{
	(void)state;
	given_stage_of(DURABILITY_NONE);
	return 0;
}

/* `count` commands of the open session 0 are chosen, one after the other. */
static uint64_t sequence;

static void when_open(void)
{
	sequence = 0;
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen();
}

static void when_commands(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		with_command(0, sequence++);
		when_chosen();
	}
}

static void hear(enum message_type type, uint8_t sender, uint64_t first, uint64_t watermark,
	uint64_t ballot, const uint8_t *body, uint32_t bytes)
{
	const struct message m = {
		.type = (uint8_t)type,
		.sender = sender,
		.first = first,
		.watermark = watermark,
		.ballot = ballot,
		.payload_len = (uint16_t)bytes,
	};

	learner_stage_on_message(&stage, &m, body, NULL, now);
}

static void hear_ask(uint64_t first, uint64_t watermark, uint64_t mask)
{
	sent_count = 0;
	hear(MESSAGE_SNAPSHOT_ASKED, OTHER, first, watermark, mask, NULL, 0);
}

static void when_whole(void)
{
	for (uint32_t i = 0; i < 1000 && stage.snapshots.state != SNAPSHOT_WHOLE; i++)
		flush();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
}

static void given_image_of(uint32_t commands)
{
	when_open();
	when_commands(commands);
	learner_stage_want_snapshot(&stage);
	tick();
	when_whole();
}

/* Another member's image: of `commands` commands, made by a stage that is thrown away. */
static uint64_t their_numbers[NUMBERS];
static uint64_t their_digest, their_instance;

static void given_theirs(uint32_t commands, enum durability durability)
{
	given_stage_of(DURABILITY_NONE);
	given_image_of(commands);
	theirs_bytes = stage.snapshots.image.used;
	memcpy(theirs, image, theirs_bytes);
	memcpy(their_numbers, numbers, sizeof(numbers));
	their_digest = stage.digest;
	their_instance = stage.learner.delivered;
	given_stage_of(durability);
	memset(image, 0, sizeof(image));
}

static void hear_gone(uint8_t member, uint64_t tail)
{
	hear(MESSAGE_GONE, member, stage.learner.delivered, tail, 0, NULL, 0);
}

/* Both others say that what comes next is gone. */
static void when_beyond(void)
{
	hear_watermark(THEIRS, 0, their_instance);
	hear_gone(0, 10);
	hear_gone(OTHER, 10);
	assert_true(stage.beyond);
	now += RETRANSMIT;
	sent_count = 0;
	tick();
}

static uint32_t chunk_bytes(void)
{
	return snapshot_chunk_bytes(&settings);
}

static void hear_chunk(uint8_t sender, uint64_t number)
{
	uint64_t at = number * chunk_bytes();
	uint64_t rest = theirs_bytes - at;

	hear(MESSAGE_SNAPSHOT_PART, sender, their_instance, number, theirs_bytes, theirs + at,
		(uint32_t)(rest < chunk_bytes() ? rest : chunk_bytes()));
}

static uint64_t chunks(void)
{
	return (theirs_bytes + chunk_bytes() - 1) / chunk_bytes();
}

static uint8_t asked_member(void)
{
	const struct sent *s = sent_nth(MESSAGE_SNAPSHOT_ASK, 0);

	assert_non_null(s);
	return (uint8_t)__builtin_ctz(s->to.members);
}

static void when_received(void)
{
	uint8_t source = asked_member();

	for (uint64_t i = 0; i < chunks(); i++)
		hear_chunk(source, i);
}

static void then_installed(void)
{
	assert_int_equal(stage.learner.delivered, their_instance);
	assert_int_equal(stage.digest, their_digest);
	assert_memory_equal(numbers, their_numbers, sizeof(numbers));
	assert_false(restoring);
	assert_false(stage.beyond);
	assert_non_null(session_find(&stage.sessions, 0));
	assert_int_equal(stage.snapshots.counters.installed, 1);
	assert_int_equal(stage.snapshots.counters.restored, 0);
}

/* ---- Cutting ---- */

static void an_image_is_exact_at_its_cut_while_commands_go_on(void **state)
{
	/* Else: a scan that sees some commands and not others; replay can not mend a cas. */
	uint64_t before[NUMBERS];
	uint64_t digest;

	(void)state;
	when_open();
	when_commands(30);
	memcpy(before, numbers, sizeof(before));
	digest = stage.digest;
	learner_stage_want_snapshot(&stage);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
	when_commands(150);
	when_whole();

	uint64_t length = stage.snapshots.image.used;

	given_stage_of(DURABILITY_NONE);
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_OK);
	assert_int_equal(stage.snapshots.counters.restored, 1);
	assert_int_equal(stage.snapshots.counters.installed, 0);
	assert_int_equal(stage.learner.delivered, 31);
	assert_int_equal(stage.digest, digest);
	assert_memory_equal(numbers, before, sizeof(before));
	assert_int_equal(session_find(&stage.sessions, 0)->last, 30);
}

/* Of so many sessions the image is not written in one step. */
static void a_session_is_saved_before_a_command_changes_it(void **state)
{
	static struct session many[2 * SESSIONS_MANY];
	uint64_t length;

	(void)state;
	learner_stage_init(&stage, &settings, &outlet, &stage.machine, many, SESSIONS_MANY, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	for (uint64_t i = 0; i < 200; i++) {
		with_entry(ENTRY_OPEN, i, 0);
		when_chosen();
	}
	learner_stage_want_snapshot(&stage);
	tick();
	with_command(190, 0);
	when_chosen();
	assert_int_equal(session_find(&stage.sessions, 190)->last, 200);
	when_whole();
	length = stage.snapshots.image.used;
	learner_stage_init(&stage, &settings, &outlet, &stage.machine, many, SESSIONS_MANY, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_OK);
	assert_int_equal(session_find(&stage.sessions, 190)->last, 190);
	assert_int_equal(session_look(session_find(&stage.sessions, 190), 0), SESSION_RUN);
}

static void an_image_is_cut_between_runs_only(void **state)
{
	(void)state;
	when_open();
	learner_stage_want_snapshot(&stage);
	tick();
	when_whole();
	assert_int_equal(snapshot_header_of(&stage.snapshots.image)->instance, 1);
	tick();
	assert_int_equal(stage.snapshots.counters.cut, 1);
}

static void with_a_journal_an_image_stays_until_it_is_kept(void **state)
{
	struct snapshot_view view;

	(void)state;
	given_stage_of(DURABILITY_SYNC);
	assert_false(learner_stage_image(&stage, &view));
	given_image_of(3);
	assert_true(learner_stage_image(&stage, &view));
	assert_int_equal(view.instance, 4);
	assert_ptr_equal(view.bytes, image);
	assert_int_equal(view.length, stage.snapshots.image.used);
	when_commands(1);
	learner_stage_want_snapshot(&stage);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
	learner_stage_kept(&stage, 4);
	assert_false(learner_stage_image(&stage, &view));
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
}

static void without_a_journal_nobody_is_to_keep_it(void **state)
{
	struct snapshot_view view;

	(void)state;
	given_image_of(3);
	assert_false(learner_stage_image(&stage, &view));
}

/* ---- Serving ---- */

static void who_asks_for_any_image_gets_one_that_is_cut_for_it(void **state)
{
	(void)state;
	when_open();
	when_commands(5);
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_NONE);
	hear_ask(0, 6, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
	when_whole();
	hear_ask(0, 6, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->to.members, 1u << OTHER);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.first, 6);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.watermark, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.ballot, stage.snapshots.image.used);
}

static void the_chunks_asked_for_are_sent_and_no_others(void **state)
{
	(void)state;
	given_image_of(5);
	hear_ask(6, 1, 0x5);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 2);
	assert_int_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 0)->m.watermark, 1);
	assert_int_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->m.watermark, 3);
	assert_memory_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->body, image + 3 * chunk_bytes(),
		sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->m.payload_len);
	hear_ask(5, 0, UINT64_MAX);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 0);
	hear_ask(6, 1000, UINT64_MAX);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.watermark, 3);
}

static void without_room_in_the_rings_chunks_are_left_out(void **state)
{
	(void)state;
	given_image_of(5);
	room = STAGE_ROOM - 1;
	hear_ask(6, 0, UINT64_MAX);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 0);
}

static void an_image_that_is_asked_for_is_not_replaced(void **state)
{
	(void)state;
	given_image_of(5);
	hear_ask(6, 0, 1);
	when_commands(1);
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
	now += SNAPSHOT_LEASE_NS;
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
}

/* ---- Receiving and installing ---- */

static void beyond_the_logs_an_image_is_asked_for_and_installed(void **state)
{
	const struct sent *told;

	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.first, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, 10);
	when_received();
	when_whole();
	then_installed();
	told = sent_nth(MESSAGE_DELIVERED, 0);
	assert_non_null(told);
	assert_true(told->to.local);
	assert_int_equal(told->m.flags, FLAG_INSTALLED);
	assert_int_equal(told->m.first, their_instance);
}

static void one_member_that_never_answers_does_not_keep_it_from_an_image(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	hear_watermark(THEIRS, 0, their_instance);
	hear_gone(OTHER, 10);
	assert_false(stage.beyond);
	for (uint32_t i = 0; i < 100 && !stage.beyond; i++) {
		now += RETRANSMIT;
		tick();
	}
	sent_count = 0;
	now += RETRANSMIT;
	tick();
	assert_true(sent_of(MESSAGE_SNAPSHOT_ASK) > 0);
	assert_int_equal(asked_member(), OTHER);
}

static void chunks_may_be_lost_repeated_and_out_of_order(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	hear_chunk(source, chunks() - 1);
	hear_chunk(source, chunks() - 1);
	sent_count = 0;
	now += RETRANSMIT;
	tick();
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.first, their_instance);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.ballot,
		~(1ull | 1ull << (chunks() - 1)));
	for (uint64_t i = chunks(); i > 0; i--)
		hear_chunk(source, i - 1);
	when_whole();
	then_installed();
}

static void chunks_of_one_image_and_one_member_combine_and_no_others(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	hear_chunk(source == 0 ? OTHER : 0, 1);
	assert_int_equal(stage.snapshots.receipt.have, 1);
	their_instance++;
	hear_chunk(source, 1);
	assert_int_equal(stage.snapshots.receipt.have, 1);
}

static void a_chunk_that_does_not_fit_is_not_taken(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	/* Too short for its place; beyond the memory; an image larger than the memory. */
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, 1, theirs_bytes, theirs, 8);
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, INSTANCE_TOP - 1, theirs_bytes, theirs,
		chunk_bytes());
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, 1, IMAGE_BYTES + 8, theirs,
		chunk_bytes());
	assert_int_equal(stage.snapshots.receipt.have, 1);
}

static void a_damaged_image_changes_nothing_and_another_member_is_asked(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	theirs[theirs_bytes / 2] ^= 1;
	when_received();
	for (uint32_t i = 0; i < 10; i++)
		flush();
	assert_int_equal(stage.snapshots.counters.damaged, 1);
	assert_int_equal(stage.learner.delivered, 0);
	assert_int_equal(numbers[7], 7);
	sent_count = 0;
	tick();
	assert_int_not_equal(asked_member(), source);
}

static void a_member_that_is_silent_is_asked_no_more(void **state)
{
	uint8_t source;

	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	source = asked_member();
	for (uint32_t i = 0; i < 2 * SNAPSHOT_ASKS_MAX; i++) {
		now += 2 * RETRANSMIT;
		sent_count = 0;
		tick();
		if (asked_member() != source)
			return;
	}
	fail_msg("it is asked for ever");
}

static void with_a_journal_it_is_kept_before_the_state_is_changed(void **state)
{
	/* Else: a crash right after finds the state below the image, and the log above it. */
	struct snapshot_view view;

	(void)state;
	given_theirs(20, DURABILITY_SYNC);
	when_beyond();
	when_received();
	for (uint32_t i = 0; i < 100; i++)
		flush();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_KEEPING);
	assert_int_equal(numbers[7], 7);
	assert_true(learner_stage_image(&stage, &view));
	assert_int_equal(view.instance, their_instance);
	learner_stage_kept(&stage, their_instance);
	when_whole();
	then_installed();
}

static void while_the_state_is_replaced_nothing_is_looked_up_in_it(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_open();
	when_beyond();
	when_received();
	while (stage.snapshots.state != SNAPSHOT_LOADING)
		flush();
	assert_true(restoring);
	sent_count = 0;
	const struct entry e = {.session = 0, .sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)};
	const struct message retry = {.type = MESSAGE_RETRY, .count = 1, .from = 300};

	hear_watermark(ballot_make(9, SELF), 0, 0);
	learner_stage_on_message(&stage, &retry, (const uint8_t *)&e, NULL, now);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void what_came_meanwhile_is_delivered_after_it(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	/* One run straddles the image's end, one lies below it. */
	with_command(0, 99);
	hear_run(THEIRS, 3, 0, 2);
	with_command(0, 100);
	with_command(0, 101);
	hear_run(THEIRS, their_instance - 1, 0, 2);
	when_received();
	when_whole();
	then_installed();
	assert_int_equal(stage.retained, 1);
	hear_watermark(THEIRS, their_instance + 1, their_instance + 1);
	flush();
	assert_int_equal(stage.learner.delivered, their_instance + 1);
	assert_int_equal(applied[applied_count - 1].sequence, 101);
	assert_int_equal(stage.retained, 0);
}

static void who_is_beyond_again_at_once_asks_the_leader_to_wait(void **state)
{
	/* Else: each image is too old when it is installed, for ever. */
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(sent_of(MESSAGE_INSTALLING), 0);
	when_received();
	when_whole();
	their_instance += 50000;
	when_beyond();
	assert_int_equal(the_only(MESSAGE_INSTALLING)->m.first, their_instance);
	assert_int_equal(the_only(MESSAGE_INSTALLING)->to.members, 1u << 0 | 1u << OTHER);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, their_instance);
}

static void who_has_caught_up_since_does_not(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	when_received();
	when_whole();
	tick();
	their_instance += 50000;
	when_beyond();
	assert_int_equal(sent_of(MESSAGE_INSTALLING), 0);
}

static void what_a_new_leader_proposes_again_needs_no_image(void **state)
{
	/* Else: who said that it is gone dies, and the others ask each other for images for ever. */
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_RECEIVING);
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen_at(THEIRS);
	assert_false(stage.beyond);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_NONE);
}

static void an_image_of_less_than_was_delivered_meanwhile_replaces_nothing(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_SYNC);
	when_beyond();
	when_received();
	while (stage.snapshots.state != SNAPSHOT_KEEPING)
		flush();
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen_at(THEIRS);
	hear_noops(THEIRS, 1, 100);
	hear_watermark(THEIRS, 101, 101);
	flush();
	learner_stage_kept(&stage, their_instance);
	when_whole();
	assert_int_equal(stage.learner.delivered, 101);
	assert_int_equal(stage.snapshots.counters.installed, 0);
}

/* ---- Loading ---- */

static void a_damaged_image_is_not_loaded(void **state)
{
	(void)state;
	given_image_of(5);
	uint64_t length = stage.snapshots.image.used;

	given_stage_of(DURABILITY_SYNC);
	image[100] ^= 4;
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_DAMAGED);
	assert_int_equal(learner_stage_load(&stage, IMAGE_BYTES + 8), SNAPSHOT_DAMAGED);
	assert_int_equal(stage.learner.delivered, 0);
	image[100] ^= 4;
	settings.config_hash++;
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_FOREIGN);
}

#define TEST(name) cmocka_unit_test_setup(name, given_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_image_is_exact_at_its_cut_while_commands_go_on),
		TEST(a_session_is_saved_before_a_command_changes_it),
		TEST(an_image_is_cut_between_runs_only),
		TEST(with_a_journal_an_image_stays_until_it_is_kept),
		TEST(without_a_journal_nobody_is_to_keep_it),
		TEST(who_asks_for_any_image_gets_one_that_is_cut_for_it),
		TEST(the_chunks_asked_for_are_sent_and_no_others),
		TEST(without_room_in_the_rings_chunks_are_left_out),
		TEST(an_image_that_is_asked_for_is_not_replaced),
		TEST(beyond_the_logs_an_image_is_asked_for_and_installed),
		TEST(one_member_that_never_answers_does_not_keep_it_from_an_image),
		TEST(chunks_may_be_lost_repeated_and_out_of_order),
		TEST(chunks_of_one_image_and_one_member_combine_and_no_others),
		TEST(a_chunk_that_does_not_fit_is_not_taken),
		TEST(a_damaged_image_changes_nothing_and_another_member_is_asked),
		TEST(a_member_that_is_silent_is_asked_no_more),
		TEST(with_a_journal_it_is_kept_before_the_state_is_changed),
		TEST(while_the_state_is_replaced_nothing_is_looked_up_in_it),
		TEST(what_came_meanwhile_is_delivered_after_it),
		TEST(who_is_beyond_again_at_once_asks_the_leader_to_wait),
		TEST(who_has_caught_up_since_does_not),
		TEST(what_a_new_leader_proposes_again_needs_no_image),
		TEST(an_image_of_less_than_was_delivered_meanwhile_replaces_nothing),
		TEST(a_damaged_image_is_not_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
