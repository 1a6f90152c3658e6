/* Random numbers. random_* is fast, per thread, seeded from the kernel (or from random_seed_thread in tests) and not for
 * secrets; random_secure asks the kernel. */
#ifndef TARN_BASE_RANDOM_H
#define TARN_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_u64(void);
uint64_t random_below(uint64_t bound); /* uniform in [0, bound); bound > 0 */
double random_unit(void);              /* uniform in [0, 1) */
void random_seed_thread(uint64_t seed);

void random_secure(void *out, size_t len);
/* 2 * `bytes` lower-case hex digits and a NUL. */
void random_hex(char *out, size_t bytes);

#endif
