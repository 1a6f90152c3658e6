/* Searching for places: GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and their _RO forms. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/geo_common.h"
#include "types/geo_search.h"
#include "types/zset_build.h"

/* Which words a command knows, and where it begins. */
enum search_kind {
	KIND_SEARCH = 1 << 0,    /* FROM…, BY…; else centre and radius come first */
	KIND_BY_MEMBER = 1 << 1, /* the centre is a member */
	KIND_MAY_STORE = 1 << 2, /* STORE key, STOREDIST key */
	KIND_STORES = 1 << 3,    /* into the first key; STOREDIST alone */
};

struct request {
	unsigned kind;  /* enum search_kind */
	struct value z; /* no data: the key is missing */
	struct geo_query query;
	bool has_centre, has_member, has_circle, has_box;
	bool with_distance, with_hash, with_point;
	bool any_given;
	bool store_distance;
	unsigned store_arg; /* the key to store to; 0: none */
};

/* ---- Arguments ---- */

/* Returned by the readers of options: the arguments taken, 0 when there is another word, or FAILED with the error
 * written. */
enum { OTHER_WORD = 0, FAILED = -1 };

static bool read_length(struct call *c, unsigned arg, const char *error, double *length) {
	if (number_parse_double(c->argv[arg], length)) return true;
	reply_error(c->reply, error);
	return false;
}

static bool read_circle(struct call *c, unsigned arg, struct geo_area *area) {
	if (!read_length(c, arg, "ERR need numeric radius", &area->radius)) return false;
	if (area->radius < 0) {
		reply_error(c->reply, "ERR radius cannot be negative");
		return false;
	}
	return geo_read_unit(c, arg + 1, &area->unit);
}

static bool read_box(struct call *c, unsigned arg, struct geo_area *area) {
	area->is_box = true;
	if (!read_length(c, arg, "ERR need numeric width", &area->width)) return false;
	if (!read_length(c, arg + 1, "ERR need numeric height", &area->height)) return false;
	if (area->width < 0 || area->height < 0) {
		reply_error(c->reply, "ERR height or width cannot be negative");
		return false;
	}
	return geo_read_unit(c, arg + 2, &area->unit);
}

static bool read_member(struct call *c, unsigned arg, struct request *r) {
	/* Of a missing key every search is empty. */
	if (!r->z.data || geo_find_member(&r->z, c->argv[arg], &r->query.area.centre)) return true;
	reply_error(c->reply, "ERR could not decode requested zset member");
	return false;
}

/* FROMMEMBER, FROMLONLAT, BYRADIUS, BYBOX. */
static int read_area(struct call *c, unsigned arg, struct request *r) {
	unsigned left = c->argc - arg - 1;

	if (call_word(c, arg, "FROMMEMBER") && left >= 1 && !r->has_centre) {
		r->has_member = true;
		return read_member(c, arg + 1, r) ? 2 : FAILED;
	}
	if (call_word(c, arg, "FROMLONLAT") && left >= 2 && !r->has_member) {
		r->has_centre = true;
		return geo_read_point(c, arg + 1, &r->query.area.centre) ? 3 : FAILED;
	}
	if (call_word(c, arg, "BYRADIUS") && left >= 2 && !r->has_box) {
		r->has_circle = true;
		return read_circle(c, arg + 1, &r->query.area) ? 3 : FAILED;
	}
	if (call_word(c, arg, "BYBOX") && left >= 3 && !r->has_circle) {
		r->has_box = true;
		return read_box(c, arg + 1, &r->query.area) ? 4 : FAILED;
	}
	return OTHER_WORD;
}

static int read_count(struct call *c, unsigned arg, struct request *r) {
	int64_t count;

	if (!call_int(c, arg + 1, &count, NULL)) return FAILED;
	if (count <= 0) {
		reply_error(c->reply, "ERR COUNT must be > 0");
		return FAILED;
	}
	r->query.limit = (size_t)count;
	return 2;
}

