/* PING, ECHO, QUIT, RESET, AUTH, HELLO, SELECT, TIME. */
#include <stdio.h>

#include "base/clock.h"
#include "commands/client_common.h"
#include "commands/generated/command_handlers.h"
#include "server/scripting.h"
#include "server/server.h"
#include "server/transaction.h"

void cmd_ping(struct call *c) {
	const struct subscriber *subscriber = &c->client->subscriber;
	/* It needs nothing that a long script has, but this is how one asks whether the server is well: Sentinel and test
	 * suites wait for the BUSY. */
	if (script_answer_busy(c->worker->server, c->reply)) return;
	if (c->argc <= 2 && c->client->proto == 2 && subscriber_is_one(subscriber)) {
		/* In RESP2 a subscriber must be able to tell this from a message. */
		reply_array(c->reply, 2);
		reply_cstr(c->reply, "pong");
		reply_slice(c->reply, c->argc == 2 ? c->argv[1] : slice_of("", 0));
	} else if (c->argc > 2)
		reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
	else if (c->argc == 2)
		reply_slice(c->reply, c->argv[1]);
	else
		reply_status(c->reply, "PONG");
}

void cmd_echo(struct call *c) {
	reply_slice(c->reply, c->argv[1]);
}

void cmd_quit(struct call *c) {
	reply_ok(c->reply);
	c->client->flags |= CLIENT_CLOSE_AFTER_REPLY;
}

void cmd_time(struct call *c) {
	int64_t now = clock_wall_us();
	reply_array(c->reply, 2);
	reply_bulk_int(c->reply, now / 1000000);
	reply_bulk_int(c->reply, now % 1000000);
}

void cmd_select(struct call *c) {
	int64_t db;
	if (!call_int32(c, 1, &db, NULL)) return;
	if (db < 0 || db >= store_db_count(c->view->store)) {
		reply_error(c->reply, ERR_DB_RANGE);
		return;
	}
	c->client->db = (unsigned)db;
	reply_ok(c->reply);
}

/* ---- Who are you ---- */

static bool needs_password(const struct call *c) {
	return worker_config(c->worker)->values.requirepass[0] != '\0';
}

/* Takes the same time whatever the difference is. */
static bool equal_in_constant_time(struct slice given, const char *wanted) {
	size_t len = strlen(wanted);
	unsigned char difference = given.len != len;
	for (size_t i = 0; i < given.len; i++)
		difference |= (unsigned char)(given.ptr[i] ^ (len ? wanted[i % len] : 1));
	return difference == 0;
}

static bool is_welcome(const struct call *c, struct slice user, struct slice password) {
	if (!slice_equal(user, SLICE_LITERAL("default"))) return false;
	return !needs_password(c) || equal_in_constant_time(password, worker_config(c->worker)->values.requirepass);
}

static bool log_in(struct call *c, struct slice user, struct slice password) {
	if (!is_welcome(c, user, password)) {
		atomic_fetch_add_explicit(&c->worker->server->denied_logins, 1, memory_order_relaxed);
		reply_error(c->reply, ERR_WRONGPASS);
		return false;
	}
	c->client->flags |= CLIENT_AUTHENTICATED;
	return true;
}

void cmd_auth(struct call *c) {
	if (c->argc > 3) {
		call_syntax_error(c);
		return;
	}
	if (c->argc == 2 && !needs_password(c)) {
		reply_error(c->reply,
			"ERR AUTH <password> called without any password configured for the default user. Are you sure "
			"your configuration is correct?");
		return;
	}
	struct slice user = c->argc == 3 ? c->argv[1] : SLICE_LITERAL("default");
	if (log_in(c, user, c->argv[c->argc - 1])) reply_ok(c->reply);
}

/* ---- HELLO ---- */

struct greeting {
	int64_t proto; /* 0: as it is */
	struct slice user, password, name;
	bool logs_in, sets_name;
};

static bool read_greeting(struct call *c, struct greeting *g) {
	*g = (struct greeting){ 0 };
	if (c->argc >= 2) {
		if (!number_parse_i64(c->argv[1], &g->proto)) {
			reply_error(c->reply, "ERR Protocol version is not an integer or out of range");
			return false;
		}
		if (g->proto < 2 || g->proto > 3) {
			reply_error(c->reply, ERR_NOPROTO);
			return false;
		}
	}
	for (unsigned i = 2; i < c->argc; i++) {
		unsigned left = c->argc - 1 - i;
		if (call_word(c, i, "auth") && left >= 2) {
			g->user = c->argv[++i];
			g->password = c->argv[++i];
			g->logs_in = true;
		} else if (call_word(c, i, "setname") && left >= 1) {
			g->name = c->argv[++i];
			g->sets_name = true;
			if (!client_check_name(c, g->name, "Client names")) return false;
		} else {
			reply_errorf(c->reply, "ERR Syntax error in HELLO option '%.*s'",
				(int)(c->argv[i].len < 128 ? c->argv[i].len : 128), c->argv[i].ptr);
			return false;
		}
	}
	return true;
}

static void say_hello(struct call *c) {
	struct client *me = c->client;
	c->reply->proto = me->proto;
	reply_map(c->reply, 7);
	reply_cstr(c->reply, "server");
	reply_cstr(c->reply, "redis");
	reply_cstr(c->reply, "version");
	reply_cstr(c->reply, TARN_REDIS_VERSION);
	reply_cstr(c->reply, "proto");
	reply_int(c->reply, me->proto);
	reply_cstr(c->reply, "id");
	reply_int(c->reply, (int64_t)me->id);
	reply_cstr(c->reply, "mode");
	reply_cstr(c->reply, "standalone");
	reply_cstr(c->reply, "role");
	reply_cstr(c->reply, "master");
	reply_cstr(c->reply, "modules");
	reply_array(c->reply, 0);
}

void cmd_hello(struct call *c) {
	struct greeting g;
	if (!read_greeting(c, &g)) return;
	if (g.logs_in && !log_in(c, g.user, g.password)) return;
	if (!(c->client->flags & CLIENT_AUTHENTICATED)) {
		reply_error(c->reply,
			"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
			"<proto> "
			"AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
			"version at the same time");
		return;
	}
	if (g.sets_name) client_set_text(&c->client->name, g.name);
	if (g.proto) c->client->proto = (uint8_t)g.proto;
	say_hello(c);
}

/* ---- RESET ---- */

void cmd_reset(struct call *c) {
	struct client *me = c->client;
	monitor_remove(me);
	pubsub_forget(me);
	tracking_stop(me);
	transaction_end(me);
	me->flags &= ~(uint32_t)(CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | CLIENT_REPLY_SKIP_NEXT | CLIENT_NO_EVICT |
				 CLIENT_NO_TOUCH);
	if (needs_password(c)) me->flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
	me->db = 0;
	me->proto = 2;
	c->reply->proto = 2;
	client_set_text(&me->name, slice_of(NULL, 0));
	reply_status(c->reply, "RESET");
}
