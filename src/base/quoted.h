/* Lines of words in quotes, as configuration files, inline commands and the command line tool know them.
 *
 * Words are separated by blanks, tabs, line ends and NUL. A quote anywhere in a word opens a quoted part that runs to the
 * matching quote, which must end the word ("a"b is wrong, a"b" is ab). In double quotes \n \r \t \a \b stand for their
 * characters, \xHH (two hex digits, small x) for a byte, and a backslash before anything else for that character; in
 * single quotes only \' is special. Outside of quotes a backslash is itself. buffer_append_quoted is the way back. */
#ifndef TARN_BASE_QUOTED_H
#define TARN_BASE_QUOTED_H

#include "base/bytes.h"

/* The words of the last line that was split. All zero is a valid empty one; it may be used for line after line. */
struct quoted_words {
	struct slice *words; /* valid until the next split or release; no word has a NULL ptr */
	size_t count;
	size_t _word_cap;
	char *_bytes; /* what the words point into */
	size_t _byte_cap;
};

/* Splits `line`, which may hold any bytes and is not kept. False, count 0, when quotes are unbalanced or followed by
 * something other than a separator. Takes at most 17 bytes of memory per byte of line. */
__attribute__((warn_unused_result)) bool quoted_split(struct slice line, struct quoted_words *out);

void quoted_words_release(struct quoted_words *words);

/* Whether a word reads back as itself without quotes: not empty, printable ASCII, no blank, quote or '#'. */
bool quoted_is_plain(struct slice word);

#endif
