/* The way to the journal: records in order, whole, and what room promised. */
#include <string.h>

#include "tests/unit/given_dpdk.h"

#include "dataplane/lane.h"

enum {
	ENTRIES_MAX = 1400,
	MBUFS = 511,
};

static struct rte_mempool *pool;
static struct lane lane;
static uint8_t entries[ENTRIES_MAX];

static int setup(void **state)
{
	(void)state;
	if (pool == NULL)
		pool = lane_pool_create("records", MBUFS, ENTRIES_MAX);
	assert_non_null(pool);
	assert_true(lane_create(&lane, "lane", pool));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lane_destroy(&lane);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS); /* Each came back. */
	return 0;
}

static uint64_t when_appended(uint64_t first, uint16_t bytes)
{
	const struct journal_record record = {.first = first, .bytes = bytes};

	assert_true(lane_room(&lane, bytes));
	memset(entries, (int)first, bytes);
	return lane_append(&lane, &record, entries);
}

static void records_come_out_in_order_with_their_entries(void **state)
{
	struct handoff_element elements[HANDOFF_BURST];

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(when_appended(i, (uint16_t)(i == 3 ? ENTRIES_MAX : 8 * (i - 1))),
			i);
	assert_int_equal(handoff_take_burst(&lane.ring, elements, HANDOFF_BURST), 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct lane_record *r = lane_record_of(elements[i].mbuf);

		assert_int_equal(r->record.first, i + 1);
		for (uint32_t b = 0; b < r->record.bytes; b++)
			assert_int_equal(r->entries[b], i + 1);
		rte_pktmbuf_free(elements[i].mbuf);
	}
}

static void there_is_no_room_when_the_pool_is_empty(void **state)
{
	uint64_t appended = 0;

	(void)state;
	while (lane_room(&lane, 8))
		appended = when_appended(appended, 8);
	assert_int_equal(appended, MBUFS / HANDOFF_BURST * HANDOFF_BURST);
}

static void there_is_no_room_when_the_ring_is_full(void **state)
{
	struct rte_mempool *large = lane_pool_create("large", 2 * LANE_SIZE - 1, 8);
	uint64_t appended = 0;

	(void)state;
	assert_non_null(large);
	lane_destroy(&lane);
	assert_true(lane_create(&lane, "lane", large));
	while (lane_room(&lane, 8))
		appended = when_appended(appended, 8);
	assert_int_equal(appended, LANE_SIZE - 1);
	lane_destroy(&lane);
	assert_int_equal(rte_mempool_avail_count(large), 2 * LANE_SIZE - 1);
	rte_mempool_free(large);
	assert_true(lane_create(&lane, "lane", pool));
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(records_come_out_in_order_with_their_entries),
		T(there_is_no_room_when_the_pool_is_empty),
		T(there_is_no_room_when_the_ring_is_full),
	};

	if (!given_dpdk("lane"))
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
