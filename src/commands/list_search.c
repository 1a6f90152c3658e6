/* Lists, searched: LPOS. */
#include "commands/generated/command_handlers.h"

#include "commands/list_common.h"

/* INT64_MIN has no counterpart. */
#define ERR_RANK_RANGE "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
#define ERR_RANK_ZERO                                                                                                  \
	"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start " \
	"from the end of the list"

struct search {
	int64_t rank;   /* the first match that counts; from the end when negative */
	int64_t count;  /* matches wanted; 0: all; -1: one, as a number */
	int64_t maxlen; /* elements to look at; 0: all */
};

static bool read_natural(struct call *c, unsigned arg, int64_t *value, const char *error) {
	if (number_parse_i64(c->argv[arg], value) && *value >= 0) return true;
	reply_error(c->reply, error);
	return false;
}

static bool read_rank(struct call *c, unsigned arg, int64_t *rank) {
	if (!call_int(c, arg, rank, NULL)) return false;
	if (*rank != 0 && *rank != INT64_MIN) return true;
	reply_error(c->reply, *rank == 0 ? ERR_RANK_ZERO : ERR_RANK_RANGE);
	return false;
}

static bool read_options(struct call *c, struct search *s) {
	*s = (struct search){ .rank = 1, .count = -1 };
	for (unsigned arg = 3; arg < c->argc; arg += 2) {
		bool known = arg + 1 < c->argc;
		if (known && call_word(c, arg, "RANK")) {
			if (!read_rank(c, arg + 1, &s->rank)) return false;
		} else if (known && call_word(c, arg, "COUNT")) {
			if (!read_natural(c, arg + 1, &s->count, "ERR COUNT can't be negative")) return false;
		} else if (known && call_word(c, arg, "MAXLEN")) {
			if (!read_natural(c, arg + 1, &s->maxlen, "ERR MAXLEN can't be negative")) return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

/* Writes the index of each match that is wanted; how many. */
static size_t reply_matches(struct call *c, const struct value *list, const struct search *s) {
	enum { BATCH = 32 };
	struct pack_value elements[BATCH];
	struct list_needle needle = list_needle_of(c->argv[2]);
	struct list_walk walk;
	size_t length = list_length(list);
	bool back = s->rank < 0;
	uint64_t skip = (uint64_t)(back ? -s->rank : s->rank) - 1;
	size_t wanted = s->count < 0 ? 1 : s->count == 0 ? SIZE_MAX : (size_t)s->count;
	size_t most = s->maxlen ? (size_t)s->maxlen : SIZE_MAX;
	size_t seen = 0, found = 0;
	list_walk(list, back ? length - 1 : 0, back ? LIST_BACKWARD : LIST_FORWARD, &walk);
	for (size_t read; found < wanted && (read = list_read(&walk, elements, BATCH)) > 0;) {
		for (size_t i = 0; i < read && found < wanted && seen < most; i++, seen++) {
			if (!list_is(elements[i], &needle)) continue;
			if (skip > 0) {
				skip--;
				continue;
			}
			reply_int(c->reply, (int64_t)(back ? length - 1 - seen : seen));
			found++;
		}
		if (seen == most) break;
	}
	return found;
}

void cmd_lpos(struct call *c) {
	struct search s;
	if (!read_options(c, &s)) return;
	struct key key = call_key(c, 1);
	struct value list;
	if (!call_read_value(c, &key, VALUE_LIST, &list)) return;
	if (s.count < 0) {
		if (!list.data || reply_matches(c, &list, &s) == 0) reply_null(c->reply);
		return;
	}
	size_t begin = reply_begin(c->reply);
	size_t found = list.data ? reply_matches(c, &list, &s) : 0;
	reply_end(c->reply, begin, REPLY_ARRAY, found);
}
