/* Each type's half of value_serial.h. A load that returns false has made nothing. */
#ifndef TARN_TYPES_VALUE_SERIAL_PRIVATE_H
#define TARN_TYPES_VALUE_SERIAL_PRIVATE_H

#include "containers/pack.h"
#include "types/value_serial.h"

typedef enum serial_kind value__kind_fn(const struct value *value);
typedef void value__save_fn(struct serial_writer *w, const struct value *value);
typedef bool value__load_fn(
	struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value);

value__kind_fn list__serial_kind, set__serial_kind, zset__serial_kind, hash__serial_kind, stream__serial_kind;
value__save_fn list__save, set__save, zset__save, hash__save, stream__save;
value__load_fn list__load, set__load, zset__load, hash__load, stream__load;

/* A string that holds a pack, or one of its older forms, which is turned into one. NULL when it is none; the caller's. */
enum value__flat { VALUE__PACK, VALUE__ZIPLIST, VALUE__ZIPMAP };
struct pack *value__get_pack(struct serial_reader *r, enum value__flat form);

#endif
