/*
 * seal.h - the checksums of a message made right again, so that what changed is looked at.
 *
 * Owns:    nothing.
 */
#ifndef TESTS_FUZZ_SEAL_H
#define TESTS_FUZZ_SEAL_H

#include <stddef.h>
#include <stdint.h>

/* Makes magic, length, body checksum and the header's tag those of the bytes. Less than a header
 * stays as it is. */
void seal_message(uint8_t *bytes, size_t length);

/* The checksums of the records in a message's body, as far as their lengths lead. Before the seal. */
void seal_records(uint8_t *bytes, size_t length);

/* Also makes the lengths of Ethernet, IP and UDP right, where a frame is UDP in IPv4. */
void seal_frame(uint8_t *bytes, size_t length);

#endif
