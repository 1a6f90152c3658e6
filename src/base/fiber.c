#include "base/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sanitize.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if TARN_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if TARN_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct fiber {
	char *stack; /* above its guard page */
	size_t stack_bytes;
	char *mapping;
	size_t mapping_bytes;
	fiber_body *body;
	void *context;
	bool under_way;
#if defined(__x86_64__)
	void *inside_sp, *outside_sp;
#else
	ucontext_t inside, outside;
#endif
#if TARN_ASAN
	void *inside_fake, *outside_fake;
	const void *outside_stack;
	size_t outside_stack_bytes;
#endif
#if TARN_TSAN
	void *inside_tsan, *outside_tsan;
#endif
};

/* ---- What the sanitizers want to know about a switch ----
 * In line, since ThreadSanitizer keeps a stack of calls per fiber: who is entered on one must not return on the other. */
#define IN_LINE static inline __attribute__((always_inline))

IN_LINE void before_entering(struct fiber *f) {
	(void)f;
#if TARN_ASAN
	__sanitizer_start_switch_fiber(&f->outside_fake, f->stack, f->stack_bytes);
#endif
#if TARN_TSAN
	f->outside_tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(f->inside_tsan, 0);
#endif
}

IN_LINE void after_entering(struct fiber *f) {
	(void)f;
#if TARN_ASAN
	__sanitizer_finish_switch_fiber(f->inside_fake, &f->outside_stack, &f->outside_stack_bytes);
#endif
}

IN_LINE void before_leaving(struct fiber *f) {
	(void)f;
#if TARN_ASAN
	__sanitizer_start_switch_fiber(&f->inside_fake, f->outside_stack, f->outside_stack_bytes);
#endif
#if TARN_TSAN
	__tsan_switch_to_fiber(f->outside_tsan, 0);
#endif
}

IN_LINE void after_leaving(struct fiber *f) {
	(void)f;
#if TARN_ASAN
	__sanitizer_finish_switch_fiber(f->outside_fake, NULL, NULL);
#endif
}

/* ---- The switch ---- */

IN_LINE void enter(struct fiber *f);
IN_LINE void leave(struct fiber *f);

/* What the stack is at the bottom of: one body after the other, so that nothing is left on it by those that are over. */
static void run_bodies(struct fiber *f) {
	for (;;) {
		after_entering(f);
		f->body(f->context);
		f->under_way = false;
		before_leaving(f);
		leave(f);
	}
}

#if defined(__x86_64__)

/* Saves what a called function has to keep (System V ABI, AMD64 supplement, 3.2.1) on the stack in use, changes stacks, and
 * takes the same from the other. The SSE and x87 control words are the thread's and nobody here changes them. */
void tarn_fiber_switch(void **save_sp, void *load_sp);
__asm__(".text\n"
	".globl tarn_fiber_switch\n"
	".hidden tarn_fiber_switch\n"
	".type tarn_fiber_switch,@function\n"
	"tarn_fiber_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size tarn_fiber_switch,.-tarn_fiber_switch\n"
	/* The first steps on a new stack: r12 holds the fiber, r13 what to call. There is nothing to return to. */
	".globl tarn_fiber_begin\n"
	".hidden tarn_fiber_begin\n"
	".type tarn_fiber_begin,@function\n"
	"tarn_fiber_begin:\n"
	"	movq %r12, %rdi\n"
	"	call *%r13\n"
	"	ud2\n"
	".size tarn_fiber_begin,.-tarn_fiber_begin\n");
void tarn_fiber_begin(void);

static void prepare(struct fiber *f) {
	enum { SAVED_WORDS = 6, R13 = 2, R12 = 3 };
	/* Aligned to 16 where tarn_fiber_begin starts, so that its call leaves the stack as a function expects it. */
	uintptr_t *top = (uintptr_t *)(f->stack + f->stack_bytes) - 2;
	top[0] = top[1] = 0;
	uintptr_t *sp = top - 1;
	*sp = (uintptr_t)tarn_fiber_begin;
	sp -= SAVED_WORDS;
	memset(sp, 0, SAVED_WORDS * sizeof(*sp));
	sp[R12] = (uintptr_t)f;
	sp[R13] = (uintptr_t)run_bodies;
	f->inside_sp = sp;
}

IN_LINE void enter(struct fiber *f) {
	tarn_fiber_switch(&f->outside_sp, f->inside_sp);
}

IN_LINE void leave(struct fiber *f) {
	tarn_fiber_switch(&f->inside_sp, f->outside_sp);
}

#else

static void begin(unsigned high, unsigned low) {
	run_bodies((struct fiber *)((uintptr_t)high << 32 | low));
}

static void prepare(struct fiber *f) {
	getcontext(&f->inside);
	f->inside.uc_stack.ss_sp = f->stack;
	f->inside.uc_stack.ss_size = f->stack_bytes;
	f->inside.uc_link = NULL;
	uint64_t address = (uintptr_t)f;
	makecontext(&f->inside, (void (*)(void))begin, 2, (unsigned)(address >> 32), (unsigned)address);
}

IN_LINE void enter(struct fiber *f) {
	swapcontext(&f->outside, &f->inside);
}

IN_LINE void leave(struct fiber *f) {
	swapcontext(&f->inside, &f->outside);
}

#endif

/* ---- Life ---- */

struct fiber *fiber_new(size_t stack_bytes) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	stack_bytes = (stack_bytes + page - 1) / page * page;
	char *mapping = mmap(NULL, stack_bytes + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (mapping == MAP_FAILED) return NULL;
	if (mprotect(mapping, page, PROT_NONE) != 0) {
		munmap(mapping, stack_bytes + page);
		return NULL;
	}
	struct fiber *f = mem_calloc(sizeof(*f));
	f->mapping = mapping;
	f->mapping_bytes = stack_bytes + page;
	f->stack = mapping + page;
	f->stack_bytes = stack_bytes;
#if TARN_TSAN
	f->inside_tsan = __tsan_create_fiber(0);
#endif
	prepare(f);
	return f;
}

void fiber_free(struct fiber *f) {
	if (!f) return;
	assert(!f->under_way);
#if TARN_TSAN
	__tsan_destroy_fiber(f->inside_tsan);
#endif
	munmap(f->mapping, f->mapping_bytes);
	mem_free(f);
}

bool fiber_is_under_way(const struct fiber *f) {
	return f->under_way;
}

bool fiber_continue(struct fiber *f) {
	assert(f->under_way);
	before_entering(f);
	enter(f);
	after_leaving(f);
	return !f->under_way;
}

bool fiber_start(struct fiber *f, fiber_body *body, void *context) {
	assert(!f->under_way);
	f->body = body;
	f->context = context;
	f->under_way = true;
	return fiber_continue(f);
}

void fiber_leave(struct fiber *f) {
	before_leaving(f);
	leave(f);
	after_entering(f);
}
