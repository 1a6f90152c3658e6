/* The two futex calls of Linux that we use, private to the process. */
#ifndef TARN_BASE_FUTEX_H
#define TARN_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word == expected. May return early; the caller looks again. */
void futex_wait(_Atomic uint32_t *word, uint32_t expected);
void futex_wake(_Atomic uint32_t *word, int threads);

/* A short wait inside a spin loop. */
static inline void spin_pause(void) {
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
