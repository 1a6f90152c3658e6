#include "store/gate.h"

#include <assert.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/futex.h"

enum {
	WORLD_SPINS = 1000,
	SHARD_SPINS = 1000,
	/* What it costs, about, to fall asleep and to be woken up. Who has waited for so long has lost no more than it could
	 * have saved; and two workers with scripts of 20 keys meet in every third one. */
	LOCK_SPIN_NS = 50000,
};

/* Who waits for a member to be outside: the one whose turn for the world it is, and one who is lifted. */
enum { WAITERS = 2 };

/* States of a shard's lock. The first three are base/lock's; what is claimed counts as held there, too. */
enum { FREE, HELD, AWAITED, CLAIMED };

enum gate_turn { TURN_WAITING, TURN_NOW, TURN_NEVER };

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
	g->words = shard_count / 64 + 1;
	size_t locks = shard_count + 1; /* the script mutex */
	g->shards = mem_alloc_aligned(64, locks * sizeof(g->shards[0]));
	memset(g->shards, 0, locks * sizeof(g->shards[0]));
	g->_everything = mem_alloc(g->words * sizeof(g->_everything[0]));
	memset(g->_everything, 0xff, g->words * sizeof(g->_everything[0]));
	g->_light_fence = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void gate_release(struct gate *g) {
	mem_free(g->shards);
	mem_free(g->_everything);
	memset(g, 0, sizeof(*g));
}

/* ---- Shards ---- */

/* Somebody has it. Waits, unless it is claimed. */
bool gate__lock_slow(struct gate *g, uint32_t shard) {
	_Atomic uint32_t *word = &g->shards[shard].lock._state;
	uint64_t began_ticks = clock_ticks();
	for (bool spins = true;; spins = spins && clock_ticks_to_ns(clock_ticks() - began_ticks) < LOCK_SPIN_NS) {
		uint32_t state = atomic_load_explicit(word, memory_order_relaxed);
		if (state == CLAIMED) {
			lock_order_leave(LOCK_RANK_SHARD, shard);
			return false;
		}
		/* After a sleep it is taken as awaited, since others may be asleep there as well. */
		if (state == FREE && atomic_compare_exchange_strong_explicit(word, &state, spins ? HELD : AWAITED,
					     memory_order_acquire, memory_order_relaxed))
			return true;
		if (spins) {
			spin_pause();
			continue;
		}
		if (state == HELD && !atomic_compare_exchange_strong_explicit(
					     word, &state, AWAITED, memory_order_relaxed, memory_order_relaxed))
			continue;
		if (state == HELD || state == AWAITED) futex_wait(word, AWAITED);
	}
}

/* Whether the lock was free, in whatever order: who does not wait can be no part of a deadlock. */
static bool try_once(struct gate *g, uint32_t shard) {
	uint32_t free = FREE;
	if (!atomic_compare_exchange_strong_explicit(
		    &g->shards[shard].lock._state, &free, HELD, memory_order_acquire, memory_order_relaxed))
		return false;
	lock_order_enter_any(LOCK_RANK_SHARD, shard);
	return true;
}

static bool try_hard(struct gate *g, uint32_t shard) {
	const _Atomic uint32_t *word = &g->shards[shard].lock._state;
	for (int i = 0; i < SHARD_SPINS; i++) {
		uint32_t state = atomic_load_explicit(word, memory_order_relaxed);
		if (state == FREE && try_once(g, shard)) return true;
		if (state == CLAIMED) return false;
		spin_pause();
	}
	return false;
}

/* Beside a suspended run, which holds gates: waiting for more of them could be part of a circle. */
bool gate__lock_beside(struct gate_member *m, uint32_t shard) {
	if (gate_set_has(m->_reserved, shard)) return false;
	return !m->gate->shared || try_hard(m->gate, shard);
}

bool gate_try_lock(struct gate_member *m, uint32_t shard) {
	if (m->_reserved && gate_set_has(m->_reserved, shard)) return false;
	return !m->gate->shared || try_once(m->gate, shard);
}

bool gate_try_lock_hard(struct gate_member *m, uint32_t shard) {
	return !m->gate->shared || try_hard(m->gate, shard);
}

bool gate_lock_list(struct gate_member *m, const uint32_t *shards, unsigned count) {
	if (gate_is_open(m)) return true;
	for (unsigned i = 0; i < count; i++) {
		if (gate_lock(m, shards[i])) continue;
		gate_unlock_list(m, shards, i);
		return false;
	}
	return true;
}

void gate_unlock_list(struct gate_member *m, const uint32_t *shards, unsigned count) {
	if (!m->gate->shared) return;
	for (unsigned i = count; i > 0; i--) gate_unlock(m, shards[i - 1]);
}

