/*
 * prover.h - included before each file that the provers read: what Frama-C does not know of C11.
 */
#ifndef CONSENSUS_PROOF_STUBS_PROVER_H
#define CONSENSUS_PROOF_STUBS_PROVER_H

#define _Alignas(bytes)

#endif
