/* mailbox: nothing is lost, each sender's messages come in order, and the owner may sleep on the descriptor. */
#include "../testing.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "base/alloc.h"
#include "server/mailbox.h"

enum { SENDERS = 3 };

/* Stands for the worker, which mailbox_run hands through. */
struct worker {
	unsigned next_of[SENDERS];
	unsigned received;
	unsigned out_of_order;
};

struct note {
	struct message message;
	unsigned sender, number;
};

static struct mailbox box;
static unsigned per_sender;

static void take_note(struct worker *owner, struct message *m) {
	struct note *n = (struct note *)m;
	if (owner->next_of[n->sender] != n->number) owner->out_of_order++;
	owner->next_of[n->sender] = n->number + 1;
	owner->received++;
	mem_free(n);
}

static void send_note(unsigned sender, unsigned number) {
	struct note *n = mem_alloc(sizeof(*n));
	*n = (struct note){ .message.run = take_note, .sender = sender, .number = number };
	mailbox_send(&box, &n->message);
}

static void *send_many(void *sender) {
	random_seed_thread(testing_seed() + 10 + (uintptr_t)sender);
	for (unsigned i = 0; i < per_sender; i++) {
		send_note((unsigned)(uintptr_t)sender, i);
		if (random_below(50) == 0) sched_yield();
	}
	return NULL;
}

/* Whether something comes within ten seconds. */
static bool wait_for_mail(void) {
	struct pollfd p = { .fd = mailbox_fd(&box), .events = POLLIN };
	return poll(&p, 1, 10000) == 1;
}

static bool has_mail_now(void) {
	struct pollfd p = { .fd = mailbox_fd(&box), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void test_senders(void **state) {
	struct worker owner = { 0 };
	pthread_t threads[SENDERS];
	(void)state;
	testing_begin(1);
	per_sender = testing_rounds(10000);
	assert_true(mailbox_init(&box));
	for (uintptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, (void *)i), 0);
	while (owner.received < SENDERS * per_sender) {
		if (!wait_for_mail()) fail_msg("no wake-up after %u messages", owner.received);
		mailbox_run(&box, &owner);
	}
	for (unsigned i = 0; i < SENDERS; i++) pthread_join(threads[i], NULL);
	assert_int_equal(owner.out_of_order, 0);
	mailbox_run(&box, &owner);
	assert_int_equal(owner.received, SENDERS * per_sender);
	assert_false(has_mail_now());
	mailbox_release(&box);
}

static void test_one_thread(void **state) {
	struct worker owner = { 0 };
	(void)state;
	assert_true(mailbox_init(&box));
	assert_false(has_mail_now());
	mailbox_run(&box, &owner); /* of nothing does not block */
	for (unsigned i = 0; i < 5; i++) send_note(1, i);
	assert_true(has_mail_now());
	mailbox_run(&box, &owner);
	assert_int_equal(owner.received, 5);
	assert_int_equal(owner.out_of_order, 0);
	assert_false(has_mail_now());
	mailbox_release(&box);
}

/* A message that sends another: it comes with the next round, and the descriptor says so. */
static void send_again(struct worker *owner, struct message *m) {
	mem_free(m);
	send_note(0, owner->received);
}

static void test_sending_while_running(void **state) {
	struct worker owner = { 0 };
	(void)state;
	assert_true(mailbox_init(&box));
	struct message *m = mem_alloc(sizeof(*m));
	*m = (struct message){ .run = send_again };
	mailbox_send(&box, m);
	mailbox_run(&box, &owner);
	assert_int_equal(owner.received, 0);
	assert_true(has_mail_now());
	mailbox_run(&box, &owner);
	assert_int_equal(owner.received, 1);
	mailbox_release(&box);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_sending_while_running),
		cmocka_unit_test(test_senders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
