/* SHA-1 (FIPS 180-4): the name of a script is the hash of its text, in hex. Nothing here relies on it being secure. */
#ifndef TARN_BASE_SHA1_H
#define TARN_BASE_SHA1_H

#include "base/bytes.h"

enum { SHA1_BYTES = 20, SHA1_HEX_CHARS = 2 * SHA1_BYTES };

void sha1(struct slice bytes, uint8_t out[static SHA1_BYTES]);
/* In lower-case hex, terminated. */
void sha1_hex(struct slice bytes, char out[static SHA1_HEX_CHARS + 1]);

#endif
