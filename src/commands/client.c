/* CLIENT: this connection, and all of them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "commands/client_common.h"
#include "commands/generated/command_handlers.h"
#include "net/socket.h"
#include "server/server.h"

/* ---- This connection ---- */

bool client_check_name(struct call *c, struct slice name, const char *what) {
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] > ' ' && name.ptr[i] <= '~') continue;
		reply_errorf(c->reply, "ERR %s cannot contain spaces, newlines or special characters.", what);
		return false;
	}
	return true;
}

void client_arity_error(struct call *c) {
	reply_errorf(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT HELP.",
		(int)c->argv[1].len, c->argv[1].ptr);
}

void cmd_client_id(struct call *c) {
	reply_int(c->reply, (int64_t)c->client->id);
}

void cmd_client_getname(struct call *c) {
	if (c->client->name)
		reply_cstr(c->reply, c->client->name);
	else
		reply_null(c->reply);
}

void cmd_client_setname(struct call *c) {
	if (!client_check_name(c, c->argv[2], "Client names")) return;
	client_set_text(&c->client->name, c->argv[2]);
	reply_ok(c->reply);
}

void cmd_client_setinfo(struct call *c) {
	bool is_name = call_word(c, 2, "lib-name");
	if (!is_name && !call_word(c, 2, "lib-ver")) {
		reply_errorf(c->reply, "ERR Unrecognized option '%.*s'",
			(int)(c->argv[2].len < 128 ? c->argv[2].len : 128), c->argv[2].ptr);
		return;
	}
	char option[sizeof("lib-name")]; /* as the client spells it */
	snprintf(option, sizeof(option), "%.*s", (int)c->argv[2].len, c->argv[2].ptr);
	if (!client_check_name(c, c->argv[3], option)) return;
	client_set_text(is_name ? &c->client->lib_name : &c->client->lib_ver, c->argv[3]);
	reply_ok(c->reply);
}

void cmd_client_info(struct call *c) {
	struct buffer line = { 0 };
	client_describe(c->client, &line);
	buffer_append_char(&line, '\n');
	reply_verbatim(c->reply, "txt", buffer_slice(&line));
	buffer_release(&line);
}

/* Reads the ON or OFF of argument 2 into a flag of the client. */
static void switch_flag(struct call *c, uint32_t flag) {
	if (call_word(c, 2, "on"))
		c->client->flags |= flag;
	else if (call_word(c, 2, "off"))
		c->client->flags &= ~flag;
	else {
		call_syntax_error(c);
		return;
	}
	reply_ok(c->reply);
}

void cmd_client_no_evict(struct call *c) {
	switch_flag(c, CLIENT_NO_EVICT);
}

void cmd_client_no_touch(struct call *c) {
	switch_flag(c, CLIENT_NO_TOUCH);
}

void cmd_client_reply(struct call *c) {
	struct client *me = c->client;
	if (call_word(c, 2, "on")) {
		me->flags &= ~(uint32_t)(CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | CLIENT_REPLY_SKIP_NEXT);
		reply_ok(c->reply);
	} else if (call_word(c, 2, "off")) {
		me->flags |= CLIENT_REPLY_OFF;
	} else if (call_word(c, 2, "skip")) {
		if (!(me->flags & CLIENT_REPLY_OFF)) me->flags |= CLIENT_REPLY_SKIP_NEXT;
	} else {
		call_syntax_error(c);
	}
}

/* ---- LIST ---- */

enum { CLASS_ANY = -1 };

/* Which clients a LIST or KILL means. */
struct filter {
	int class;           /* enum client_class, or CLASS_ANY */
	const uint64_t *ids; /* ascending; NULL: any */
	size_t id_count;
	struct slice addr, laddr, user; /* ptr NULL: any */
	int64_t max_age_s;              /* 0: any */
	bool skip_me;
	bool never; /* a class that nobody is in */
};

