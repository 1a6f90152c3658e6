#include "tools/cli_line.h"

#include <stdio.h>

#define SEQUENCE_HINT "\x1b[90m"
#define SEQUENCE_PLAIN "\x1b[0m"
#define SEQUENCE_ERASE_RIGHT "\x1b[0K"
#define SEQUENCE_CLEAR "\x1b[H\x1b[2J"

void cli_completions_add(struct cli_completions *completions, struct slice line) {
	buffer_append_slice(&completions->lines, line);
	buffer_append_char(&completions->lines, '\0');
	completions->count++;
}

void cli_line_release(struct cli_line *line) {
	cli_edit_release(&line->_edit);
	buffer_release(&line->_draft);
	buffer_release(&line->_screen);
}

void cli_line_clear_screen(void) {
	cli_terminal_write(SEQUENCE_CLEAR, strlen(SEQUENCE_CLEAR));
}

static void beep(void) {
	cli_terminal_write("\a", 1);
}

/* The screen. */

static void append_text(struct buffer *out, const char *text) {
	buffer_append_slice(out, slice_of_cstr(text));
}

/* Appends what fits into `columns`, with a stand-in for what a terminal would not print; the columns that it took. */
static size_t append_visible(struct buffer *out, struct slice text, size_t columns) {
	size_t used = 0, width;
	for (size_t at = 0; at < text.len;) {
		size_t bytes = cli_edit_code_point(text, at, &width);
		if (used + width > columns) break;
		if (bytes == 1 && ((unsigned char)text.ptr[at] < 32 || (unsigned char)text.ptr[at] >= 127)) {
			buffer_append_char(out, text.ptr[at] == '\t' ? ' ' : '?');
		} else {
			buffer_append(out, text.ptr + at, bytes);
		}
		used += width;
		at += bytes;
	}
	return used;
}

/* Moves the part of the text that is shown, so that the cursor is in it. */
static void scroll(struct cli_line *line, size_t columns) {
	const struct cli_edit *edit = &line->_edit;
	struct slice text = buffer_slice(&edit->text);
	if (line->_first > edit->cursor || cli_edit_width(text) < columns) line->_first = 0;
	size_t width, to_cursor = cli_edit_width(slice_of(text.ptr + line->_first, edit->cursor - line->_first));
	while (to_cursor >= columns) {
		line->_first += cli_edit_code_point(text, line->_first, &width);
		to_cursor -= width;
	}
}

static void append_hint(struct cli_line *line, size_t columns) {
	struct buffer hint = { 0 };
	const struct cli_edit *edit = &line->_edit;
	if (!line->hint || edit->cursor != edit->text.len || columns == 0) return;
	line->hint(buffer_slice(&edit->text), &hint);
	if (hint.len > 0) {
		append_text(&line->_screen, SEQUENCE_HINT);
		append_visible(&line->_screen, buffer_slice(&hint), columns);
		append_text(&line->_screen, SEQUENCE_PLAIN);
	}
	buffer_release(&hint);
}

/* Draws the line in one write, so that nothing flickers. */
static void draw(struct cli_line *line, const char *prompt, bool with_hint) {
	const struct cli_edit *edit = &line->_edit;
	size_t screen = cli_terminal_columns();
	size_t prompt_width = cli_edit_width(slice_of_cstr(prompt));
	size_t columns = screen > prompt_width + 2 ? screen - prompt_width : 2;
	line->_screen.len = 0;
	append_text(&line->_screen, "\r");
	append_text(&line->_screen, prompt);
	scroll(line, columns);
	struct slice shown = slice_of(edit->text.data + line->_first, edit->text.len - line->_first);
	size_t used = append_visible(&line->_screen, shown, columns - 1);
	if (with_hint) append_hint(line, columns - 1 - used);
	append_text(&line->_screen, SEQUENCE_ERASE_RIGHT);
	size_t column = prompt_width + cli_edit_width(slice_of(shown.ptr, edit->cursor - line->_first));
	append_text(&line->_screen, "\r");
	if (column > 0) buffer_appendf(&line->_screen, "\x1b[%zuC", column);
	cli_terminal_write(line->_screen.data, line->_screen.len);
}

static void refresh(struct cli_line *line) {
	if (!cli_terminal_has_key(&line->_terminal)) draw(line, line->_prompt, true);
}

/* History. */

static void show_history(struct cli_line *line, size_t index) {
	struct cli_history *history = line->history;
	if (line->_history_at == history->count) {
		line->_draft.len = 0;
		buffer_append_slice(&line->_draft, buffer_slice(&line->_edit.text));
	}
	line->_history_at = index;
	cli_edit_set(&line->_edit, buffer_slice(index == history->count ? &line->_draft : &history->lines[index]));
}