static int read_choice(struct call *c, unsigned arg, struct request *r) {
	if (call_word(c, arg, "WITHDIST")) {
		r->with_distance = true;
	} else if (call_word(c, arg, "WITHHASH")) {
		r->with_hash = true;
	} else if (call_word(c, arg, "WITHCOORD")) {
		r->with_point = true;
	} else if (call_word(c, arg, "ANY")) {
		r->any_given = true;
	} else if (call_word(c, arg, "ASC")) {
		r->query.order = GEO_NEAREST;
	} else if (call_word(c, arg, "DESC")) {
		r->query.order = GEO_FARTHEST;
	} else {
		return OTHER_WORD;
	}
	return 1;
}

/* Whether the word at `arg` is the first of its kind: only then its key is one of the command's keys, which alone may be
 * touched. Redis takes the last one. */
static bool is_first(const struct call *c, unsigned arg, const char *word) {
	bool first = true;
	for (unsigned at = arg - 1; at > 4; at--) first = first && !call_word(c, at, word);
	return first;
}

static int read_store(struct call *c, unsigned arg, struct request *r) {
	bool plain = call_word(c, arg, "STORE"), distance = call_word(c, arg, "STOREDIST");

	if (distance && r->kind & KIND_STORES) {
		r->store_distance = true;
		return 1;
	}
	if (!(plain || distance) || !(r->kind & KIND_MAY_STORE) || arg + 1 >= c->argc) return OTHER_WORD;
	if (!is_first(c, arg, plain ? "STORE" : "STOREDIST")) return OTHER_WORD;
	r->store_distance = distance;
	r->store_arg = arg + 1;
	return 2;
}

static int read_option(struct call *c, unsigned arg, struct request *r) {
	int taken = read_choice(c, arg, r);
	if (taken == OTHER_WORD && call_word(c, arg, "COUNT") && arg + 1 < c->argc) taken = read_count(c, arg, r);
	if (taken == OTHER_WORD) taken = read_store(c, arg, r);
	if (taken == OTHER_WORD && r->kind & KIND_SEARCH) taken = read_area(c, arg, r);
	return taken;
}

/* What must be there, and what does not go together. */
static bool check_request(struct call *c, struct request *r) {
	const char *store = r->kind & KIND_STORES ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
	const char *search = r->kind & KIND_STORES ? "GEOSEARCHSTORE" : "GEOSEARCH";

	if (r->store_arg && (r->with_distance || r->with_hash || r->with_point)) {
		reply_errorf(c->reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options", store);
	} else if (r->kind & KIND_SEARCH && !r->has_centre && !r->has_member) {
		reply_errorf(c->reply, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s", search);
	} else if (r->kind & KIND_SEARCH && !r->has_circle && !r->has_box) {
		reply_errorf(c->reply, "ERR exactly one of BYRADIUS and BYBOX can be specified for %s", search);
	} else if (r->any_given && r->query.limit == 0) {
		reply_error(c->reply, "ERR the ANY argument requires COUNT argument");
	} else {
		return true;
	}
	return false;
}

/* Centre and radius at fixed places; *arg moves behind them. */
static bool read_fixed(struct call *c, unsigned *arg, struct request *r) {
	if (!(r->kind & KIND_BY_MEMBER)) {
		*arg = 6;
		return geo_read_point(c, 2, &r->query.area.centre) && read_circle(c, 4, &r->query.area);
	}
	*arg = 5;
	/* Of a missing key Redis does not look at the radius either. */
	return !r->z.data || (read_member(c, 2, r) && read_circle(c, 3, &r->query.area));
}

static bool read_request(struct call *c, struct request *r) {
	unsigned arg = r->kind & KIND_STORES ? 3 : 2;

	if (!(r->kind & KIND_SEARCH) && !read_fixed(c, &arg, r)) return false;
	while (arg < c->argc) {
		int taken = read_option(c, arg, r);
		if (taken == OTHER_WORD) call_syntax_error(c);
		if (taken <= 0) return false;
		arg += (unsigned)taken;
	}
	if (!check_request(c, r)) return false;
	/* The nearest ones are wanted when some are to be left out. */
	r->query.any = r->any_given;
	if (r->query.limit && !r->query.any && r->query.order == GEO_UNSORTED) r->query.order = GEO_NEAREST;
	return true;
}

/* ---- Answers ---- */

static void reply_hit(struct call *c, const struct request *r, const struct geo_hit *hit) {
	unsigned parts = 1u + r->with_distance + r->with_hash + r->with_point;
	uint64_t hash = geo_hash_of_score(hit->score);
	char scratch[NUMBER_I64_MAX_CHARS + 1];

	if (parts > 1) reply_array(c->reply, parts);
	reply_slice(c->reply, zset_handle_member(&r->z, hit->member, scratch));
	if (r->with_distance) geo_reply_distance(c, hit->metres / r->query.area.unit);
	if (r->with_hash) reply_int(c->reply, (int64_t)hash);
	if (r->with_point) geo_reply_point(c, geo_unhash(hash));
}

static void reply_hits(struct call *c, const struct request *r, const struct geo_hits *hits) {
	enum { AHEAD = 8 };

	reply_array(c->reply, hits->count);
	for (size_t i = 0; i < hits->count; i++) {
		if (i + AHEAD < hits->count) zset_handle_prefetch(&r->z, hits->hit[i + AHEAD].member);
		reply_hit(c, r, &hits->hit[i]);
	}
}

static bool build_hits(const struct request *r, const struct geo_hits *hits, struct zset_build *build) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];

	for (size_t i = 0; i < hits->count; i++) {
		const struct geo_hit *hit = &hits->hit[i];
		double score = r->store_distance ? hit->metres / r->query.area.unit : hit->score;
		if (!zset_build_add(build, zset_handle_member(&r->z, hit->member, scratch), score)) return false;
	}
	return zset_build_sort(build);
}

