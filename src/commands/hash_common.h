/* What the files of commands on fields that end share. For commands/hash*.c only. */
#ifndef TARN_COMMANDS_HASH_COMMON_H
#define TARN_COMMANDS_HASH_COMMON_H

#include "commands/args.h"
#include "types/hash.h"

/* The errors for a number of fields that is none, or below 1. */
#define ERR_HEXPIRE_NUMFIELDS "ERR Parameter `numFields` should be greater than 0"
#define ERR_NUMFIELDS "ERR Number of fields must be a positive integer"

/* FIELDS <numfields> <field>…: where the fields stand. */
struct hash_fields {
	unsigned first;
	unsigned end; /* behind the last */
};

/* Reads it from argument `arg` on, to the end. False, error written: FIELDS is not there, or the number is not right. */
__attribute__((warn_unused_result)) bool hash_read_fields(
	struct call *c, unsigned arg, const char *number_error, struct hash_fields *fields);

/* Reads argument `arg` as the end of a field, from 0 up to the last that Redis takes, in the year 4199. */
__attribute__((warn_unused_result)) bool hash_read_end(
	struct call *c, unsigned arg, enum expiry_unit unit, int64_t *end_ms);

/* What a command did to fields; the tally of its events. */
struct hash_changes {
	size_t set;       /* "hset" */
	size_t ends;      /* "hexpire" */
	size_t persisted; /* "hpersist" */
	size_t removed;   /* "hdel" */
	bool as_one;      /* however many, they count as one change */
};

/* Closes the edit and tells of the changes: an event per kind, and "del" when the hash has vanished. */
void hash_close(struct call *c, const struct key *key, struct edit *edit, const struct hash_changes *changes);

/* Gives a field that is there that end, or removes it when that is past, and counts it. False: no memory. */
__attribute__((warn_unused_result)) bool hash_end_field(
	struct call *c, struct value *h, struct slice field, int64_t end_ms, struct hash_changes *changes);

/* Takes back what was written of a reply since its length was `start`; says that there is no memory. */
void hash_fail_memory(struct call *c, size_t start);

#endif
