/* set: different members in no order.
 *
 * Three forms:
 *
 *   SET_INTS   "intset"     an intset: all members are numbers, and set-max-intset-entries at most; ascending
 *   SET_PACK   "listpack"   a pack of members, in the order in which they came: set-max-listpack-entries at most, none longer
 *                           than set-max-listpack-value
 *   SET_TABLE  "hashtable"  a table of members (set_item.h)
 *
 * Numbers that outgrow the limit go to a table, a first text makes a pack of an intset if that fits, and a table of it
 * otherwise. As in Redis nothing leads back but set_pop of most members of a table.
 *
 * `struct value *s` is one of VALUE_SET with data; a new one comes from value_new(VALUE_SET). Members that are handed in must
 * not lie in the set that is changed. Complexity is said of the table; a pack is walked, an intset searched.
 * Several sets at once: set_algebra.h. */
#ifndef TARN_TYPES_SET_H
#define TARN_TYPES_SET_H

#include "base/bytes.h"
#include "types/value.h"

enum set_encoding { SET_INTS, SET_PACK, SET_TABLE };

extern const struct value_ops set_ops;

size_t set_count(const struct value *s); /* O(1) */

/* ---- Members ---- */

bool set_has(const struct value *s, struct slice member);

/* answers[i]: whether members[i] is one. Fetches ahead, so that many cost less than one at a time. */
void set_has_many(const struct value *s, const struct slice *members, size_t count, bool *answers);

/* Adds members, as SADD does: an empty set begins in the form that suits their number. *added counts those that were not
 * there. False when memory was exhausted: what was added before stays. */
__attribute__((warn_unused_result)) bool set_add(
	struct value *s, const struct slice *members, size_t count, const struct type_limits *limits, size_t *added);

/* Removes members; how many were there. */
size_t set_remove(struct value *s, const struct slice *members, size_t count);

/* Fetches what looking for these members of a table, or adding or removing them, is going to need. A hint. */
enum { SET_PREFETCH_MAX = 64 };
void set_prefetch(const struct value *s, const struct slice *members, size_t count);

/* ---- Walking ----
 * A member is valid during the call that brings it. The set must not change meanwhile. */

typedef void set_visit_fn(void *context, struct slice member);

void set_each(const struct value *s, set_visit_fn *visit, void *context);

/* Brings about `count` members and returns the next cursor, 0 at the end. From cursor 0 to the end every member that is
 * there all the time is brought at least once, whatever changes between the calls. A flat form brings all at once. */
uint64_t set_scan(const struct value *s, uint64_t cursor, size_t count, set_visit_fn *visit, void *context);

/* ---- Chance: every member, and every subset, as likely as any other ---- */

/* `count` members, or all when there are not so many, none twice. O(count), or O(n) when it is a good part of them. */
void set_sample(const struct value *s, size_t count, set_visit_fn *visit, void *context);

/* `count` draws, each from all members, until `visit` has enough of them and says false; then false. The set is not empty.
 * O(count), or O(count + n). */
typedef bool set_draw_fn(void *context, struct slice member);
bool set_draw(const struct value *s, size_t count, set_draw_fn *visit, void *context);

/* Removes `count` members, fewer than there are, and brings each. O(count), or O(n) when it is a good part of them. */
void set_pop(struct value *s, size_t count, const struct type_limits *limits, set_visit_fn *visit, void *context);

/* ---- Loading ---- */

/* A set of what RDB files hold as an intset or as a listpack of members, flat if the limits allow it. The bytes are copied.
 * False, *s untouched, when they are not well formed, or a member comes twice; or without memory. */
__attribute__((warn_unused_result)) bool set_from_intset(
	struct slice bytes, const struct type_limits *limits, struct value *s);
__attribute__((warn_unused_result)) bool set_from_pack(
	struct slice bytes, const struct type_limits *limits, struct value *s);

#endif
