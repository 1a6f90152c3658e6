/* A line of UTF-8 text and a cursor in it. Knows characters and words, and nothing of a screen.
 *
 * A character is a code point with the marks that combine with it; a byte that is not UTF-8 is a character by itself. The
 * cursor is a byte offset, always between characters. What a kill removes can be put back with yank. */
#ifndef TARN_TOOLS_CLI_EDIT_H
#define TARN_TOOLS_CLI_EDIT_H

#include "base/buffer.h"

/* All zero is a valid empty one. */
struct cli_edit {
	struct buffer text;
	size_t cursor;
	struct buffer killed;
};

void cli_edit_release(struct cli_edit *edit);
void cli_edit_set(struct cli_edit *edit, struct slice text); /* with the cursor at the end */
void cli_edit_insert(struct cli_edit *edit, struct slice text);

/* The offset of the neighbouring character or word; the offset itself at an end of the text. */
size_t cli_edit_next(const struct cli_edit *edit, size_t at);
size_t cli_edit_previous(const struct cli_edit *edit, size_t at);
size_t cli_edit_next_word(const struct cli_edit *edit, size_t at);
size_t cli_edit_previous_word(const struct cli_edit *edit, size_t at);
/* The beginning of the blank-separated word before `at`, which is what ctrl-w removes. */
size_t cli_edit_previous_blank(const struct cli_edit *edit, size_t at);

/* Removes [from, to) and puts the cursor there; kill also keeps it for yank. */
void cli_edit_remove(struct cli_edit *edit, size_t from, size_t to);
void cli_edit_kill(struct cli_edit *edit, size_t from, size_t to);
void cli_edit_yank(struct cli_edit *edit);
/* Swaps the characters on both sides of the cursor and moves on. */
void cli_edit_transpose(struct cli_edit *edit);

/* The columns that text[from, to) takes on a screen. */
size_t cli_edit_width(struct slice text);
/* One code point of `text` at `at`: its bytes, and its columns in *width. */
size_t cli_edit_code_point(struct slice text, size_t at, size_t *width);

#endif