/* Lets go of those of the set that are below `end`. */
static void unlock_below(struct gate_member *m, const uint64_t *set, uint32_t end) {
	for (uint32_t word = (end + 63) / 64; word > 0; word--) {
		uint64_t left = set[word - 1];
		uint32_t base = (word - 1) * 64;
		if (end - base < 64) left &= (1ULL << (end - base)) - 1;
		while (left) {
			uint32_t bit = 63 - (uint32_t)__builtin_clzll(left);
			gate_unlock(m, base + bit);
			left ^= 1ULL << bit;
		}
	}
}

bool gate_lock_set(struct gate_member *m, const uint64_t *set) {
	if (gate_is_open(m)) return true;
	for (uint32_t word = 0; word < m->gate->words; word++) {
		for (uint64_t left = set[word]; left; left &= left - 1) {
			uint32_t shard = word * 64 + (uint32_t)__builtin_ctzll(left);
			if (gate_lock(m, shard)) continue;
			unlock_below(m, set, shard);
			return false;
		}
	}
	return true;
}

void gate_unlock_set(struct gate_member *m, const uint64_t *set) {
	if (m->gate->shared) unlock_below(m, set, m->gate->shard_count + 1);
}

bool gate_is_held_up(const struct gate *g, uint32_t shard) {
	if (!g->shared) return false;
	for (int i = 0; i < SHARD_SPINS; i++) {
		if (!lock_is_taken(&g->shards[shard].lock)) return false;
		spin_pause();
	}
	return true;
}

/* ---- Turns for the world ----
 * A queue and no plain lock: between two commands of a pipeline a member lets go for less than the time that somebody
 * else needs to wake up, and would keep the world to itself. */

static void lock_queue(struct gate *g) {
	lock_take(&g->_queue_lock, LOCK_RANK_LEAF, 0);
}

static void unlock_queue(struct gate *g) {
	lock_drop(&g->_queue_lock, LOCK_RANK_LEAF, 0);
}

/* Waits for its turn. False: there will be none for a long time. */
static bool world_enter(struct gate_member *m) {
	struct gate *g = m->gate;
	atomic_store_explicit(&m->_turn, TURN_WAITING, memory_order_relaxed);
	lock_queue(g);
	bool closed = g->_queue_closed, first = g->_queue_length == 0;
	if (!closed) g->_queue[g->_queue_length++] = m;
	unlock_queue(g);
	if (closed) return false;
	uint32_t turn = first ? TURN_NOW : TURN_WAITING;
	while (turn == TURN_WAITING) {
		/* Acquire pairs with the release in give_turn. */
		turn = atomic_load_explicit(&m->_turn, memory_order_acquire);
		if (turn == TURN_WAITING) futex_wait(&m->_turn, TURN_WAITING);
	}
	if (turn == TURN_NEVER) return false;
	lock_order_enter(LOCK_RANK_WORLD, 0);
	return true;
}

/* The member is asleep or about to look; after this it is no business of ours any more. */
static void give_turn(struct gate_member *m, enum gate_turn turn) {
	atomic_store_explicit(&m->_turn, turn, memory_order_release);
	futex_wake(&m->_turn, 1);
}

static void world_leave(struct gate *g) {
	lock_order_leave(LOCK_RANK_WORLD, 0);
	lock_queue(g);
	g->_queue_closed = false;
	g->_queue_length--;
	memmove(g->_queue, g->_queue + 1, g->_queue_length * sizeof(g->_queue[0]));
	struct gate_member *next = g->_queue_length ? g->_queue[0] : NULL;
	unlock_queue(g);
	if (next) give_turn(next, TURN_NOW);
}

/* Those who wait do not, any more. */
static void send_others_away(struct gate *g) {
	struct gate_member *others[GATE_MAX_MEMBERS];
	lock_queue(g);
	unsigned count = g->_queue_length - 1;
	memcpy(others, g->_queue + 1, count * sizeof(others[0]));
	g->_queue_length = 1;
	g->_queue_closed = true;
	unlock_queue(g);
	for (unsigned i = 0; i < count; i++) give_turn(others[i], TURN_NEVER);
}

/* ---- Inside and outside ---- */

/* Release pairs with the acquire in await_outside: what this member did is seen by who has the world. */
static void step_out(struct gate_member *m) {
	struct gate *g = m->gate;
#if TARN_TSAN
	atomic_store_explicit(&m->_inside, GATE_OUTSIDE, memory_order_seq_cst);
#else
	atomic_store_explicit(&m->_inside, GATE_OUTSIDE, memory_order_release);
	if (g->_light_fence)
		atomic_signal_fence(memory_order_seq_cst);
	else
		full_fence();
#endif
	if (atomic_load_explicit(&g->_world_wanted, memory_order_relaxed)) futex_wake(&m->_inside, WAITERS);
}

