/* The terminal below the prompt: keys in, columns known. Standard input and output. */
#ifndef TARN_TOOLS_CLI_TERMINAL_H
#define TARN_TOOLS_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum cli_key_type {
	CLI_KEY_TEXT, /* bytes, len: one character, UTF-8 or a stray byte */
	CLI_KEY_CTRL, /* letter: 'a' for ctrl-a */
	CLI_KEY_ALT,  /* letter */
	CLI_KEY_ENTER,
	CLI_KEY_TAB,
	CLI_KEY_BACK_TAB,
	CLI_KEY_BACKSPACE,
	CLI_KEY_ALT_BACKSPACE,
	CLI_KEY_DELETE,
	CLI_KEY_LEFT,
	CLI_KEY_RIGHT,
	CLI_KEY_UP,
	CLI_KEY_DOWN,
	CLI_KEY_HOME,
	CLI_KEY_END,
	CLI_KEY_WORD_LEFT,
	CLI_KEY_WORD_RIGHT,
	CLI_KEY_ESCAPE,
	CLI_KEY_UNKNOWN,
	CLI_KEY_EOF, /* the terminal is gone */
};

struct cli_key {
	enum cli_key_type type;
	char letter;
	char bytes[4];
	size_t len;
};

/* All zero is a valid one. It keeps what was typed ahead, so use the same one for line after line. */
struct cli_terminal {
	struct termios _before;
	unsigned char _input[512];
	size_t _at, _len;
};

/* Whether lines can be edited here: standard input and output are a terminal that knows cursor movement. */
bool cli_terminal_is_usable(void);

/* Between begin and end the terminal hands over each key at once and shows nothing by itself; ctrl-c is a key. */
bool cli_terminal_begin(struct cli_terminal *terminal);
void cli_terminal_end(struct cli_terminal *terminal);
/* Ctrl-z: back to the shell, and on from here when the user returns. */
void cli_terminal_suspend(struct cli_terminal *terminal);

struct cli_key cli_terminal_key(struct cli_terminal *terminal);
/* Whether another key is here already, as when text is pasted. */
bool cli_terminal_has_key(struct cli_terminal *terminal);

size_t cli_terminal_columns(void);
void cli_terminal_write(const char *bytes, size_t len);

#endif