static int compare_ids(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* So that each of many clients is looked up among many IDs and not compared with all: this runs under the world. */
static void set_ids(struct filter *f, uint64_t *ids, size_t count) {
	if (count > 1) qsort(ids, count, sizeof(ids[0]), compare_ids);
	f->ids = ids;
	f->id_count = count;
}

static bool is_wanted(const struct filter *f, const struct client *who, const struct client *me) {
	if (f->never || (f->skip_me && who == me)) return false;
	if (f->class != CLASS_ANY && f->class != (int)client_class(who)) return false;
	if (f->addr.ptr && !slice_equal(f->addr, slice_of_cstr(who->peer))) return false;
	if (f->laddr.ptr && !slice_equal(f->laddr, slice_of_cstr(who->local))) return false;
	if (f->user.ptr && !slice_equal(f->user, slice_of_cstr(who->user))) return false;
	if (f->max_age_s && (me->worker->now_ms - who->created_ms) / 1000 < f->max_age_s) return false;
	return !f->ids || bsearch(&who->id, f->ids, f->id_count, sizeof(f->ids[0]), compare_ids) != NULL;
}

static bool read_class(struct call *c, struct slice name, struct filter *f) {
	if (slice_is(name, "normal"))
		f->class = CLIENT_CLASS_NORMAL;
	else if (slice_is(name, "slave") || slice_is(name, "replica"))
		f->class = CLIENT_CLASS_REPLICA;
	else if (slice_is(name, "pubsub"))
		f->class = CLIENT_CLASS_PUBSUB;
	else if (slice_is(name, "master"))
		f->never = true;
	else {
		reply_errorf(
			c->reply, "ERR Unknown client type '%.*s'", (int)(name.len < 128 ? name.len : 128), name.ptr);
		return false;
	}
	return true;
}

/* The numbers from `arg` on; NULL, answered, when one is none. Nobody has 0 or less: those find no client. */
static uint64_t *read_ids(struct call *c, unsigned arg, unsigned end) {
	uint64_t *ids = mem_alloc((end - arg) * sizeof(*ids));
	for (unsigned i = arg; i < end; i++) {
		int64_t id;
		if (!number_parse_i64(c->argv[i], &id)) {
			reply_error(c->reply, "ERR Invalid client ID");
			mem_free(ids);
			return NULL;
		}
		ids[i - arg] = id > 0 ? (uint64_t)id : 0;
	}
	return ids;
}

struct listing {
	const struct filter *filter;
	struct client *me;
	struct client **found;
	size_t count, room;
};

static void gather(void *context, struct client *who) {
	struct listing *l = context;
	if (who->flags & CLIENT_CLOSE_NOW || !is_wanted(l->filter, who, l->me)) return;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->found = mem_realloc(l->found, l->room * sizeof(struct client *));
	}
	l->found[l->count++] = who;
}

