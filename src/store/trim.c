/* Tables that have shrunk keep their upper levels, because other threads' fetch hints may be reading there; here is when they
 * give them back: under the world, where nobody's hint is under way. */
#include "base/alloc.h"
#include "store/store_private.h"

enum { SHARDS_AT_ONCE = 64 }; /* of 1024 */

static bool shard_has_spare(struct store *s, struct gate_member *m, uint32_t shard, uint64_t databases) {
	bool found = false;
	if (gate_is_held_up(s->gate, shard) || !gate_lock(m, shard)) return false;
	for (unsigned d = 0; d < s->db_count && !found; d++)
		found = databases & store_db_bit(d) && table_has_spare(&s->dbs[d].parts[shard].keys);
	gate_unlock(m, shard);
	return found;
}

/* What was taken, to be freed when the others may go on. */
struct spare {
	void **pieces;
	size_t count, room;
};

static void keep(struct spare *spare, void *const *pieces, unsigned count) {
	if (spare->count + count > spare->room) {
		spare->room = spare->room * 2 + TABLE_LEVELS;
		spare->pieces = mem_realloc(spare->pieces, spare->room * sizeof(spare->pieces[0]));
	}
	for (unsigned i = 0; i < count; i++) spare->pieces[spare->count++] = pieces[i];
}

static void take_shard(struct store *s, uint32_t shard, uint64_t databases, struct spare *spare) {
	for (unsigned d = 0; d < s->db_count; d++) {
		if (!(databases & store_db_bit(d))) continue;
		void *pieces[TABLE_LEVELS];
		keep(spare, pieces, table_take_spare(&s->dbs[d].parts[shard].keys, pieces));
	}
}

size_t store_trim(struct store *s, struct gate_member *m, uint64_t databases, uint32_t *at) {
	uint32_t found[SHARDS_AT_ONCE], count = 0;
	uint32_t shards = s->shard_mask + 1, step = shards < SHARDS_AT_ONCE ? shards : SHARDS_AT_ONCE;
	for (uint32_t i = 0; i < step; i++) {
		if (shard_has_spare(s, m, *at, databases)) found[count++] = *at;
		*at = (*at + 1) & s->shard_mask;
	}
	if (count == 0) return 0;
	struct spare spare = { 0 };
	if (!gate_take_world(m)) return 0; /* next time */
	for (uint32_t i = 0; i < count; i++) take_shard(s, found[i], databases, &spare);
	gate_drop_world(m);
	for (size_t i = 0; i < spare.count; i++) mem_free(spare.pieces[i]);
	mem_free(spare.pieces);
	return spare.count;
}