void gate_outside(struct gate_member *m) {
	if (m->_limited) {
		m->_limited = false;
		m->_reserved = NULL;
	}
	if (m->_reserved) return; /* a suspended run stays inside */
	step_out(m);
}

static uint32_t await_world_over(struct gate *g) {
	uint32_t wanted;
	while ((wanted = atomic_load_explicit(&g->_world_wanted, memory_order_acquire)) != 0 &&
		!(wanted & GATE_WORLD_FOR_LONG))
		futex_wait(&g->_world_wanted, wanted);
	return wanted;
}

void gate_park(struct gate_member *m) {
	struct gate *g = m->gate;
	if (m->_has_world || (m->_reserved && !m->_limited)) return;
	atomic_fetch_add_explicit(&g->_parked, 1, memory_order_seq_cst);
	uint32_t wanted;
	do {
		step_out(m);
		m->_limited = await_world_over(g) != 0;
		m->_reserved = m->_limited ? g->_everything : NULL;
		atomic_exchange_explicit(&m->_inside, m->_limited ? GATE_LIMITED : GATE_INSIDE, memory_order_seq_cst);
		/* The world that let it go on may have ended meanwhile, and the next one counts it as outside. */
		wanted = atomic_load_explicit(&g->_world_wanted, memory_order_seq_cst);
	} while (m->_limited ? !(wanted & GATE_WORLD_FOR_LONG) : wanted != 0);
	if (atomic_fetch_sub_explicit(&g->_parked, 1, memory_order_seq_cst) == 1) futex_wake(&g->_parked, 1);
}

/* ---- The world ---- */

/* Those whom the last world held up run at least one command before the next. Nobody wants the world now, so each of them
 * is on its way in; or a run is being lifted, and they come after that. */
static void await_parked(struct gate *g) {
	uint32_t parked;
	while ((parked = atomic_load_explicit(&g->_parked, memory_order_seq_cst)) != 0) futex_wait(&g->_parked, parked);
}

static bool is_for_long(const struct gate_member *m, uint32_t presence) {
	if (presence != GATE_LIMITED) return presence == GATE_INSIDE_FOR_LONG;
	return (atomic_load_explicit(&m->gate->_world_wanted, memory_order_relaxed) & GATE_WORLD_FOR_LONG) != 0;
}

/* False, with `suspended_too`: it is inside with a suspended run, or limited by another's. */
static bool await_outside(struct gate_member *other, bool suspended_too) {
	for (int i = 0;; i++) {
		uint32_t presence = atomic_load_explicit(&other->_inside, memory_order_acquire);
		if (presence == GATE_OUTSIDE) return true;
		if (suspended_too && is_for_long(other, presence)) return false;
		if (i < WORLD_SPINS)
			spin_pause();
		else
			futex_wait(&other->_inside, presence);
	}
}

static void wish(struct gate *g, uint32_t with) {
	atomic_fetch_add_explicit(&g->_world_wanted, 1 + with, memory_order_seq_cst);
	/* Makes every running thread pass a full fence, so that either it sees the wish above or we see it inside. */
	if (g->_light_fence)
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	else
		full_fence();
}

static void take_back(struct gate *g, uint32_t with) {
	/* Release pairs with the acquire in gate_inside, gate_boundary and gate_park. */
	atomic_fetch_sub_explicit(&g->_world_wanted, 1 + with, memory_order_release);
	futex_wake(&g->_world_wanted, GATE_MAX_MEMBERS);
}

/* True when all members but `m` are outside, and will stay there until let_go. */
static bool stop_others(struct gate_member *m) {
	struct gate *g = m->gate;
	if (!world_enter(m)) return false;
	await_parked(g);
	wish(g, 0);
	for (unsigned i = 0; i < g->_member_count; i++) {
		if (g->_members[i] == m || await_outside(g->_members[i], true)) continue;
		take_back(g, 0);
		world_leave(g);
		return false;
	}
	return true;
}

static void let_go(struct gate *g, uint32_t with) {
	take_back(g, with);
	world_leave(g);
}

/* `shared` decides whether shard locks count, so nobody may be in the middle of a command when it changes. */
void gate_join(struct gate *g, struct gate_member *m) {
	memset(m, 0, sizeof(*m));
	m->gate = g;
	while (!stop_others(m)) spin_pause();
	assert(g->_member_count < GATE_MAX_MEMBERS);
	g->_members[g->_member_count++] = m;
	g->shared = g->_member_count > 1;
	let_go(g, 0);
}

void gate_leave(struct gate_member *m) {
	struct gate *g = m->gate;
	while (!world_enter(m)) spin_pause();
	for (unsigned i = 0; i < g->_member_count; i++) {
		if (g->_members[i] != m) continue;
		g->_members[i] = g->_members[--g->_member_count];
		break;
	}
	world_leave(g);
}

