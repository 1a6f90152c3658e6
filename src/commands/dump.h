/* dump: the footer of payloads, which DUMP and FUNCTION DUMP have alike: the RDB version (2 bytes) and the CRC-64 (8) of all
 * before it, both low byte first. */
#ifndef TARN_COMMANDS_DUMP_H
#define TARN_COMMANDS_DUMP_H

#include "base/buffer.h"

enum { DUMP_FOOTER_BYTES = 10 };

void dump_put_footer(struct buffer *payload, unsigned version);

/* Whether the payload ends with a footer that fits, of a version that is known. */
__attribute__((warn_unused_result)) bool dump_has_good_footer(struct slice payload);

#endif
