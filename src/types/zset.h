/* zset: a sorted set. Members are unique; their order is that of their scores, and of their bytes where scores are equal.
 *
 * Two forms:
 *
 *   ZSET_PACK  "listpack"  a pack of member, score, member, score … in order: what RDB files hold as a listpack
 *   ZSET_TREE  "skiplist"  a table of items by member, and a tree of (score, item) in order
 *
 * A pack becomes a tree when it outgrows zset-max-listpack-entries or a member zset-max-listpack-value. Nothing but building
 * anew (zset_build.h) leads back. A score is never NaN; -0 equals 0 in order, keeps its sign in a tree, and is 0 in a pack (the
 * same as in Redis).
 *
 *   item, one allocation:  offset 0  8  score
 *                                 8  4  length of the member
 *                                12     member: 16 bytes of it make 28, the allocator's class of 32
 *
 * `struct value *z` is one of VALUE_ZSET with data; a new one comes from value_new(VALUE_ZSET). O(log n) is said of the tree;
 * a pack is walked, O(its bytes). Scores in a pack: an integer when the score is one of at most 2^62 either way, else the
 * shortest decimal text that reads back the same. */
#ifndef TARN_TYPES_ZSET_H
#define TARN_TYPES_ZSET_H

#include "base/bytes.h"
#include "types/value.h"

enum zset_encoding { ZSET_PACK, ZSET_TREE };

/* Which end is the first. */
enum zset_order { ZSET_UP, ZSET_DOWN };

/* `member` is valid until the value changes or, in a walk, until the next step. */
struct zset_element {
	struct slice member;
	double score;
};

extern const struct value_ops zset_ops;

/* ---- One member ---- */

size_t zset_count(const struct value *z); /* O(1) below 32768 members of a pack */

/* False when it is no member. O(1). */
bool zset_score(const struct value *z, struct slice member, double *score);

/* The same for many: found[i] and, where true, scores[i]. Fetches ahead, so that they cost less than one at a time. */
void zset_score_many(const struct value *z, const struct slice *members, size_t count, bool *found, double *scores);

/* Fetches what looking for these members will touch, so that their cache misses overlap: every `step`th of `members`, `count` of
 * them, but no more than ZSET_PREFETCH_MAX. A hint. */
enum { ZSET_PREFETCH_MAX = 64 };
void zset_prefetch(const struct value *z, const struct slice *members, size_t count, unsigned step);

/* How many come before it, from that end. `score` may be NULL. False when it is no member. O(log n). */
bool zset_rank(const struct value *z, struct slice member, enum zset_order order, size_t *rank, double *score);

/* The member that `rank` others precede from that end, rank < zset_count; in a pack an integer is printed to `scratch`
 * (NUMBER_I64_MAX_CHARS + 1 bytes). O(log n). */
struct zset_element zset_at(const struct value *z, size_t rank, enum zset_order order, char *scratch);

/* ZADD's words. NX excludes the others but INCR, GT excludes LT; whoever calls has seen to that. */
enum zset_add_flags {
	ZSET_ADD_NX = 1 << 0,   /* only new members */
	ZSET_ADD_XX = 1 << 1,   /* only members that are there */
	ZSET_ADD_GT = 1 << 2,   /* a member that is there: only to a greater score */
	ZSET_ADD_LT = 1 << 3,   /* … to a lesser score */
	ZSET_ADD_INCR = 1 << 4, /* `score` is added to the member's (0 when new) */
};

enum zset_added {
	ZSET_KEPT,      /* NX, XX, GT or LT forbade it */
	ZSET_ADDED,     /* a new member */
	ZSET_UPDATED,   /* another score */
	ZSET_SAME,      /* it had that score */
	ZSET_NAN,       /* infinity less infinity; nothing changed */
	ZSET_NO_MEMORY, /* nothing changed */
};

/* So many members are about to be added, or the same ones so often: more than a pack may have make it a tree at once. */
void zset_expect(struct value *z, size_t members, const struct type_limits *limits);

/* Adds a member or changes its score. `score` is not NaN. *result (may be NULL) is the member's score afterwards, set unless
 * ZSET_KEPT, ZSET_NAN or ZSET_NO_MEMORY. `member` must not lie in `z`. O(log n). */
