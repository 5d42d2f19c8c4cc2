/*
 * crc.h - what the provers are told of ISA-L's checksum, in place of its header.
 */
#ifndef CONSENSUS_PROOF_STUBS_ISA_L_CRC_H
#define CONSENSUS_PROOF_STUBS_ISA_L_CRC_H

/*@ requires \valid_read(buffer + (0 .. length - 1));
    assigns \nothing; */
unsigned int crc32_iscsi(unsigned char *buffer, int length, unsigned int crc);

#endif
