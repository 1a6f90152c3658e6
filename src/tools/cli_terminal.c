#include "tools/cli_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	COLUMNS_DEFAULT = 80,
	ESCAPE_WAIT_MS = 50, /* how long the rest of an escape sequence may take; a lone ESC has none */
	ESCAPE = 27,
	DELETE_BYTE = 127,
};

bool cli_terminal_is_usable(void) {
	const char *kind = getenv("TERM");
	if (kind && (strcmp(kind, "dumb") == 0 || strcmp(kind, "cons25") == 0)) return false;
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* DRAIN and not FLUSH: what was typed while a command ran belongs to the next prompt. */
bool cli_terminal_begin(struct cli_terminal *terminal) {
	if (tcgetattr(STDIN_FILENO, &terminal->_before) < 0) return false;
	struct termios raw = terminal->_before;
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void cli_terminal_end(struct cli_terminal *terminal) {
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->_before);
}

void cli_terminal_suspend(struct cli_terminal *terminal) {
	cli_terminal_end(terminal);
	raise(SIGTSTP);
	cli_terminal_begin(terminal);
}

size_t cli_terminal_columns(void) {
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) return COLUMNS_DEFAULT;
	return size.ws_col;
}

void cli_terminal_write(const char *bytes, size_t len) {
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return;
		bytes += n;
		len -= (size_t)n;
	}
}

static bool wait_input(int timeout_ms) {
	struct pollfd poll_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	return poll(&poll_fd, 1, timeout_ms) > 0;
}

bool cli_terminal_has_key(struct cli_terminal *terminal) {
	return terminal->_at < terminal->_len || wait_input(0);
}

/* The next byte, or -1 at the end of input. */
static int next_byte(struct cli_terminal *terminal) {
	if (terminal->_at == terminal->_len) {
		ssize_t n;
		do {
			n = read(STDIN_FILENO, terminal->_input, sizeof(terminal->_input));
		} while (n < 0 && errno == EINTR);
		if (n <= 0) return -1;
		terminal->_at = 0;
		terminal->_len = (size_t)n;
	}
	return terminal->_input[terminal->_at++];
}

static int next_escape_byte(struct cli_terminal *terminal) {
	if (terminal->_at == terminal->_len && !wait_input(ESCAPE_WAIT_MS)) return -1;
	return next_byte(terminal);
}

static struct cli_key plain_key(enum cli_key_type type) {
	return (struct cli_key){ .type = type };
}

static enum cli_key_type numbered_key(int number) {
	switch (number) {
	case 1:
	case 7: return CLI_KEY_HOME;
	case 3: return CLI_KEY_DELETE;
	case 4:
	case 8: return CLI_KEY_END;
	default: return CLI_KEY_UNKNOWN;
	}
}

static enum cli_key_type lettered_key(int final, bool modified) {
	switch (final) {
	case 'A': return CLI_KEY_UP;
	case 'B': return CLI_KEY_DOWN;
	case 'C': return modified ? CLI_KEY_WORD_RIGHT : CLI_KEY_RIGHT;
	case 'D': return modified ? CLI_KEY_WORD_LEFT : CLI_KEY_LEFT;
	case 'F': return CLI_KEY_END;
	case 'H': return CLI_KEY_HOME;
	case 'Z': return CLI_KEY_BACK_TAB;
	default: return CLI_KEY_UNKNOWN;
	}
}

/* Behind ESC [: numbers and semicolons, then the letter that says what it was ("1;5D" is ctrl-left). */
static struct cli_key control_sequence(struct cli_terminal *terminal) {
	int first = 0, numbers = 0;
	for (;;) {
		int c = next_escape_byte(terminal);
		if (c < 0) return plain_key(CLI_KEY_UNKNOWN);
		if (c >= '0' && c <= '9') {
			if (numbers == 0 && first < 1000) first = first * 10 + (c - '0');
		} else if (c == ';') {
			numbers++;
		} else if (c >= 0x40 && c <= 0x7e) {
			return plain_key(c == '~' ? numbered_key(first) : lettered_key(c, numbers > 0));
		}
	}
}

static struct cli_key escape_sequence(struct cli_terminal *terminal) {
	int c = next_escape_byte(terminal);
	if (c < 0) return plain_key(CLI_KEY_ESCAPE);
	if (c == '[') return control_sequence(terminal);
	if (c == 'O') return plain_key(lettered_key(next_escape_byte(terminal), false));
	if (c == DELETE_BYTE || c == '\b') return plain_key(CLI_KEY_ALT_BACKSPACE);
	return (struct cli_key){ .type = CLI_KEY_ALT, .letter = (char)c };
}

/* The bytes that a character has that begins with this one. */
static size_t character_bytes(int first) {
	if (first >= 0xf0 && first <= 0xf4) return 4;
	if (first >= 0xe0) return first < 0xf0 ? 3 : 1;
	return first >= 0xc2 ? 2 : 1;
}

static struct cli_key text_key(struct cli_terminal *terminal, int first) {
	struct cli_key key = { .type = CLI_KEY_TEXT, .bytes = { (char)first }, .len = 1 };
	size_t bytes = character_bytes(first);
	while (key.len < bytes) {
		int c = next_escape_byte(terminal);
		if (c < 0) break;
		if ((c & 0xc0) != 0x80) {
			terminal->_at--;
			break;
		}
		key.bytes[key.len++] = (char)c;
	}
	return key;
}

struct cli_key cli_terminal_key(struct cli_terminal *terminal) {
	int c = next_byte(terminal);
	if (c < 0) return plain_key(CLI_KEY_EOF);
	switch (c) {
	case '\r':
	case '\n': return plain_key(CLI_KEY_ENTER);
	case '\t': return plain_key(CLI_KEY_TAB);
	case '\b':
	case DELETE_BYTE: return plain_key(CLI_KEY_BACKSPACE);
	case ESCAPE: return escape_sequence(terminal);
	default: break;
	}
	if (c < 27) return (struct cli_key){ .type = CLI_KEY_CTRL, .letter = (char)(c - 1 + 'a') };
	if (c < 32) return plain_key(CLI_KEY_UNKNOWN);
	return text_key(terminal, c);
}
