/* The synopsis is read into a small tree and the words are walked along it, greedily: options that stand side by side may
 * come in any order, and a word that begins none of them belongs to what follows. */
#include "tools/cli_synopsis.h"

#include <ctype.h>
#include <strings.h>

#include "base/alloc.h"

struct element;

struct sequence {
	struct element *elements;
	size_t count;
};

/* A word of the synopsis, or a group of alternatives in <> or []. */
struct element {
	struct slice word; /* len 0: a group */
	struct sequence *branches;
	size_t branch_count;
	bool optional;
	bool repeated;
};

/* Reading. */

struct parser {
	const char *at;
};

static struct slice peek(const struct parser *p) {
	const char *at = p->at;
	while (*at == ' ') at++;
	if (*at == '\0' || strchr("[]<>|", *at)) return slice_of(at, *at != '\0');
	return slice_of(at, strcspn(at, " []<>|"));
}

static struct slice take(struct parser *p) {
	struct slice lexeme = peek(p);
	p->at = lexeme.ptr + lexeme.len;
	return lexeme;
}

static bool lexeme_is(struct slice lexeme, char c) {
	return lexeme.len == 1 && lexeme.ptr[0] == c;
}

static bool ends_sequence(struct slice lexeme) {
	return lexeme.len == 0 || lexeme_is(lexeme, ']') || lexeme_is(lexeme, '>') || lexeme_is(lexeme, '|');
}

static struct sequence parse_sequence(struct parser *p, bool *repeated);

static struct element parse_element(struct parser *p) {
	struct slice lexeme = take(p);
	struct element element = { .optional = lexeme_is(lexeme, '[') };
	if (!element.optional && !lexeme_is(lexeme, '<')) {
		element.word = lexeme;
		return element;
	}
	do {
		element.branches =
			mem_realloc(element.branches, (element.branch_count + 1) * sizeof(*element.branches));
		element.branches[element.branch_count++] = parse_sequence(p, &element.repeated);
	} while (lexeme_is(take(p), '|'));
	return element;
}

static struct sequence parse_sequence(struct parser *p, bool *repeated) {
	struct sequence sequence = { 0 };
	while (!ends_sequence(peek(p))) {
		if (slice_equal(peek(p), SLICE_LITERAL("..."))) {
			take(p);
			*repeated = true;
			continue;
		}
		sequence.elements = mem_realloc(sequence.elements, (sequence.count + 1) * sizeof(*sequence.elements));
		sequence.elements[sequence.count++] = parse_element(p);
	}
	return sequence;
}

static void release_sequence(struct sequence *sequence) {
	for (size_t i = 0; i < sequence->count; i++) {
		struct element *element = &sequence->elements[i];
		for (size_t j = 0; j < element->branch_count; j++) release_sequence(&element->branches[j]);
		mem_free(element->branches);
	}
	mem_free(sequence->elements);
}

/* Writing. */

static void append_word(struct buffer *out, struct slice word) {
	if (out->len > 0 && out->data[out->len - 1] != ' ' && out->data[out->len - 1] != '[' &&
		out->data[out->len - 1] != '<') {
		buffer_append_char(out, ' ');
	}
	buffer_append_slice(out, word);
}

static void append_sequence(struct buffer *out, const struct sequence *sequence, size_t from);

static void append_element(struct buffer *out, const struct element *element) {
	if (element->word.len > 0) {
		append_word(out, element->word);
		return;
	}
	append_word(out, element->optional ? SLICE_LITERAL("[") : SLICE_LITERAL("<"));
	for (size_t i = 0; i < element->branch_count; i++) {
		if (i > 0) append_word(out, SLICE_LITERAL("|"));
		append_sequence(out, &element->branches[i], 0);
	}
	if (element->repeated) append_word(out, SLICE_LITERAL("..."));
	buffer_append_char(out, element->optional ? ']' : '>');
}

static void append_sequence(struct buffer *out, const struct sequence *sequence, size_t from) {
	for (size_t i = from; i < sequence->count; i++) append_element(out, &sequence->elements[i]);
}

/* Matching. */

/* Names of arguments have lower-case letters; everything else (EX, =, *) is typed as it stands. */
static bool is_token(struct slice word) {
	for (size_t i = 0; i < word.len; i++) {
		if (islower((unsigned char)word.ptr[i])) return false;
	}
	return true;
}

enum match { MATCH_ALL, MATCH_ENDED, MATCH_FAILED }; /* ENDED: no words were left, the rest is written */

struct matcher {
	const struct slice *words;
	size_t left;
	struct buffer *out;
};

static enum match match_sequence(struct matcher *m, const struct sequence *sequence);