static void history_older(struct cli_line *line) {
	if (line->_history_at > 0) show_history(line, line->_history_at - 1);
}

static void history_newer(struct cli_line *line) {
	if (line->_history_at < line->history->count) show_history(line, line->_history_at + 1);
}

/* Reverse search. While it lasts, the typed text is the pattern and the found line is what is edited. */
struct search {
	struct buffer pattern;
	size_t found; /* an index, or the count when nothing was found yet */
	bool failed;
};

static void search_from(struct cli_line *line, struct search *search, size_t before) {
	size_t found = cli_history_find(line->history, before, buffer_slice(&search->pattern));
	search->failed = found == line->history->count;
	if (search->failed) {
		if (search->pattern.len > 0) beep();
		return;
	}
	search->found = found;
	show_history(line, found);
}

static void draw_search(struct cli_line *line, const struct search *search) {
	char prompt[256];
	snprintf(prompt, sizeof(prompt), "(%sreverse-i-search)`%.*s': ", search->failed ? "failed " : "",
		(int)(search->pattern.len > 100 ? 100 : search->pattern.len),
		search->pattern.len ? search->pattern.data : "");
	draw(line, prompt, false);
}

/* Takes a key of the search; false when it ends the search and means something to the line. */
static bool search_key(struct cli_line *line, struct search *search, const struct cli_key *key) {
	size_t all = line->history->count;
	if (key->type == CLI_KEY_TEXT) {
		buffer_append(&search->pattern, key->bytes, key->len);
		search_from(line, search, search->found == all ? all : search->found + 1);
		return true;
	}
	if (key->type == CLI_KEY_BACKSPACE) {
		size_t len = search->pattern.len;
		while (len > 1 && (search->pattern.data[len - 1] & 0xc0) == 0x80) len--;
		search->pattern.len = len > 0 ? len - 1 : 0;
		search_from(line, search, all);
		return true;
	}
	if (key->type == CLI_KEY_CTRL && key->letter == 'r') {
		search_from(line, search, search->found);
		return true;
	}
	return false;
}

/* Returns the key that ended it, or an unknown one when that key meant nothing but the end. */
static struct cli_key reverse_search(struct cli_line *line) {
	struct search search = { .found = line->history->count };
	struct buffer before = { 0 };
	struct cli_key key;
	buffer_append_slice(&before, buffer_slice(&line->_edit.text));
	do {
		draw_search(line, &search);
		key = cli_terminal_key(&line->_terminal);
	} while (search_key(line, &search, &key));
	if (key.type == CLI_KEY_CTRL && (key.letter == 'g' || key.letter == 'c')) {
		line->_history_at = line->history->count;
		cli_edit_set(&line->_edit, buffer_slice(&before));
		key.type = CLI_KEY_UNKNOWN;
	} else if (key.type == CLI_KEY_ESCAPE) {
		key.type = CLI_KEY_UNKNOWN;
	}
	buffer_release(&search.pattern);
	buffer_release(&before);
	return key;
}

/* Completion: TAB goes round through what the line may become and back to what was typed. */

static struct slice nth_completion(const struct cli_completions *completions, size_t n) {
	const char *at = completions->lines.data;
	while (n-- > 0) at += strlen(at) + 1;
	return slice_of_cstr(at);
}

/* Returns the key that ended it, as reverse_search does. */
static struct cli_key complete(struct cli_line *line) {
	struct cli_completions completions = { 0 };
	struct buffer typed = { 0 };
	struct cli_key key = { .type = CLI_KEY_UNKNOWN };
	buffer_append_slice(&typed, buffer_slice(&line->_edit.text));
	if (line->complete) line->complete(buffer_slice(&typed), &completions);
	if (completions.count == 0) beep();
	for (size_t at = 0; completions.count > 0;) {
		bool original = at == completions.count;
		cli_edit_set(&line->_edit, original ? buffer_slice(&typed) : nth_completion(&completions, at));
		if (original) beep();
		draw(line, line->_prompt, true);
		key = cli_terminal_key(&line->_terminal);
		if (key.type == CLI_KEY_TAB) {
			at = (at + 1) % (completions.count + 1);
		} else if (key.type == CLI_KEY_BACK_TAB) {
			at = (at + completions.count) % (completions.count + 1);
		} else {
			break;
		}
	}
	if (key.type == CLI_KEY_ESCAPE) {
		cli_edit_set(&line->_edit, buffer_slice(&typed));
		key.type = CLI_KEY_UNKNOWN;
	}
	buffer_release(&completions.lines);
	buffer_release(&typed);
	return key;
}

/* Keys. */

