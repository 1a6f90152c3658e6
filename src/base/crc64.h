/* CRC-64 as RDB files and DUMP payloads end with: polynomial 0xad93d23594c935a9 (D. T. Jones), bits reflected, nothing
 * inverted. Of "123456789" it is e9c6d914c4b8d9ca. */
#ifndef TARN_BASE_CRC64_H
#define TARN_BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Of all bytes so far: `crc` is 0 at first, then what the call before returned. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t len);

#endif
