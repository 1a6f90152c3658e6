/* Flat forms of older RDB files, turned into packs: ziplists (until Redis 7) and zipmaps (until 2.4).
 *
 * A ziplist; numbers are little-endian unless noted:
 *
 *   offset size
 *        0    4  bytes in all
 *        4    4  offset of the last entry (of the end byte, when there is none)
 *        8    2  entries; 65535 when they must be counted
 *       10       entries
 *     last    1  0xFF
 *
 * An entry is the length of the one before (1 byte below 254, or 0xFE and 4 bytes), its encoding, and its data:
 *
 *   00xxxxxx                 that many bytes
 *   01xxxxxx, 1 byte         14 bits of length, high byte first; text
 *   10000000, 4 bytes        a length, high byte first; text
 *   0xC0 0xD0 0xE0 0xF0 0xFE an integer of 2, 4, 8, 3 or 1 bytes
 *   0xF1 to 0xFD             0 to 12
 *
 * A zipmap: a byte with the number of pairs (from 254 on they must be counted), pairs, 0xFF. A pair is a key's length, the
 * key, a value's length, the number of unused bytes (one byte), the value, the unused bytes. A length is 1 byte below 254,
 * or 0xFE and 4 bytes.
 *
 * Source: the published RDB file format. */
#ifndef TARN_TYPES_OLD_FORMS_H
#define TARN_TYPES_OLD_FORMS_H

#include "base/bytes.h"
#include "containers/pack.h"

/* The same entries as a pack, the caller's; of a zipmap key, value, key, value … NULL when the bytes are not one: nothing
 * in them is taken for granted. What they mean (pairs, scores, duplicates) is not looked at. O(bytes). */
struct pack *pack_from_ziplist(struct slice bytes);
struct pack *pack_from_zipmap(struct slice bytes);

#endif
