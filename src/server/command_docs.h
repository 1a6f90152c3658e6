/* What is told about a command: COMMAND DOCS, and the parts of COMMAND INFO that the server itself does not need.
 *
 * Generated beside the command table, constant, never looked at while a command runs. Lists are arrays with a count. */
#ifndef TARN_SERVER_COMMAND_DOCS_H
#define TARN_SERVER_COMMAND_DOCS_H

#include <stddef.h>
#include <stdint.h>

enum command_arg_type {
	ARG_STRING,
	ARG_INTEGER,
	ARG_DOUBLE,
	ARG_KEY,
	ARG_PATTERN,
	ARG_UNIX_TIME,
	ARG_PURE_TOKEN, /* the token is all there is */
	ARG_ONEOF,      /* one of `args` */
	ARG_BLOCK,      /* all of `args`, in order */
};

enum command_arg_flags {
	ARG_OPTIONAL = 1 << 0,
	ARG_MULTIPLE = 1 << 1,
	ARG_MULTIPLE_TOKEN = 1 << 2, /* the token is repeated with it */
};

struct command_arg {
	const char *name;
	enum command_arg_type type;
	uint32_t flags;     /* enum command_arg_flags */
	int key_spec_index; /* which of the command's key specs finds it; -1 when it is no key */
	const char *token;  /* the word before it; NULL: none */
	const char *since;  /* NULL: as the command */
	const char *deprecated_since;
	const struct command_arg *args; /* of ARG_ONEOF and ARG_BLOCK */
	size_t arg_count;
};

struct command_change {
	const char *since;
	const char *text;
};

enum command_doc_flags { DOC_DEPRECATED = 1 << 0, DOC_SYSCMD = 1 << 1 };

struct command_docs {
	const char *summary;
	const char *params; /* the arguments in one line, as people know it: "key value [NX | XX]" */
	const char *since;
	const char *group;
	const char *complexity; /* NULL: nothing to say */
	uint32_t flags;         /* enum command_doc_flags */
	const char *deprecated_since;
	const char *replaced_by;
	const struct command_change *history;
	size_t history_count;
	const struct command_arg *args;
	size_t arg_count;
	const char *const *tips;           /* ends with NULL; NULL when there are none */
	int first_key, last_key, key_step; /* the key specs as far as three numbers can say them */
};

/* The names of the values above, as COMMAND DOCS writes them. By bit, NULL ends; of the types by value. */
extern const char *const command_arg_type_names[];
extern const char *const command_arg_flag_names[];
extern const char *const command_doc_flag_names[];

#endif
