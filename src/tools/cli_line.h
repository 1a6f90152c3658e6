/* The prompt's line editor: one line that scrolls sideways when it is longer than the screen, with history, reverse search,
 * completion and a hint in grey behind the text. The keys are those of Emacs and of shells. */
#ifndef TARN_TOOLS_CLI_LINE_H
#define TARN_TOOLS_CLI_LINE_H

#include "tools/cli_edit.h"
#include "tools/cli_history.h"
#include "tools/cli_terminal.h"

/* Whole lines that the typed one may become, one behind another, each with a NUL. */
struct cli_completions {
	struct buffer lines;
	size_t count;
};
void cli_completions_add(struct cli_completions *completions, struct slice line);

struct cli_line {
	struct cli_history *history;
	/* Both may be NULL. `hint` appends what stands behind the text, with its leading blank when it needs one. */
	void (*complete)(struct slice text, struct cli_completions *out);
	void (*hint)(struct slice text, struct buffer *out);

	struct cli_terminal _terminal;
	struct cli_edit _edit;
	const char *_prompt;
	size_t _first;         /* the byte of the text that stands first on the screen */
	size_t _history_at;    /* count: the line being typed */
	struct buffer _draft;  /* that line, while an older one is shown */
	struct buffer _screen; /* what is written next */
};

enum cli_line_end { CLI_LINE_ENTERED, CLI_LINE_INTERRUPTED, CLI_LINE_EOF };

/* Lets the user type a line. *text is valid until the next call. INTERRUPTED is ctrl-c, EOF ctrl-d on an empty line. */
enum cli_line_end cli_line_read(struct cli_line *line, const char *prompt, struct slice *text);
void cli_line_release(struct cli_line *line);
void cli_line_clear_screen(void);

#endif
