/*
 * forge.h - frames that must be refused: flipped, cut, of others, with numbers from nowhere.
 *
 * Each works on the bytes of a frame that some replica or client sealed, in place.
 */
#ifndef SIM_FORGE_H
#define SIM_FORGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/random.h"

/* One to eight bits, within 32 of each other. */
void forge_flip(uint8_t *bytes, uint16_t length, struct random *r);

/* Two bits of one column of the UDP checksum: it stays right. False: no such bits were found. */
bool forge_flip_pair(uint8_t *bytes, uint16_t length, struct random *r);

/* Returns the new length. */
uint16_t forge_truncate(uint16_t length, struct random *r);

/* Noise, or a frame that another cluster or epoch sealed. The codec, or who asks it, refuses it. */
void forge_foreign(uint8_t *bytes, uint16_t length, struct random *r);

/* A member's frame sealed under another uuid. False: the frame is a client's. */
bool forge_stranger(uint8_t *bytes, struct random *r);

/* A ballot 2^32 rounds and more above any, or an instance near 2^64, from a valid peer. False: this
 * type can not be refused by its numbers alone. */
bool forge_numbers(uint8_t *bytes, struct random *r);

#endif
