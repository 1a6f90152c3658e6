/* What an entry holds, as RDB files and DUMP payloads have it: types/value_serial.h, and strings. */
#ifndef TARN_STORE_ENTRY_SERIAL_H
#define TARN_STORE_ENTRY_SERIAL_H

#include "store/entry.h"
#include "types/value_serial.h"

/* Which kind of object it is saved as, and the first RDB version that knows that. */
enum serial_kind entry_serial_kind(const struct entry *e);
unsigned entry_serial_version(const struct entry *e);

/* Writes the value, without kind, key and expiry. O(bytes). */
void entry_save(struct serial_writer *w, const struct entry *e);

#endif
