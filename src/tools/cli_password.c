#include "tools/cli_password.h"

#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"

enum { KEY_CTRL_C = 3, KEY_CTRL_D = 4, KEY_CTRL_U = 21, KEY_BACKSPACE = 127 };

struct typing {
	struct buffer text;
	bool stars; /* on a terminal */
};

static void show(const char *text) {
	fputs(text, stderr);
	fflush(stderr);
}

/* Removes the last character, which may be several bytes of UTF-8. */
static void drop_last(struct typing *typing) {
	struct buffer *text = &typing->text;
	if (text->len == 0) return;
	while (text->len > 1 && (text->data[text->len - 1] & 0xc0) == 0x80) text->len--;
	text->len--;
	if (typing->stars) show("\b \b");
}

static bool take_key(struct typing *typing, char key) {
	switch (key) {
	case '\r':
	case '\n':
	case KEY_CTRL_D: return false;
	case '\b':
	case KEY_BACKSPACE: drop_last(typing); return true;
	case KEY_CTRL_U:
		while (typing->text.len > 0) drop_last(typing);
		return true;
	default:
		buffer_append_char(&typing->text, key);
		if (typing->stars && (key & 0xc0) != 0x80) show("*");
		return true;
	}
}

char *cli_password_ask(const char *prompt) {
	struct termios before;
	struct typing typing = { .stars = tcgetattr(STDIN_FILENO, &before) == 0 };
	char key = '\n';
	show(prompt);
	if (typing.stars) {
		struct termios raw = before;
		raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	while (read(STDIN_FILENO, &key, 1) == 1 && key != KEY_CTRL_C && take_key(&typing, key)) {
	}
	if (typing.stars) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	show("\n");
	if (key == KEY_CTRL_C) exit(1);
	buffer_append_char(&typing.text, '\0');
	return typing.text.data;
}
