/* redis://[[user]:password@]host[:port][/db], the parts percent-encoded. */
#ifndef TARN_TOOLS_CLI_URI_H
#define TARN_TOOLS_CLI_URI_H

#include <stdbool.h>

struct cli_uri {
	char *user; /* NULL, as each of the strings: not given */
	char *password;
	char *host;
	int port; /* 0: not given */
	bool has_db;
	int db;
};

/* NULL when `text` was understood, and then *uri wants a release; otherwise what is wrong. A single name before the @ is
 * the password, as redis-cli takes it. An IPv6 address stands in brackets. */
const char *cli_uri_parse(const char *text, struct cli_uri *uri);
void cli_uri_release(struct cli_uri *uri);

#endif
