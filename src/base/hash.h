/* The keyed hash of everything that is looked up by name. XXH3 with a secret that is drawn at start, so that nobody
 * outside can choose names that collide. See docs/performance.md for what was measured against it. */
#ifndef TARN_BASE_HASH_H
#define TARN_BASE_HASH_H

#include "base/bytes.h"

/* Draws the secret. Once, before the first hash; tests may pass a seed other than 0 for repeatable runs (TARN_HASH_SEED). */
void hash_init(uint64_t seed);

uint64_t hash_bytes(const void *bytes, size_t len);

static inline uint64_t hash_slice(struct slice s) {
	return hash_bytes(s.ptr, s.len);
}

/* XXH3-64 without a secret, seed 0: the digest that DIGEST and IFDEQ show to users. */
uint64_t hash_digest(struct slice s);

#endif