bool gate_take_world(struct gate_member *m) {
	if (m->_reserved) return false;
	assert(!m->_has_world);
	/* Outside while it waits for its turn, or two who want the world would wait for each other. */
	step_out(m);
	bool alone = stop_others(m);
	/* Written by who is alone only, who may ask which member that is (server/hooks.c). */
	if (alone) {
		m->_has_world = true;
		atomic_store_explicit(&m->_inside, GATE_INSIDE, memory_order_relaxed);
	} else {
		gate_inside(m);
	}
	return alone;
}

void gate_drop_world(struct gate_member *m) {
	assert(m->_has_world);
	m->_has_world = false;
	uint32_t wanted = atomic_load_explicit(&m->gate->_world_wanted, memory_order_relaxed);
	let_go(m->gate, wanted & GATE_WORLD_FOR_LONG);
	/* Still inside: whoever wants the world next waits for this member's boundary like for any other's. If it was already
	 * counted as outside it has been waiting in the queue above, and looks at `_inside` only when its turn has come. */
}

bool gate_make_room(struct gate_member *m) {
	if (m->_reserved || !gate_is_wanted(m)) return false;
	gate_park(m);
	return !m->_limited;
}

/* ---- Runs that last ---- */

void gate_claim(struct gate_member *m, uint32_t shard) {
	if (!m->gate->shared) return;
	_Atomic uint32_t *word = &m->gate->shards[shard].lock._state;
	atomic_exchange_explicit(word, CLAIMED, memory_order_relaxed);
	/* Some may be asleep although the lock says held: who was woken by its last holder came too late for it. */
	futex_wake(word, GATE_MAX_MEMBERS);
}

static void claim_set(struct gate_member *m, const uint64_t *set) {
	for (uint32_t word = 0; word < m->gate->words; word++)
		for (uint64_t left = set[word]; left; left &= left - 1)
			gate_claim(m, word * 64 + (uint32_t)__builtin_ctzll(left));
}

void gate_suspend(struct gate_member *m, const uint64_t *set) {
	struct gate *g = m->gate;
	if (m->_has_world) {
		m->_reserved = g->_everything;
		/* Lifted, it does not stand in the queue: whoever does sees it inside for long. */
		uint32_t before =
			atomic_fetch_or_explicit(&g->_world_wanted, GATE_WORLD_FOR_LONG, memory_order_seq_cst);
		if (!(before & (GATE_WORLD_FOR_LONG | GATE_WORLD_LIFTING))) send_others_away(g);
		if (!(before & GATE_WORLD_FOR_LONG)) futex_wake(&g->_world_wanted, GATE_MAX_MEMBERS);
	} else {
		m->_reserved = set;
		claim_set(m, set);
	}
	atomic_store_explicit(&m->_inside, GATE_INSIDE_FOR_LONG, memory_order_release);
	futex_wake(&m->_inside, WAITERS);
}

bool gate_recall(struct gate_member *m) {
	struct gate *g = m->gate;
	if (!m->_has_world || !m->_reserved) return false;
	/* Who is limited parks at its next boundary; who was about to go on so looks again in gate_park. */
	atomic_fetch_and_explicit(&g->_world_wanted, ~(uint32_t)GATE_WORLD_FOR_LONG, memory_order_seq_cst);
	full_fence();
	for (unsigned i = 0; i < g->_member_count; i++)
		if (g->_members[i] != m) await_outside(g->_members[i], false);
	return true;
}

void gate_limit(struct gate_member *m) {
	struct gate *g = m->gate;
	/* Release, as in take_back: what was done meanwhile is seen. */
	atomic_fetch_or_explicit(&g->_world_wanted, GATE_WORLD_FOR_LONG, memory_order_seq_cst);
	futex_wake(&g->_world_wanted, GATE_MAX_MEMBERS);
}

void gate_end_suspension(struct gate_member *m) {
	m->_reserved = NULL;
	atomic_store_explicit(&m->_inside, GATE_INSIDE, memory_order_release);
}

void gate_lift(struct gate_member *m, const uint64_t *set) {
	struct gate *g = m->gate;
	assert(!m->_has_world);
	/* In this order: who lets go of a claimed shard finds the reason. */
	wish(g, GATE_WORLD_LIFTING);
	claim_set(m, set);
	for (unsigned i = 0; i < g->_member_count; i++)
		if (g->_members[i] != m) await_outside(g->_members[i], false);
	m->_has_world = true;
	if (m->_reserved) gate_suspend(m, set);
}

void gate_unlift(struct gate_member *m) {
	assert(m->_has_world);
	m->_has_world = false;
	uint32_t wanted = atomic_load_explicit(&m->gate->_world_wanted, memory_order_relaxed);
	take_back(m->gate, wanted & (GATE_WORLD_LIFTING | GATE_WORLD_FOR_LONG));
}
