#include "tools/cli_edit.h"

#include <ctype.h>
#include <wchar.h>

void cli_edit_release(struct cli_edit *edit) {
	buffer_release(&edit->text);
	buffer_release(&edit->killed);
}

void cli_edit_set(struct cli_edit *edit, struct slice text) {
	edit->text.len = 0;
	buffer_reserve(&edit->text, text.len + 1); /* also an empty text has an address */
	buffer_append_slice(&edit->text, text);
	edit->cursor = edit->text.len;
}

void cli_edit_insert(struct cli_edit *edit, struct slice text) {
	struct buffer *b = &edit->text;
	if (text.len == 0) return;
	buffer_reserve(b, text.len);
	memmove(b->data + edit->cursor + text.len, b->data + edit->cursor, b->len - edit->cursor);
	memcpy(b->data + edit->cursor, text.ptr, text.len);
	b->len += text.len;
	edit->cursor += text.len;
}

size_t cli_edit_code_point(struct slice text, size_t at, size_t *width) {
	static const struct {
		unsigned char mask, lead;
		unsigned least;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
	unsigned char first = (unsigned char)text.ptr[at];
	*width = 1;
	for (size_t extra = 1; extra <= 3 && at + extra < text.len; extra++) {
		if ((first & forms[extra - 1].mask) != forms[extra - 1].lead) continue;
		unsigned point = first & (unsigned char)~forms[extra - 1].mask;
		for (size_t i = 1; i <= extra; i++) {
			unsigned char byte = (unsigned char)text.ptr[at + i];
			if ((byte & 0xc0) != 0x80) return 1;
			point = point << 6 | (byte & 0x3f);
		}
		if (point < forms[extra - 1].least || point > 0x10ffff) return 1;
		int columns = wcwidth((wchar_t)point);
		*width = columns < 0 ? 1 : (size_t)columns;
		return extra + 1;
	}
	return 1;
}

size_t cli_edit_width(struct slice text) {
	size_t total = 0, width;
	for (size_t at = 0; at < text.len; total += width) at += cli_edit_code_point(text, at, &width);
	return total;
}

size_t cli_edit_next(const struct cli_edit *edit, size_t at) {
	struct slice text = buffer_slice(&edit->text);
	size_t width;
	if (at >= text.len) return text.len;
	at += cli_edit_code_point(text, at, &width);
	while (at < text.len) {
		size_t bytes = cli_edit_code_point(text, at, &width);
		if (width > 0) break;
		at += bytes;
	}
	return at;
}

/* Characters can only be told apart from the left. Lines are short. */
size_t cli_edit_previous(const struct cli_edit *edit, size_t at) {
	size_t before = 0;
	for (size_t next = 0; next < at; next = cli_edit_next(edit, next)) before = next;
	return before;
}

static bool is_word_byte(char c) {
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

size_t cli_edit_next_word(const struct cli_edit *edit, size_t at) {
	const struct buffer *b = &edit->text;
	while (at < b->len && !is_word_byte(b->data[at])) at++;
	while (at < b->len && is_word_byte(b->data[at])) at++;
	return at;
}

size_t cli_edit_previous_word(const struct cli_edit *edit, size_t at) {
	const struct buffer *b = &edit->text;
	while (at > 0 && !is_word_byte(b->data[at - 1])) at--;
	while (at > 0 && is_word_byte(b->data[at - 1])) at--;
	return at;
}

size_t cli_edit_previous_blank(const struct cli_edit *edit, size_t at) {
	const struct buffer *b = &edit->text;
	while (at > 0 && b->data[at - 1] == ' ') at--;
	while (at > 0 && b->data[at - 1] != ' ') at--;
	return at;
}

void cli_edit_remove(struct cli_edit *edit, size_t from, size_t to) {
	struct buffer *b = &edit->text;
	if (from >= to) return;
	memmove(b->data + from, b->data + to, b->len - to);
	b->len -= to - from;
	edit->cursor = from;
}

void cli_edit_kill(struct cli_edit *edit, size_t from, size_t to) {
	if (from >= to) return;
	edit->killed.len = 0;
	buffer_append(&edit->killed, edit->text.data + from, to - from);
	cli_edit_remove(edit, from, to);
}

void cli_edit_yank(struct cli_edit *edit) {
	cli_edit_insert(edit, buffer_slice(&edit->killed));
}

void cli_edit_transpose(struct cli_edit *edit) {
	size_t right = edit->cursor == edit->text.len ? cli_edit_previous(edit, edit->cursor) : edit->cursor;
	size_t left = cli_edit_previous(edit, right);
	size_t end = cli_edit_next(edit, right);
	struct buffer moved = { 0 };
	if (left == right) return;
	buffer_append(&moved, edit->text.data + left, right - left);
	cli_edit_remove(edit, left, right);
	edit->cursor = left + (end - right);
	cli_edit_insert(edit, buffer_slice(&moved));
	buffer_release(&moved);
}
