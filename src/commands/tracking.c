/* CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR: client-side caching. */
#include <stdlib.h>

#include "base/alloc.h"
#include "commands/generated/command_handlers.h"
#include "server/server.h"

/* ---- The client to redirect to ---- */

struct search {
	int64_t id;
	struct client *found;
};

static void look_at(void *context, struct client *c) {
	struct search *s = context;
	if ((int64_t)c->id == s->id && !(c->flags & CLIENT_CLOSE_NOW)) s->found = c;
}

/* The declaration sees to it that a call with REDIRECT runs under the world. */
static bool read_target(struct call *c, unsigned arg, struct tracking_wish *wish) {
	if (wish->target) {
		reply_error(c->reply, "ERR A client can only redirect to a single other client");
		return false;
	}
	struct search s = { 0 };
	if (!call_int(c, arg, &s.id, NULL)) return false;
	server_each_client(c->worker->server, look_at, &s);
	wish->target = s.found;
	if (!s.found) reply_error(c->reply, "ERR The client ID you want redirect to does not exist");
	return s.found != NULL;
}

/* ---- Options ---- */

/* The prefixes are put into `prefixes`, which has room for every argument. */
static bool read_wish(struct call *c, struct tracking_wish *wish, struct slice *prefixes) {
	for (unsigned i = 3; i < c->argc; i++) {
		bool takes_one = i + 1 < c->argc;
		if (call_word(c, i, "redirect") && takes_one) {
			if (!read_target(c, ++i, wish)) return false;
		} else if (call_word(c, i, "prefix") && takes_one) {
			prefixes[wish->prefix_count++] = c->argv[++i];
		} else if (call_word(c, i, "bcast")) {
			wish->flags |= TRACKING_BCAST;
		} else if (call_word(c, i, "optin")) {
			wish->flags |= TRACKING_OPTIN;
		} else if (call_word(c, i, "optout")) {
			wish->flags |= TRACKING_OPTOUT;
		} else if (call_word(c, i, "noloop")) {
			wish->flags |= TRACKING_NOLOOP;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	wish->prefixes = prefixes;
	return true;
}

/* What is wrong with these options for a client that tracks as `now` says; NULL: nothing. */
static const char *objection(const struct tracking_wish *wish, uint32_t now) {
	uint32_t flags = wish->flags;
	bool optin = flags & TRACKING_OPTIN, optout = flags & TRACKING_OPTOUT;
	if (wish->prefix_count > 0 && !(flags & TRACKING_BCAST))
		return "ERR PREFIX option requires BCAST mode to be enabled";
	if (now && (now ^ flags) & TRACKING_BCAST)
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
		       "re-enabling it with a different mode.";
	if (flags & TRACKING_BCAST && (optin || optout)) return "ERR OPTIN and OPTOUT are not compatible with BCAST";
	if (optin && optout) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
	if ((optin && now & TRACKING_OPTOUT) || (optout && now & TRACKING_OPTIN))
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
		       "re-enabling it with a different mode.";
	return NULL;
}

/* ---- Overlapping prefixes ---- */

static bool begins_with(struct slice a, struct slice with) {
	return a.len >= with.len && (with.len == 0 || memcmp(a.ptr, with.ptr, with.len) == 0);
}

static bool overlap(struct slice a, struct slice b) {
	return begins_with(a, b) || begins_with(b, a);
}

static int compare_prefixes(const void *a, const void *b) {
	return slice_compare(**(const struct slice *const *)a, **(const struct slice *const *)b);
}

/* The first prefix that overlaps with another one of the list; `count` when there is none. In order, what begins with
 * a prefix stands directly behind it: so there is no need to compare each with each. */
static size_t first_overlapping(const struct slice *prefixes, size_t count) {
	if (count < 2) return count;
	const struct slice **sorted = mem_alloc(count * sizeof(*sorted)), *shortest;
	for (size_t i = 0; i < count; i++) sorted[i] = &prefixes[i];
	qsort(sorted, count, sizeof(*sorted), compare_prefixes);
	size_t first = count;
	shortest = sorted[0];
	for (size_t i = 1; i < count; i++) {
		if (!begins_with(*sorted[i], *shortest)) {
			shortest = sorted[i];
			continue;
		}
		size_t a = (size_t)(shortest - prefixes), b = (size_t)(sorted[i] - prefixes);
		if (a < first) first = a;
		if (b < first) first = b;
	}
	mem_free(sorted);
	return first;
}

/* The first of the client's own prefixes that overlaps with this one; their number when there is none. They do not
 * overlap with each other, but that all keys may be wanted besides: then the first is empty. */
static size_t overlapping_own(const struct client *c, struct slice prefix) {
	size_t count = tracking_prefixes(c), low = 0, high = count;
	if (count == 0 || tracking_prefix_at(c, 0).len == 0) return 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (slice_compare(tracking_prefix_at(c, middle), prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && begins_with(prefix, tracking_prefix_at(c, low - 1))) return low - 1;
	return low < count && begins_with(tracking_prefix_at(c, low), prefix) ? low : count;
}

static void say_overlap(struct call *c, struct slice prefix, const char *what, struct slice other) {
	enum { MAX_SHOWN_BYTES = 1024 };
	reply_errorf(c->reply,
		"ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single client must not overlap.",
		(int)(prefix.len < MAX_SHOWN_BYTES ? prefix.len : MAX_SHOWN_BYTES), prefix.ptr, what,
		(int)(other.len < MAX_SHOWN_BYTES ? other.len : MAX_SHOWN_BYTES), other.ptr);
}

static bool check_overlaps(struct call *c, const struct tracking_wish *wish) {
	const struct slice *prefixes = wish->prefixes;
	size_t first = first_overlapping(prefixes, wish->prefix_count), own = tracking_prefixes(c->client);
	for (size_t i = 0; own > 0 && i < wish->prefix_count && i <= first; i++) {
		size_t other = overlapping_own(c->client, prefixes[i]);
		if (other == own) continue;
		say_overlap(c, prefixes[i], "an existing", tracking_prefix_at(c->client, other));
		return false;
	}
	if (first == wish->prefix_count) return true;
	size_t other = first + 1;
	while (!overlap(prefixes[first], prefixes[other])) other++;
	say_overlap(c, prefixes[first], "another provided", prefixes[other]);
	return false;
}

/* ---- The commands ---- */

static void track(struct call *c, const struct tracking_wish *wish) {
	if (call_word(c, 2, "on")) {
		const char *wrong = objection(wish, tracking_flags(c->client));
		if (wrong) {
			reply_error(c->reply, wrong);
			return;
		}
		if (!check_overlaps(c, wish)) return;
		tracking_start(c->client, wish);
	} else if (call_word(c, 2, "off")) {
		tracking_stop(c->client);
	} else {
		call_syntax_error(c);
		return;
	}
	reply_ok(c->reply);
}

void cmd_client_tracking(struct call *c) {
	struct tracking_wish wish = { 0 };
	struct slice *prefixes = mem_alloc(c->argc * sizeof(*prefixes));
	if (read_wish(c, &wish, prefixes)) track(c, &wish);
	mem_free(prefixes);
}

void cmd_client_caching(struct call *c) {
	uint32_t flags = tracking_flags(c->client);
	bool yes = call_word(c, 2, "yes");
	if (!flags) {
		reply_error(c->reply, "ERR CLIENT CACHING can be called only when the client is in tracking mode with "
				      "OPTIN or OPTOUT "
				      "mode enabled");
	} else if (!yes && !call_word(c, 2, "no")) {
		call_syntax_error(c);
	} else if (yes && !(flags & TRACKING_OPTIN)) {
		reply_error(c->reply, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
	} else if (!yes && !(flags & TRACKING_OPTOUT)) {
		reply_error(c->reply, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
	} else {
		tracking_except_next(c->client);
		reply_ok(c->reply);
	}
}

static size_t write_word(struct reply *r, bool holds, const char *word) {
	if (holds) reply_cstr(r, word);
	return holds;
}

static void write_flags(struct reply *r, uint32_t flags) {
	size_t begin = reply_begin(r), count = 0;
	bool caching = flags & TRACKING_CACHING;
	count += write_word(r, flags & TRACKING_ON, "on");
	count += write_word(r, !flags, "off");
	count += write_word(r, flags & TRACKING_BCAST, "bcast");
	count += write_word(r, flags & TRACKING_OPTIN, "optin");
	count += write_word(r, flags & TRACKING_OPTIN && caching, "caching-yes");
	count += write_word(r, flags & TRACKING_OPTOUT, "optout");
	count += write_word(r, flags & TRACKING_OPTOUT && caching, "caching-no");
	count += write_word(r, flags & TRACKING_NOLOOP, "noloop");
	count += write_word(r, flags & TRACKING_BROKEN, "broken_redirect");
	reply_end(r, begin, REPLY_SET, count);
}

void cmd_client_trackinginfo(struct call *c) {
	reply_map(c->reply, 3);
	reply_cstr(c->reply, "flags");
	write_flags(c->reply, tracking_flags(c->client));
	reply_cstr(c->reply, "redirect");
	reply_int(c->reply, tracking_target(c->client));
	reply_cstr(c->reply, "prefixes");
	size_t count = tracking_prefixes(c->client);
	reply_array(c->reply, count);
	for (size_t i = 0; i < count; i++) reply_slice(c->reply, tracking_prefix_at(c->client, i));
}

void cmd_client_getredir(struct call *c) {
	reply_int(c->reply, tracking_target(c->client));
}
