/*
 * address.h - an IPv4 or IPv6 address and an Ethernet address, as bytes in wire order.
 *
 * Owns:    nothing.
 * Never:   asks a name server: a replica knows its peers by number.
 * Upholds: an address that was read is one a host can have (no multicast, no zero).
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/complaint.h"

enum {
	ADDRESS_MAC_BYTES = 6,
	ADDRESS_TEXT_MAX = 46, /* Bytes of the longest text with its end. */
};

/* The bytes of an IPv4 address are the first four, the others zero: memcmp compares. */
struct address {
	uint8_t version; /* 4 or 6 */
	uint8_t bytes[16];
};

/* False: a complaint was made about `key`. */
bool address_set(struct address *a, const char *key, const char *text, struct complaint *c);
bool mac_set(uint8_t mac[ADDRESS_MAC_BYTES], const char *key, const char *text,
	struct complaint *c);

bool address_equal(const struct address *a, const struct address *b);
void address_show(const struct address *a, char text[ADDRESS_TEXT_MAX]);

#endif