/* The keys with ctrl that edit; those that end the line are its loop's. */
static void control_key(struct cli_line *line, char letter) {
	struct cli_edit *edit = &line->_edit;
	size_t cursor = edit->cursor;
	switch (letter) {
	case 'a': edit->cursor = 0; break;
	case 'b': edit->cursor = cli_edit_previous(edit, cursor); break;
	case 'd': cli_edit_remove(edit, cursor, cli_edit_next(edit, cursor)); break;
	case 'e': edit->cursor = edit->text.len; break;
	case 'f': edit->cursor = cli_edit_next(edit, cursor); break;
	case 'k': cli_edit_kill(edit, cursor, edit->text.len); break;
	case 'l': cli_line_clear_screen(); break;
	case 'n': history_newer(line); break;
	case 'p': history_older(line); break;
	case 't': cli_edit_transpose(edit); break;
	case 'u': cli_edit_kill(edit, 0, cursor); break;
	case 'w': cli_edit_kill(edit, cli_edit_previous_blank(edit, cursor), cursor); break;
	case 'y': cli_edit_yank(edit); break;
	case 'z': cli_terminal_suspend(&line->_terminal); break;
	default: break;
	}
}

static void alt_key(struct cli_edit *edit, char letter) {
	switch (letter) {
	case 'b': edit->cursor = cli_edit_previous_word(edit, edit->cursor); break;
	case 'd': cli_edit_kill(edit, edit->cursor, cli_edit_next_word(edit, edit->cursor)); break;
	case 'f': edit->cursor = cli_edit_next_word(edit, edit->cursor); break;
	default: break;
	}
}

static void edit_key(struct cli_line *line, const struct cli_key *key) {
	struct cli_edit *edit = &line->_edit;
	size_t cursor = edit->cursor;
	switch (key->type) {
	case CLI_KEY_TEXT: cli_edit_insert(edit, slice_of(key->bytes, key->len)); break;
	case CLI_KEY_CTRL: control_key(line, key->letter); break;
	case CLI_KEY_ALT: alt_key(edit, key->letter); break;
	case CLI_KEY_BACKSPACE: cli_edit_remove(edit, cli_edit_previous(edit, cursor), cursor); break;
	case CLI_KEY_ALT_BACKSPACE: cli_edit_kill(edit, cli_edit_previous_word(edit, cursor), cursor); break;
	case CLI_KEY_DELETE: cli_edit_remove(edit, cursor, cli_edit_next(edit, cursor)); break;
	case CLI_KEY_LEFT: edit->cursor = cli_edit_previous(edit, cursor); break;
	case CLI_KEY_RIGHT: edit->cursor = cli_edit_next(edit, cursor); break;
	case CLI_KEY_UP: history_older(line); break;
	case CLI_KEY_DOWN: history_newer(line); break;
	case CLI_KEY_HOME: edit->cursor = 0; break;
	case CLI_KEY_END: edit->cursor = edit->text.len; break;
	case CLI_KEY_WORD_LEFT: edit->cursor = cli_edit_previous_word(edit, cursor); break;
	case CLI_KEY_WORD_RIGHT: edit->cursor = cli_edit_next_word(edit, cursor); break;
	default: break;
	}
}

static bool is_ctrl(const struct cli_key *key, char letter) {
	return key->type == CLI_KEY_CTRL && key->letter == letter;
}

static enum cli_line_end edit_line(struct cli_line *line) {
	for (;;) {
		refresh(line);
		struct cli_key key = cli_terminal_key(&line->_terminal);
		if (key.type == CLI_KEY_TAB) key = complete(line);
		if (is_ctrl(&key, 'r')) key = reverse_search(line);
		if (key.type == CLI_KEY_ENTER) return CLI_LINE_ENTERED;
		if (is_ctrl(&key, 'c')) return CLI_LINE_INTERRUPTED;
		if (key.type == CLI_KEY_EOF) return CLI_LINE_EOF;
		if (is_ctrl(&key, 'd') && line->_edit.text.len == 0) return CLI_LINE_EOF;
		edit_key(line, &key);
	}
}

enum cli_line_end cli_line_read(struct cli_line *line, const char *prompt, struct slice *text) {
	line->_prompt = prompt;
	line->_first = 0;
	line->_history_at = line->history->count;
	cli_edit_set(&line->_edit, SLICE_LITERAL(""));
	if (!cli_terminal_begin(&line->_terminal)) return CLI_LINE_EOF;
	enum cli_line_end end = edit_line(line);
	/* The finished line stays on the screen, without its hint. */
	line->_edit.cursor = line->_edit.text.len;
	draw(line, prompt, false);
	cli_terminal_end(&line->_terminal);
	cli_terminal_write("\n", 1);
	*text = buffer_slice(&line->_edit.text);
	return end;
}
