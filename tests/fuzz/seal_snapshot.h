/*
 * seal_snapshot.h - an image's end and counts made right again, so that its records are looked at.
 *
 * Owns:    nothing.
 */
#ifndef TESTS_FUZZ_SEAL_SNAPSHOT_H
#define TESTS_FUZZ_SEAL_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

/* Ends the last record that begins in it where the image's end begins, and counts the records in the
 * header. Less than a bare image stays as it is. */
void seal_snapshot_records(uint8_t *bytes, size_t length);

/* Makes the magic, the configuration's hash and the end those of the bytes. */
void seal_snapshot(uint8_t *bytes, size_t length, uint64_t config_hash);

#endif