/* Whether the next word can begin this sequence; `by_name`: also as an argument, not only as a token. */
static bool can_begin(const struct matcher *m, const struct sequence *sequence, bool by_name) {
	for (size_t i = 0; i < sequence->count; i++) {
		const struct element *element = &sequence->elements[i];
		if (element->word.len > 0) {
			if (!is_token(element->word)) return by_name;
			return slice_equal_nocase(element->word, m->words[0]);
		}
		for (size_t j = 0; j < element->branch_count; j++) {
			if (can_begin(m, &element->branches[j], by_name)) return true;
		}
		if (!element->optional) return false;
	}
	return false;
}

/* The branch that the next word begins, or NULL. Tokens win over arguments. */
static const struct sequence *find_branch(const struct matcher *m, const struct element *element, bool by_name) {
	for (size_t i = 0; i < element->branch_count; i++) {
		if (can_begin(m, &element->branches[i], false)) return &element->branches[i];
	}
	for (size_t i = 0; by_name && i < element->branch_count; i++) {
		if (can_begin(m, &element->branches[i], true)) return &element->branches[i];
	}
	return NULL;
}

enum { OPTIONS_MAX = 64 };

/* Options that stand side by side. */
struct options {
	const struct element *elements;
	size_t count;
	bool given[OPTIONS_MAX];
};

static const struct sequence *find_option(const struct matcher *m, struct options *options, size_t *which) {
	for (int by_name = 0; by_name <= 1; by_name++) {
		for (size_t i = 0; i < options->count; i++) {
			if (options->given[i] && !options->elements[i].repeated) continue;
			const struct sequence *branch = find_branch(m, &options->elements[i], by_name);
			*which = i;
			if (branch) return branch;
		}
	}
	return NULL;
}

static void append_options(struct buffer *out, const struct options *options) {
	for (size_t i = 0; i < options->count; i++) {
		if (!options->given[i] || options->elements[i].repeated) append_element(out, &options->elements[i]);
	}
}

/* ALL: what stands behind the options is next. */
static enum match match_options(struct matcher *m, struct options *options) {
	size_t which;
	const struct sequence *branch;
	enum match result = MATCH_ALL;
	while (result == MATCH_ALL && m->left > 0) {
		branch = find_option(m, options, &which);
		if (!branch) return MATCH_ALL;
		options->given[which] = true;
		result = match_sequence(m, branch);
	}
	if (result != MATCH_FAILED) append_options(m->out, options);
	return result == MATCH_FAILED ? MATCH_FAILED : MATCH_ENDED;
}

static enum match match_one(struct matcher *m, const struct element *element) {
	if (element->word.len == 0) {
		const struct sequence *branch = find_branch(m, element, true);
		return branch ? match_sequence(m, branch) : MATCH_FAILED;
	}
	if (is_token(element->word) && !slice_equal_nocase(element->word, m->words[0])) return MATCH_FAILED;
	m->words++;
	m->left--;
	return MATCH_ALL;
}

static enum match match_sequence(struct matcher *m, const struct sequence *sequence) {
	for (size_t i = 0; i < sequence->count;) {
		enum match result;
		if (m->left == 0) {
			append_sequence(m->out, sequence, i);
			return MATCH_ENDED;
		}
		struct options options = { .elements = &sequence->elements[i] };
		while (i + options.count < sequence->count && options.elements[options.count].optional &&
			options.count < OPTIONS_MAX) {
			options.count++;
		}
		result = options.count > 0 ? match_options(m, &options) : match_one(m, &sequence->elements[i]);
		i += options.count > 0 ? options.count : 1;
		if (result == MATCH_ENDED) append_sequence(m->out, sequence, i);
		if (result != MATCH_ALL) return result;
	}
	return MATCH_ALL;
}

static struct sequence parse(const char *synopsis) {
	struct parser parser = { .at = synopsis };
	bool repeated = false;
	return parse_sequence(&parser, &repeated);
}

void cli_synopsis_rest(const char *synopsis, const struct slice *words, size_t count, struct buffer *out) {
	struct sequence sequence = parse(synopsis);
	struct buffer rest = { 0 };
	struct matcher matcher = { .words = words, .left = count, .out = &rest };
	if (match_sequence(&matcher, &sequence) != MATCH_FAILED) buffer_append_slice(out, buffer_slice(&rest));
	buffer_release(&rest);
	release_sequence(&sequence);
}

void cli_synopsis_tokens(
	const char *synopsis, struct slice start, void (*each)(void *context, struct slice token), void *context) {
	struct parser parser = { .at = synopsis };
	for (struct slice lexeme = take(&parser); lexeme.len > 0; lexeme = take(&parser)) {
		if (strchr("[]<>|.", lexeme.ptr[0]) || !is_token(lexeme) || lexeme.len < start.len) continue;
		if (strncasecmp(lexeme.ptr, start.ptr, start.len) == 0) each(context, lexeme);
	}
}
