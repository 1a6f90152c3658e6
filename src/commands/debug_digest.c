/* DEBUG DIGEST and DIGEST-VALUE: 160 bits that are equal for equal data.
 *
 * Each key gives a digest of its own (database, name, type, value, whether it expires), and all of them are combined
 * with exclusive or, so that the order in which keys are met does not count. The elements of a collection are treated
 * likewise, unless their order is part of what it says; in which form they are held makes no difference. The keyed hash
 * of the store is not used: two servers with the same data must agree. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>

#include "commands/debug.h"

enum { DIGEST_BYTES = 20, DIGEST_HEX = DIGEST_BYTES * 2 };

struct digest {
	uint64_t low, high;
	uint32_t more;
};

static void combine(struct digest *sum, const struct digest *one) {
	sum->low ^= one->low;
	sum->high ^= one->high;
	sum->more ^= one->more;
}

static void print_digest(struct reply *r, const struct digest *d) {
	char hex[DIGEST_HEX + 1];
	snprintf(hex, sizeof(hex), "%016llx%016llx%08x", (unsigned long long)d->high, (unsigned long long)d->low,
		d->more);
	reply_status(r, hex);
}

static void append_sized(struct buffer *text, struct slice part) {
	uint64_t len = part.len;
	buffer_append(text, &len, sizeof(len));
	buffer_append_slice(text, part);
}

static struct digest digest_text(const struct buffer *text) {
	enum { SEED_WIDE = 0x7461726e, SEED_MORE = 0x6c616b65 };
	XXH128_hash_t wide = XXH3_128bits_withSeed(text->data, text->len, SEED_WIDE);
	XXH64_hash_t more = XXH3_64bits_withSeed(text->data, text->len, SEED_MORE);
	return (struct digest){ wide.low64, wide.high64, (uint32_t)more };
}

static void append_digest(struct buffer *text, const struct digest *d) {
	buffer_append(text, &d->low, sizeof(d->low));
	buffer_append(text, &d->high, sizeof(d->high));
	buffer_append(text, &d->more, sizeof(d->more));
}

struct elements {
	bool ordered;
	struct digest sum; /* of those so far */
	struct buffer text;
};

static void add_element(void *context, const struct slice *parts, size_t count) {
	struct elements *all = context;
	all->text.len = 0;
	if (all->ordered) append_digest(&all->text, &all->sum);
	for (size_t i = 0; i < count; i++) append_sized(&all->text, parts[i]);
	struct digest one = digest_text(&all->text);
	if (all->ordered)
		all->sum = one;
	else
		combine(&all->sum, &one);
}

/* What the value says, in a form that no other value has. */
static void append_value(struct buffer *text, const struct entry *e) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	buffer_append_char(text, (char)entry_type(e));
	buffer_append_char(text, (char)(entry_expiry(e) >= 0));
	if (entry_type(e) == VALUE_STRING) {
		append_sized(text, entry_string(e, scratch));
		return;
	}
	struct value value = entry_value(e);
	struct elements all = { .ordered = value_is_ordered(&value) };
	value_each(&value, add_element, &all);
	append_digest(text, &all.sum);
	buffer_release(&all.text);
}

/* ---- Everything ---- */

struct digesting {
	unsigned db;
	struct digest sum;
	struct buffer text;
};

static void digest_key(void *context, const struct entry *e) {
	struct digesting *d = context;
	d->text.len = 0;
	uint64_t db = d->db;
	buffer_append(&d->text, &db, sizeof(db));
	append_sized(&d->text, entry_key(e));
	append_value(&d->text, e);
	struct digest one = digest_text(&d->text);
	combine(&d->sum, &one);
}

void debug_digest(struct call *c) {
	struct digesting d = { 0 };
	if (!debug_take_world(c)) return;
	for (d.db = 0; d.db < store_db_count(c->view->store); d.db++) {
		struct view v = view_in_db(c->view, d.db);
		store_for_each(&v, digest_key, &d);
	}
	debug_drop_world(c);
	print_digest(c->reply, &d.sum);
	buffer_release(&d.text);
}

/* ---- Some values ---- */

static void digest_one_value(void *context, const struct entry *e) {
	struct digesting *d = context;
	d->text.len = 0;
	append_value(&d->text, e);
	d->sum = digest_text(&d->text);
}

void debug_digest_value(struct call *c) {
	struct digesting d = { 0 };
	reply_array(c->reply, c->argc - 2);
	if (!debug_take_world(c)) return;
	for (unsigned i = 2; i < c->argc; i++) {
		d.sum = (struct digest){ 0 };
		store_visit_one(c->view, c->argv[i], digest_one_value, &d);
		print_digest(c->reply, &d.sum);
	}
	debug_drop_world(c);
	buffer_release(&d.text);
}
