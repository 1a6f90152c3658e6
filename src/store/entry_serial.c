#include "store/entry_serial.h"

#include "base/number.h"

enum serial_kind entry_serial_kind(const struct entry *e) {
	if (entry_type(e) == VALUE_STRING) return SERIAL_STRING;
	struct value value = entry_value(e);
	return value_serial_kind(&value);
}

unsigned entry_serial_version(const struct entry *e) {
	enum { OLDEST = 10 }; /* of Redis 7.0: nothing older is written */
	if (entry_type(e) == VALUE_STRING) return OLDEST;
	struct value value = entry_value(e);
	return value_serial_version(&value);
}

void entry_save(struct serial_writer *w, const struct entry *e) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	if (entry_type(e) != VALUE_STRING) {
		struct value value = entry_value(e);
		value_save(w, &value);
	} else if (entry_encoding(e) == STRING_INT) {
		serial_put_int_string(w, entry_int(e));
	} else {
		serial_put_string(w, entry_string(e, scratch));
	}
}
