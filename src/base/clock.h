/* Time. Wall time is what users see (expiry, TIME); monotonic time measures spans. Both may be replaced by tests. */
#ifndef TARN_BASE_CLOCK_H
#define TARN_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* microseconds since 1970 */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_us(void); /* never goes back */
int64_t clock_monotonic_ms(void);

/* Cycle counter for spans of one command: nanoseconds when multiplied through clock_ticks_to_ns. Cheap (about 10 ns);
 * falls back to the monotonic clock where the counter is not invariant. */
uint64_t clock_ticks(void);
uint64_t clock_ticks_to_ns(uint64_t ticks);
/* Measures the counter against the monotonic clock; once, before threads start. */
void clock_init(void);

#endif
