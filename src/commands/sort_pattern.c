#include "commands/sort_pattern.h"

#include "types/hash.h"

struct sort_pattern sort_pattern_of(struct slice text) {
	struct sort_pattern pattern = { .is_element = slice_is(text, "#") };
	const char *star = text.len > 0 ? memchr(text.ptr, '*', text.len) : NULL;
	if (!star) return pattern;
	const char *end = text.ptr + text.len;
	pattern.has_star = true;
	pattern.before = slice_of(text.ptr, (size_t)(star - text.ptr));
	const char *arrow = memmem(star + 1, (size_t)(end - star - 1), "->", 2);
	/* An arrow with nothing behind it belongs to the key's name. */
	if (arrow && arrow + 2 < end) {
		pattern.field = slice_of(arrow + 2, (size_t)(end - arrow - 2));
		end = arrow;
	}
	pattern.after = slice_of(star + 1, (size_t)(end - star - 1));
	return pattern;
}

void sort_value_release(struct sort_value *value) {
	buffer_release(&value->_name);
}

bool sort_pattern_find(
	struct call *c, const struct sort_pattern *pattern, struct slice element, struct sort_value *value) {
	if (pattern->is_element) {
		value->bytes = element;
		return true;
	}
	if (!pattern->has_star) return false;
	value->_name.len = 0;
	buffer_append_slice(&value->_name, pattern->before);
	buffer_append_slice(&value->_name, element);
	buffer_append_slice(&value->_name, pattern->after);
	struct key key = key_of(buffer_slice(&value->_name));
	const struct entry *e = store_find(c->view, &key);
	if (!e || entry_type(e) != (pattern->field.ptr ? VALUE_HASH : VALUE_STRING)) return false;
	if (!pattern->field.ptr) {
		value->bytes = entry_string(e, value->_scratch);
		return true;
	}
	struct value hash = entry_value(e);
	value->bytes = hash_get(&hash, pattern->field, c->view->now_ms, value->_scratch);
	return value->bytes.ptr != NULL;
}
