#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/random.h"

/* Drawn by hash_init before threads start, read-only after. */
static _Alignas(64) unsigned char secret[XXH3_SECRET_SIZE_MIN + 56];

void hash_init(uint64_t seed) {
	if (seed == 0) {
		random_secure(secret, sizeof(secret));
		return;
	}
	for (size_t i = 0; i < sizeof(secret); i++) secret[i] = (unsigned char)(seed * (2 * i + 1) >> (i % 48));
}

uint64_t hash_bytes(const void *bytes, size_t len) {
	return XXH3_64bits_withSecret(bytes, len, secret, sizeof(secret));
}

uint64_t hash_digest(struct slice s) {
	return XXH3_64bits(s.ptr, s.len);
}
