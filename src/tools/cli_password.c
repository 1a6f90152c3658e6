#include "tools/cli_password.h"

#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"

enum { KEY_CTRL_C = 3, KEY_CTRL_D = 4, KEY_CTRL_U = 21, KEY_BACKSPACE = 127 };

static void show(const char *text) {
	fputs(text, stderr);
	fflush(stderr);
}

/* Removes the last character, which may be several bytes of UTF-8. */
static void drop_last(struct buffer *typed) {
	if (typed->len == 0) return;
	while (typed->len > 1 && (typed->data[typed->len - 1] & 0xc0) == 0x80) typed->len--;
	typed->len--;
	show("\b \b");
}

static bool take_key(struct buffer *typed, char key) {
	switch (key) {
	case '\r':
	case '\n':
	case KEY_CTRL_D:
		return false;
	case '\b':
	case KEY_BACKSPACE:
		drop_last(typed);
		return true;
	case KEY_CTRL_U:
		while (typed->len > 0) drop_last(typed);
		return true;
	default:
		buffer_append_char(typed, key);
		if ((key & 0xc0) != 0x80) show("*");
		return true;
	}
}

char *cli_password_ask(const char *prompt) {
	struct termios before;
	struct buffer typed = { 0 };
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	char key = '\n';
	show(prompt);
	if (terminal) {
		struct termios raw = before;
		raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	while (read(STDIN_FILENO, &key, 1) == 1 && key != KEY_CTRL_C && take_key(&typed, key)) {
	}
	if (terminal) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	show("\n");
	if (key == KEY_CTRL_C) exit(1);
	buffer_append_char(&typed, '\0');
	return typed.data;
}
