#include "store/gate.h"

#include <assert.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/futex.h"

enum { WORLD_SPINS = 1000, SHARD_SPINS = 1000 };

static inline void full_fence(void) {
#if !TARN_TSAN
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static long membarrier(int command) {
	return syscall(SYS_membarrier, command, 0, 0);
}

void gate_init(struct gate *g, uint32_t shard_count) {
	assert(shard_count > 0 && (shard_count & (shard_count - 1)) == 0);
	memset(g, 0, sizeof(*g));
	g->shard_count = shard_count;
	g->shards = mem_alloc_aligned(64, shard_count * sizeof(g->shards[0]));
	memset(g->shards, 0, shard_count * sizeof(g->shards[0]));
	g->_light_fence = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void gate_release(struct gate *g) {
	mem_free(g->shards);
	memset(g, 0, sizeof(*g));
}

bool gate_is_held_up(const struct gate *g, uint32_t shard) {
	if (!g->shared) return false;
	for (int i = 0; i < SHARD_SPINS; i++) {
		if (!lock_is_taken(&g->shards[shard].lock)) return false;
		spin_pause();
	}
	return true;
}

/* A queue and no plain lock: between two commands of a pipeline a member lets go for less than the time that somebody
 * else needs to wake up, and would keep the world to itself. Sequentially consistent, so that who leaves sees who came or
 * who came sees that it is its turn. */
static void world_enter(struct gate *g) {
	lock_order_enter(LOCK_RANK_WORLD, 0);
	uint32_t mine = atomic_fetch_add_explicit(&g->_world_ticket, 1, memory_order_seq_cst), turn;
	while ((turn = atomic_load_explicit(&g->_world_turn, memory_order_seq_cst)) != mine)
		futex_wait(&g->_world_turn, turn);
}

static void world_leave(struct gate *g) {
	lock_order_leave(LOCK_RANK_WORLD, 0);
	uint32_t next = atomic_load_explicit(&g->_world_turn, memory_order_relaxed) + 1;
	atomic_store_explicit(&g->_world_turn, next, memory_order_seq_cst);
	if (atomic_load_explicit(&g->_world_ticket, memory_order_seq_cst) != next)
		futex_wake(&g->_world_turn, GATE_MAX_MEMBERS);
}

void gate_leave(struct gate_member *m) {
	struct gate *g = m->gate;
	world_enter(g);
	for (unsigned i = 0; i < g->_member_count; i++) {
		if (g->_members[i] != m) continue;
		g->_members[i] = g->_members[--g->_member_count];
		break;
	}
	world_leave(g);
}

/* Release pairs with the acquire in await_outside: what this member did is seen by who has the world. */
static void step_out(struct gate_member *m) {
	struct gate *g = m->gate;
#if TARN_TSAN
	atomic_store_explicit(&m->_inside, 0, memory_order_seq_cst);
#else
	atomic_store_explicit(&m->_inside, 0, memory_order_release);
	if (g->_light_fence)
		atomic_signal_fence(memory_order_seq_cst);
	else
		full_fence();
#endif
	if (atomic_load_explicit(&g->_world_wanted, memory_order_relaxed)) futex_wake(&m->_inside, 1);
}

void gate_outside(struct gate_member *m) {
	step_out(m);
}

void gate_park(struct gate_member *m) {
	struct gate *g = m->gate;
	if (m->_has_world) return;
	atomic_fetch_add_explicit(&g->_parked, 1, memory_order_seq_cst);
	do {
		step_out(m);
		while (atomic_load_explicit(&g->_world_wanted, memory_order_acquire)) futex_wait(&g->_world_wanted, 1);
		atomic_exchange_explicit(&m->_inside, 1, memory_order_seq_cst);
	} while (atomic_load_explicit(&g->_world_wanted, memory_order_seq_cst));
	if (atomic_fetch_sub_explicit(&g->_parked, 1, memory_order_seq_cst) == 1) futex_wake(&g->_parked, 1);
}

/* Those whom the last world held up run at least one command before the next. Nobody wants the world now, so each of them
 * is on its way in. */
static void await_parked(struct gate *g) {
	uint32_t parked;
	while ((parked = atomic_load_explicit(&g->_parked, memory_order_seq_cst)) != 0) futex_wait(&g->_parked, parked);
}

static void await_outside(struct gate_member *other) {
	for (int i = 0; i < WORLD_SPINS; i++) {
		if (atomic_load_explicit(&other->_inside, memory_order_acquire) == 0) return;
		spin_pause();
	}
	while (atomic_load_explicit(&other->_inside, memory_order_acquire) != 0) futex_wait(&other->_inside, 1);
}

/* Returns when all members but `m` are outside, and will stay there until let_go. */
static void stop_others(struct gate *g, const struct gate_member *m) {
	world_enter(g);
	await_parked(g);
	atomic_store_explicit(&g->_world_wanted, 1, memory_order_seq_cst);
	/* Makes every running thread pass a full fence, so that either it sees the wish above or we see it inside. */
	if (g->_light_fence)
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	else
		full_fence();
	for (unsigned i = 0; i < g->_member_count; i++)
		if (g->_members[i] != m) await_outside(g->_members[i]);
}

static void let_go(struct gate *g) {
	/* Release pairs with the acquire in gate_inside, gate_boundary and gate_park. */
	atomic_store_explicit(&g->_world_wanted, 0, memory_order_release);
	futex_wake(&g->_world_wanted, GATE_MAX_MEMBERS);
	world_leave(g);
}

/* `shared` decides whether shard locks count, so nobody may be in the middle of a command when it changes. */
void gate_join(struct gate *g, struct gate_member *m) {
	memset(m, 0, sizeof(*m));
	m->gate = g;
	stop_others(g, NULL);
	assert(g->_member_count < GATE_MAX_MEMBERS);
	g->_members[g->_member_count++] = m;
	g->shared = g->_member_count > 1;
	let_go(g);
}

void gate_take_world(struct gate_member *m) {
	assert(!m->_has_world);
	/* Outside while it waits for its turn, or two who want the world would wait for each other. */
	step_out(m);
	stop_others(m->gate, m);
	m->_has_world = true;
	atomic_store_explicit(&m->_inside, 1, memory_order_relaxed);
}

void gate_drop_world(struct gate_member *m) {
	assert(m->_has_world);
	m->_has_world = false;
	let_go(m->gate);
	/* Still inside: whoever wants the world next waits for this member's boundary like for any other's. If it was already
	 * counted as outside it has been waiting in the queue above, and looks at `_inside` only when its turn has come. */
}
