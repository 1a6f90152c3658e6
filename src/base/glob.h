/* Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET know them: * ? [abc] [^a] [a-z] and \ to escape.
 *
 * Runs in time bounded by pattern length times text length, also on hostile patterns ("a*a*a*…b"). */
#ifndef TARN_BASE_GLOB_H
#define TARN_BASE_GLOB_H

#include "base/bytes.h"

enum glob_flags { GLOB_CASE = 0, GLOB_NOCASE = 1 };

bool glob_match(struct slice pattern, struct slice text, enum glob_flags flags);

/* Whether the pattern has no special character, so that it matches exactly one text: itself. */
bool glob_is_literal(struct slice pattern);

#endif