enum zset_added zset_add(struct value *z, struct slice member, double score, unsigned flags,
	const struct type_limits *limits, double *result);

/* False when it was no member. `member` must not lie in `z`. O(log n). */
bool zset_remove(struct value *z, struct slice member);

/* ---- Ranges ---- */

struct zset_score_range {
	double min, max;
	bool min_open, max_open; /* the bound itself is outside */
};

enum zset_lex_kind {
	ZSET_LEX_LOWEST,  /* "-": before every member */
	ZSET_LEX_HIGHEST, /* "+" */
	ZSET_LEX_CLOSED,  /* "[a": the bound is inside */
	ZSET_LEX_OPEN,    /* "(a" */
};

struct zset_lex_bound {
	enum zset_lex_kind kind;
	struct slice member; /* with CLOSED and OPEN; the caller's bytes */
};

/* By members' bytes. Means something when all scores are equal; otherwise it is some stretch, as in Redis. */
struct zset_lex_range {
	struct zset_lex_bound min, max;
};

/* Neighbours in order: every range is such a stretch. Counted upwards. */
struct zset_span {
	size_t first, count;
};
struct zset_span zset_span_of_scores(const struct value *z, const struct zset_score_range *range); /* O(log n) */
struct zset_span zset_span_of_lex(const struct value *z, const struct zset_lex_range *range);      /* O(log n) */

/* ---- Walking: `left` elements are to come, then it is over ----
 *   struct zset_walk walk;
 *   zset_walk_scores(z, &range, ZSET_UP, 0, SIZE_MAX, &walk);
 *   reply_array(r, walk.left);
 *   while (zset_next(&walk, &element)) …
 * A walk starts in O(log n), and fetches the items that come next into the cache while it goes. Valid until the value changes. */

struct zset_walk {
	size_t left;
	/* Private. */
	enum zset_order _order;
	const struct pack *_pack;
	size_t _at; /* in the pack */
	const unsigned char *_records;
	size_t _run; /* records before the end of the leaf */
	const struct tree_leaf *_leaf;
	const struct tree *_tree; /* NULL: a pack */
	char _scratch[24];        /* an integer member of a pack */
};

/* `count` elements (or as many as there are) from the one on that `first` others precede from that end. */
void zset_walk_ranks(const struct value *z, size_t first, size_t count, enum zset_order order, struct zset_walk *walk);
/* Those in the range, without the first `offset` of them, at most `limit`. */
void zset_walk_scores(const struct value *z, const struct zset_score_range *range, enum zset_order order, size_t offset,
	size_t limit, struct zset_walk *walk);
void zset_walk_lex(const struct value *z, const struct zset_lex_range *range, enum zset_order order, size_t offset,
	size_t limit, struct zset_walk *walk);

bool zset_next(struct zset_walk *walk, struct zset_element *element);

/* Every member, in any order, as fast as can be. */
typedef void zset_visit_fn(void *context, struct slice member, double score);
void zset_each(const struct value *z, zset_visit_fn *visit, void *context);

/* ZSCAN: visits the members of one step of the cursor, or all of a pack; returns the next cursor, 0 at the end. The guarantee
 * is that of table_scan; a pack that became a tree meanwhile begins anew at most. */
uint64_t zset_scan(const struct value *z, uint64_t cursor, zset_visit_fn *visit, void *context);

/* ---- Taking out ---- */

/* Removes `count` neighbours (or as many as there are) from the one on that `first` others precede from that end. Returns
 * how many; `visit` (may be NULL) sees each before it goes, in that order. O(count + log n). */
size_t zset_take(
	struct value *z, size_t first, size_t count, enum zset_order order, zset_visit_fn *visit, void *context);

/* ---- From and to the forms of files ---- */

/* A value from the bytes of a pack (RDB_TYPE_ZSET_LISTPACK) that passed pack_validate(…, PACK_DEEP), in the form that
 * `limits` ask for. False, nothing made, when they are no sorted set: odd entries, scores that are none, members that are not
 * in order or come twice. */
bool zset_from_pack(struct slice bytes, const struct type_limits *limits, struct value *z);
/* The bytes of a ZSET_PACK: value_flat_bytes(z) of them, from z->data on. */

/* A score as a pack holds it. False when it is none (NaN included). */
struct pack;
bool zset_pack_score(const struct pack *pack, size_t at, double *score);

#endif
