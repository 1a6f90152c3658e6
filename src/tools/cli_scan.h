/* A walk over all keys with SCAN, page by page. */
#ifndef TARN_TOOLS_CLI_SCAN_H
#define TARN_TOOLS_CLI_SCAN_H

#include "tools/cli_session.h"

struct cli_scan {
	struct cli_session *session;
	char cursor[32]; /* digits */
	bool started;
	int64_t pages;
};

/* The next page: an array of keys, valid until the next call on the session. NULL after the last. The pattern and the count
 * are those of the options; an error ends the process. */
const struct reply_node *cli_scan_page(struct cli_scan *scan);

#endif
