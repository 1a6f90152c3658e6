/* Places in a sorted set: GEOADD, GEOPOS, GEODIST, GEOHASH. The searches are in geo_search.c. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/geo_common.h"
#include "types/zset.h"

/* ---- What the geo commands share ---- */

bool geo_read_point(struct call *c, unsigned arg, struct geo_point *p) {
	if (!number_parse_double(c->argv[arg], &p->lon) || !number_parse_double(c->argv[arg + 1], &p->lat)) {
		reply_error(c->reply, ERR_NOT_FLOAT);
		return false;
	}
	if (geo_is_valid(*p)) return true;
	reply_errorf(c->reply, "ERR invalid longitude,latitude pair %f,%f", p->lon, p->lat);
	return false;
}

bool geo_read_unit(struct call *c, unsigned arg, double *metres) {
	static const struct {
		const char *name;
		double metres;
	} units[] = { { "m", 1 }, { "km", 1000 }, { "ft", 0.3048 }, { "mi", 1609.34 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!call_word(c, arg, units[i].name)) continue;
		*metres = units[i].metres;
		return true;
	}
	reply_error(c->reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
	return false;
}

bool geo_find_member(const struct value *z, struct slice member, struct geo_point *p) {
	double score;

	if (!z->data || !zset_score(z, member, &score)) return false;
	*p = geo_unhash(geo_hash_of_score(score));
	return true;
}

void geo_reply_point(struct call *c, struct geo_point p) {
	char text[NUMBER_HUMAN_MAX_CHARS];

	reply_array(c->reply, 2);
	reply_double_text(c->reply, slice_of(text, geo_format_degrees(text, p.lon)));
	reply_double_text(c->reply, slice_of(text, geo_format_degrees(text, p.lat)));
}

void geo_reply_distance(struct call *c, double distance) {
	char text[NUMBER_HUMAN_MAX_CHARS];

	reply_bulk(c->reply, text, geo_format_distance(text, distance));
}

/* ---- GEOADD ---- */

struct add_options {
	unsigned flags; /* enum zset_add_flags */
	bool count_changes;
	unsigned first; /* the first longitude */
};

static bool read_add_options(struct call *c, struct add_options *options) {
	const unsigned both = ZSET_ADD_NX | ZSET_ADD_XX;
	unsigned arg = 2;

	*options = (struct add_options){ 0 };
	for (; arg < c->argc; arg++) {
		if (call_word(c, arg, "NX")) {
			options->flags |= ZSET_ADD_NX;
		} else if (call_word(c, arg, "XX")) {
			options->flags |= ZSET_ADD_XX;
		} else if (call_word(c, arg, "CH")) {
			options->count_changes = true;
		} else {
			break;
		}
	}
	options->first = arg;
	if ((c->argc - arg) % 3 == 0 && (options->flags & both) != both) return true;
	call_syntax_error(c);
	return false;
}

/* Adds the places, which are valid. False without memory; then those before are there. */
static bool add_all(struct call *c, const struct add_options *options, struct value *z, size_t *added, size_t *moved) {
	const struct type_limits *limits = store_limits(c->view);

	for (unsigned arg = options->first; arg < c->argc; arg += 3) {
		struct geo_point p;
		if (!geo_read_point(c, arg, &p)) return true; /* not reached: it was read before */
		double score = (double)geo_hash(p);
		enum zset_added result = zset_add(z, c->argv[arg + 2], score, options->flags, limits, NULL);
		if (result == ZSET_NO_MEMORY) return false;
		*added += result == ZSET_ADDED;
		*moved += result == ZSET_UPDATED;
	}
	return true;
}

void cmd_geoadd(struct call *c) {
	struct add_options options;
	struct geo_point p;
	struct entry *e;
	struct edit edit;
	size_t added = 0, moved = 0;

	if (!read_add_options(c, &options)) return;
	for (unsigned arg = options.first; arg < c->argc; arg += 3) {
		if (!geo_read_point(c, arg, &p)) return;
	}
	struct key key = call_key(c, 1);
	if (!call_write_value(c, &key, VALUE_ZSET, &e)) return;
	if (!e && (options.flags & ZSET_ADD_XX || options.first == c->argc)) {
		reply_int(c->reply, 0);
		return;
	}
	store_open(c->view, &key, e, VALUE_ZSET, &edit);
	zset_expect(&edit.value, (c->argc - options.first) / 3, store_limits(c->view));
	bool ok = add_all(c, &options, &edit.value, &added, &moved);
	store_close(c->view, &key, &edit);
	if (added + moved > 0) store_committed_many(c->view, &key, EVENT_ZSET, "zadd", added + moved);
	if (ok) {
		reply_int(c->reply, (int64_t)(options.count_changes ? added + moved : added));
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

/* ---- GEOPOS, GEODIST, GEOHASH ---- */

void cmd_geopos(struct call *c) {
	struct key key = call_key(c, 1);
	struct geo_point p;
	struct value z;

	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_array(c->reply, c->argc - 2);
	for (unsigned arg = 2; arg < c->argc; arg++) {
		if (geo_find_member(&z, c->argv[arg], &p)) {
			geo_reply_point(c, p);
		} else {
			reply_null_array(c->reply);
		}
	}
}

void cmd_geodist(struct call *c) {
	struct geo_point a, b;
	struct value z;
	double unit = 1;

	if (c->argc > 5) {
		call_syntax_error(c);
		return;
	}
	if (c->argc == 5 && !geo_read_unit(c, 4, &unit)) return;
	struct key key = call_key(c, 1);
	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	if (geo_find_member(&z, c->argv[2], &a) && geo_find_member(&z, c->argv[3], &b)) {
		geo_reply_distance(c, geo_distance(a, b) / unit);
	} else {
		reply_null(c->reply);
	}
}

void cmd_geohash(struct call *c) {
	struct key key = call_key(c, 1);
	char text[GEO_TEXT_CHARS];
	struct geo_point p;
	struct value z;

	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_array(c->reply, c->argc - 2);
	for (unsigned arg = 2; arg < c->argc; arg++) {
		if (geo_find_member(&z, c->argv[arg], &p)) {
			geo_text(p, text);
			reply_bulk(c->reply, text, sizeof(text));
		} else {
			reply_null(c->reply);
		}
	}
}