static int compare_clients(const void *a, const void *b) {
	const struct client *x = *(struct client *const *)a, *y = *(struct client *const *)b;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The clients that the filter wants, oldest first. The array is the caller's. */
static struct listing find_clients(struct call *c, const struct filter *f) {
	struct listing l = { .filter = f, .me = c->client };
	server_each_client(c->worker->server, gather, &l);
	if (l.count > 1) qsort(l.found, l.count, sizeof(struct client *), compare_clients);
	return l;
}

void cmd_client_list(struct call *c) {
	struct filter f = { .class = CLASS_ANY };
	uint64_t *ids = NULL;
	if (c->argc == 4 && call_word(c, 2, "type")) {
		if (!read_class(c, c->argv[3], &f)) return;
	} else if (c->argc > 3 && call_word(c, 2, "id")) {
		ids = read_ids(c, 3, c->argc);
		if (!ids) return;
		set_ids(&f, ids, c->argc - 3);
	} else if (c->argc != 2) {
		call_syntax_error(c);
		return;
	}
	struct listing l = find_clients(c, &f);
	struct buffer text = { 0 };
	for (size_t i = 0; i < l.count; i++) {
		client_describe(l.found[i], &text);
		buffer_append_char(&text, '\n');
	}
	reply_verbatim(c->reply, "txt", buffer_slice(&text));
	buffer_release(&text);
	mem_free(l.found);
	mem_free(ids);
}

/* ---- KILL ---- */

/* One's own end waits for the reply. Who waits for a key is given nothing from now on, since it could not be told. */
static void kill_client(struct call *c, struct client *who) {
	if (who == c->client) {
		who->flags |= CLIENT_CLOSE_AFTER_REPLY;
		return;
	}
	blocking_abandon(c->worker, who);
	client_kill(who);
	/* Its owner comes later, and our reply may be read before. */
	socket_cut(who->fd);
}

static void kill_by_address(struct call *c) {
	struct filter f = { .class = CLASS_ANY, .addr = c->argv[2] };
	struct listing l = find_clients(c, &f);
	for (size_t i = 0; i < l.count; i++) kill_client(c, l.found[i]);
	if (l.count)
		reply_ok(c->reply);
	else
		reply_error(c->reply, "ERR No such client");
	mem_free(l.found);
}

struct id_list {
	uint64_t *ids;
	size_t count;
};

static bool read_id(struct call *c, unsigned *arg, struct id_list *list) {
	/* Several numbers may follow one ID. */
	unsigned end = *arg + 1;
	int64_t ignored;
	while (end < c->argc && number_parse_i64(c->argv[end], &ignored)) end++;
	if (end == *arg + 1) end++;
	list->ids = mem_realloc(list->ids, (list->count + end - *arg - 1) * sizeof(list->ids[0]));
	for (unsigned i = *arg + 1; i < end; i++) {
		int64_t id;
		if (!number_parse_i64(c->argv[i], &id) || id < 1) {
			reply_error(c->reply, "ERR client-id should be greater than 0");
			return false;
		}
		list->ids[list->count++] = (uint64_t)id;
	}
	*arg = end - 2;
	return true;
}

static bool read_skip_me(struct call *c, struct slice word, struct filter *f) {
	if (slice_is(word, "yes"))
		f->skip_me = true;
	else if (slice_is(word, "no"))
		f->skip_me = false;
	else {
		call_syntax_error(c);
		return false;
	}
	return true;
}

static bool read_max_age(struct call *c, unsigned arg, struct filter *f) {
	if (!call_int(c, arg, &f->max_age_s, "ERR maxage is not an integer or out of range")) return false;
	if (f->max_age_s > 0) return true;
	reply_error(c->reply, "ERR maxage should be greater than 0");
	return false;
}

static bool read_kill_filter(struct call *c, struct filter *f, struct id_list *list) {
	for (unsigned i = 2; i < c->argc; i += 2) {
		if (i + 1 >= c->argc) {
			call_syntax_error(c);
			return false;
		}
		struct slice value = c->argv[i + 1];
		if (call_word(c, i, "id")) {
			if (!read_id(c, &i, list)) return false;
		} else if (call_word(c, i, "type")) {
			if (!read_class(c, value, f)) return false;
		} else if (call_word(c, i, "addr")) {
			f->addr = value;
		} else if (call_word(c, i, "laddr")) {
			f->laddr = value;
		} else if (call_word(c, i, "user")) {
			if (!slice_equal(value, SLICE_LITERAL("default"))) {
				reply_errorf(c->reply, "ERR No such user '%.*s'",
					(int)(value.len < 128 ? value.len : 128), value.ptr);
				return false;
			}
			f->user = value;
		} else if (call_word(c, i, "skipme")) {
			if (!read_skip_me(c, value, f)) return false;
		} else if (call_word(c, i, "maxage")) {
			if (!read_max_age(c, i + 1, f)) return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

void cmd_client_kill(struct call *c) {
	if (c->argc == 3) {
		kill_by_address(c);
		return;
	}
	struct filter f = { .class = CLASS_ANY, .skip_me = true };
	struct id_list list = { 0 };
	if (read_kill_filter(c, &f, &list)) {
		if (list.ids) set_ids(&f, list.ids, list.count);
		struct listing l = find_clients(c, &f);
		for (size_t i = 0; i < l.count; i++) kill_client(c, l.found[i]);
		reply_int(c->reply, (int64_t)l.count);
		mem_free(l.found);
	}
	mem_free(list.ids);
}

/* ---- PAUSE ---- */

void cmd_client_pause(struct call *c) {
	enum pause_mode mode = PAUSE_ALL;
	if (c->argc == 4) {
		if (call_word(c, 3, "write")) {
			mode = PAUSE_WRITES;
		} else if (!call_word(c, 3, "all")) {
			reply_error(c->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
			return;
		}
	} else if (c->argc > 4) {
		client_arity_error(c);
		return;
	}
	int64_t ms, until;
	if (!call_int(c, 2, &ms, "ERR timeout is not an integer or out of range")) return;
	if (ms < 0) {
		reply_error(c->reply, "ERR timeout is negative");
		return;
	}
	if (__builtin_add_overflow(c->view->now_ms, ms, &until)) {
		reply_error(c->reply, "ERR timeout is out of range");
		return;
	}
	server_pause(c->worker->server, mode, until);
	reply_ok(c->reply);
}

void cmd_client_unpause(struct call *c) {
	server_unpause(c->worker->server);
	reply_ok(c->reply);
}

void cmd_client_help(struct call *c) {
	static const char *const lines[] = {
		"CACHING (YES|NO)",
		"    Whether the keys of the next command are cached, where tracking is OPTIN or OPTOUT.",
		"GETNAME",
		"    The name of this connection.",
		"GETREDIR",
		"    The connection that hears of changes in place of this one; 0: none, -1: not tracking.",
		"ID",
		"    The number of this connection.",
		"INFO",
		"    What CLIENT LIST says of this connection.",
		"KILL <ip:port>",
		"    Ends the connection from that address.",
		"KILL <option> <value> [<option> <value> [...]]",
		"    Ends all connections that fit every option:",
		"    * ID <id> [<id> ...], ADDR <ip:port>, LADDR <ip:port>, USER <name>",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"    * MAXAGE <seconds>",
		"      Those that are older.",
		"    * SKIPME (YES|NO)",
		"      Spares the caller; the default is YES.",
		"LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> [<id> ...]]",
		"    A line for each connection.",
		"NO-EVICT (ON|OFF)",
		"    Spares this connection when clients take too much memory.",
		"NO-TOUCH (ON|OFF)",
		"    Lets this connection's reads leave idle times and frequencies alone.",
		"PAUSE <timeout> [WRITE|ALL]",
		"    Holds back write commands, or all commands, for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)",
		"    Whether this connection gets replies.",
		"SETINFO (LIB-NAME|LIB-VER) <value>",
		"    What library this connection belongs to.",
		"SETNAME <name>",
		"    Gives this connection a name.",
		"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
		"    Whether this connection hears of changes of the keys that it has read.",
		"TRACKINGINFO",
		"    How it does.",
		"UNBLOCK <client-id> [TIMEOUT|ERROR]",
		"    Ends the wait of a blocked connection, as if its time were over or with an error.",
		"UNPAUSE",
		"    Ends a pause.",
		NULL,
	};
	reply_help(c->reply, "CLIENT", lines);
}