/* Replaces the destination, which may be the source. */
static void store_hits(struct call *c, const struct request *r, const struct geo_hits *hits) {
	struct zset_build build = { 0 };
	struct value stored;

	if (!build_hits(r, hits, &build)) {
		zset_build_release(&build);
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	struct key key = call_key(c, r->store_arg);
	struct entry *e = store_find_write(c->view, &key);
	if (hits->count > 0) {
		zset_build_finish(&build, store_limits(c->view), &stored);
		store_overwrite_value(c->view, &key, e, &stored, EXPIRY_NONE);
		store_committed_many(c->view, &key, EVENT_ZSET,
			r->kind & KIND_STORES ? "geosearchstore" : "georadiusstore", hits->count);
	} else if (e) {
		store_remove(c->view, &key, e);
		store_committed(c->view, &key, EVENT_GENERIC, "del");
	}
	zset_build_release(&build);
	reply_int(c->reply, (int64_t)hits->count);
}

static void search(struct call *c, unsigned kind) {
	struct request r = { .kind = kind, .store_arg = kind & KIND_STORES ? 1 : 0, .query.area.unit = 1 };
	struct key key = call_key(c, kind & KIND_STORES ? 2 : 1);
	struct geo_hits hits = { 0 };

	if (!call_read_value(c, &key, VALUE_ZSET, &r.z) || !read_request(c, &r)) return;
	if (r.z.data && !geo_search(&r.z, &r.query, &hits)) {
		reply_error(c->reply, ERR_NO_MEMORY);
	} else if (r.store_arg) {
		store_hits(c, &r, &hits);
	} else {
		reply_hits(c, &r, &hits);
	}
	geo_hits_release(&hits);
}

void cmd_geosearch(struct call *c) {
	search(c, KIND_SEARCH);
}

void cmd_geosearchstore(struct call *c) {
	search(c, KIND_SEARCH | KIND_STORES);
}

void cmd_georadius(struct call *c) {
	search(c, KIND_MAY_STORE);
}

void cmd_georadius_ro(struct call *c) {
	search(c, 0);
}

void cmd_georadiusbymember(struct call *c) {
	search(c, KIND_BY_MEMBER | KIND_MAY_STORE);
}

void cmd_georadiusbymember_ro(struct call *c) {
	search(c, KIND_BY_MEMBER);
}
