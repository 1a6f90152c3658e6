/* INFO: which sections are wanted, and their text. */
#include "commands/info.h"

#include "commands/generated/command_handlers.h"
#include "server/figures.h"
#include "server/server.h"

static const struct {
	const char *title; /* in lower case it is the argument */
	/* What is no plain metric; NULL: nothing. */
	void (*write)(struct buffer *text, struct call *c, const struct figures *f);
	bool only_in_all;
} sections[SECTION_COUNT] = {
	[SECTION_SERVER] = { "Server", info_write_listeners, false },
	[SECTION_CLIENTS] = { "Clients", NULL, false },
	[SECTION_MEMORY] = { "Memory", NULL, false },
	[SECTION_PERSISTENCE] = { "Persistence", NULL, false },
	[SECTION_THREADS] = { "Threads", info_write_threads, false },
	[SECTION_STATS] = { "Stats", NULL, false },
	[SECTION_REPLICATION] = { "Replication", NULL, false },
	[SECTION_CPU] = { "CPU", NULL, false },
	[SECTION_MODULES] = { "Modules", NULL, false },
	[SECTION_COMMANDSTATS] = { "Commandstats", info_write_commandstats, true },
	[SECTION_ERRORSTATS] = { "Errorstats", info_write_errorstats, false },
	[SECTION_LATENCYSTATS] = { "Latencystats", info_write_latencystats, true },
	[SECTION_CLUSTER] = { "Cluster", NULL, false },
	[SECTION_KEYSPACE] = { "Keyspace", info_write_keyspace, false },
};

static unsigned default_sections(void) {
	unsigned wanted = 0;
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		if (!sections[i].only_in_all) wanted |= 1u << i;
	return wanted;
}

/* A bit per section; unknown names mean nothing. */
static unsigned read_sections(const struct call *c) {
	if (c->argc == 1) return default_sections();
	unsigned wanted = 0;
	for (unsigned a = 1; a < c->argc; a++) {
		if (call_word(c, a, "all") || call_word(c, a, "everything")) wanted |= FIGURES_ALL;
		if (call_word(c, a, "default")) wanted |= default_sections();
		for (unsigned i = 0; i < SECTION_COUNT; i++)
			if (call_word(c, a, sections[i].title)) wanted |= 1u << i;
	}
	return wanted;
}

static void write_metrics(struct buffer *text, const struct figures *f, enum figures_section section) {
	for (size_t i = 0; i < figures_table_count; i++) {
		const struct figures_metric *m = &figures_table[i];
		if (m->section != section) continue;
		buffer_append_slice(text, slice_of_cstr(m->name));
		buffer_append_char(text, ':');
		figures_print(f, m, text);
		buffer_append(text, "\r\n", 2);
	}
}

void cmd_info(struct call *c) {
	struct figures f;
	struct buffer text = { 0 };
	unsigned wanted = read_sections(c);
	figures_gather(&f, c->worker->server, c->view, wanted);
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		if (!(wanted & 1u << i)) continue;
		buffer_appendf(&text, "%s# %s\r\n", text.len ? "\r\n" : "", sections[i].title);
		write_metrics(&text, &f, (enum figures_section)i);
		if (sections[i].write) sections[i].write(&text, c, &f);
	}
	figures_release(&f);
	reply_verbatim(c->reply, "txt", buffer_slice(&text));
	buffer_release(&text);
}
