/* What the commands of lists share, blocking ones included: a blocked client is served by running these for it. */
#ifndef TARN_COMMANDS_LIST_COMMON_H
#define TARN_COMMANDS_LIST_COMMON_H

#include "commands/args.h"
#include "types/list.h"

/* "LEFT" or "RIGHT" at argument `arg`; false, error written, for anything else. */
__attribute__((warn_unused_result)) bool list_read_side(struct call *c, unsigned arg, enum list_side *side);

/* Writes up to `count` elements from `index` on, without an array around them. */
void list_reply_elements(
	struct reply *r, const struct value *list, size_t index, enum list_direction direction, size_t count);

/* Takes `count` elements (above zero; or all there are) from that end, says so ("lpop", "del"), and writes nothing. `e` was
 * found for writing. */
void list_take(struct call *c, const struct key *key, struct entry *e, enum list_side side, size_t count);

/* The same, having written them: an array of them, outermost first. */
void list_pop(struct call *c, const struct key *key, struct entry *e, enum list_side side, size_t count);

/* The same as LMPOP answers it: the key, and the elements. */
void list_pop_several(struct call *c, const struct key *key, struct entry *e, const struct pop_options *o);

/* Takes one element of `e` from an end, puts it at an end of the other list, and writes it. Both keys may be the same. Errors:
 * the other key holds something else, or there is no memory; nothing has changed then. */
void list_move(struct call *c, const struct key *from, struct entry *e, enum list_side from_side, const struct key *to,
	enum list_side to_side);

#endif
