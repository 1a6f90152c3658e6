/* HRANDFIELD. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/hash.h"

struct chosen {
	struct call *call;
	bool with_values;
	int64_t left;   /* how many are still wanted */
	size_t written; /* elements of the reply */
	size_t start;   /* where the reply begins */
	bool too_long;
};

static void reply_chosen(void *context, struct slice field, struct slice value) {
	struct chosen *chosen = context;
	struct reply *r = chosen->call->reply;
	/* RESP3 has a pair per field. */
	bool pairs = chosen->with_values && r->proto >= 3;
	if (pairs) reply_array(r, 2);
	reply_slice(r, field);
	if (chosen->with_values) reply_slice(r, value);
	chosen->written += chosen->with_values && !pairs ? 2 : 1;
}

/* The client can ask for any number of fields of a small hash; this is where it ends. */
static bool reply_one_more(void *context, struct slice field, struct slice value) {
	struct chosen *chosen = context;
	reply_chosen(context, field, value);
	chosen->too_long = chosen->call->reply->out->len - chosen->start > call_max_string(chosen->call);
	return --chosen->left > 0 && !chosen->too_long;
}

static void reply_some(struct call *c, const struct value *h, int64_t count, bool with_values) {
	struct reply *r = c->reply;
	struct chosen chosen = { c, with_values, count < 0 ? -count : count, 0, r->out->len, false };
	size_t begin = reply_begin(r);
	bool ok = true;
	if (count > 0)
		ok = hash_pick_distinct(h, c->view->now_ms, (size_t)count, reply_chosen, &chosen);
	else if (count < 0)
		ok = hash_pick_many(h, c->view->now_ms, reply_one_more, &chosen);
	if (ok && !chosen.too_long) {
		reply_end(r, begin, REPLY_ARRAY, chosen.written);
		return;
	}
	r->out->len = chosen.start;
	reply_error(r, ok ? ERR_REPLY_TOO_LONG : ERR_NO_MEMORY);
}

static bool read_count(struct call *c, int64_t *count, bool *with_values) {
	if (!call_int(c, 2, count, NULL)) return false;
	if (*count == INT64_MIN) {
		reply_errorf(c->reply, "ERR value is out of range, value must between %lld and %lld",
			(long long)-INT64_MAX, (long long)INT64_MAX);
		return false;
	}
	*with_values = call_word(c, 3, "withvalues");
	if (c->argc > 4 || (c->argc == 4 && !*with_values)) {
		call_syntax_error(c);
		return false;
	}
	if (*with_values && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
		reply_error(c->reply, "ERR value is out of range");
		return false;
	}
	return true;
}

static void reply_single(void *context, struct slice field, struct slice value) {
	(void)value;
	reply_slice(context, field);
}

void cmd_hrandfield(struct call *c) {
	int64_t count = 0;
	bool with_values = false;
	if (c->argc > 2 && !read_count(c, &count, &with_values)) return;
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return;
	if (c->argc == 2) {
		if (!h.data || !hash_pick(&h, c->view->now_ms, reply_single, c->reply)) reply_null(c->reply);
	} else if (h.data) {
		reply_some(c, &h, count, with_values);
	} else {
		reply_array(c->reply, 0);
	}
}
