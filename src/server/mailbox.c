#include "server/mailbox.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_init(struct mailbox *box) {
	atomic_init(&box->_newest, NULL);
	box->_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return box->_event_fd >= 0;
}

void mailbox_release(struct mailbox *box) {
	close(box->_event_fd);
}

int mailbox_fd(const struct mailbox *box) {
	return box->_event_fd;
}

void mailbox_send(struct mailbox *box, struct message *m) {
	struct message *newest = atomic_load_explicit(&box->_newest, memory_order_relaxed);
	do {
		m->_next = newest;
	} while (!atomic_compare_exchange_weak_explicit(
		&box->_newest, &newest, m, memory_order_release, memory_order_relaxed));
	/* Only the first message of a round wakes the owner; it takes all the others with it. */
	if (!newest) mailbox_wake(box);
}

void mailbox_wake(struct mailbox *box) {
	uint64_t one = 1;
	ssize_t done = write(box->_event_fd, &one, sizeof(one));
	(void)done; /* fails only when the counter is full, and then the owner is awake anyway */
}

bool mailbox_run(struct mailbox *box, struct worker *owner) {
	uint64_t count;
	ssize_t got = read(box->_event_fd, &count, sizeof(count));
	(void)got;
	/* Acquire pairs with the release in mailbox_send. */
	struct message *m = atomic_exchange_explicit(&box->_newest, NULL, memory_order_acquire), *oldest = NULL;
	while (m) {
		struct message *next = m->_next;
		m->_next = oldest;
		oldest = m;
		m = next;
	}
	bool any = oldest != NULL;
	while (oldest) {
		struct message *next = oldest->_next;
		oldest->run(owner, oldest);
		oldest = next;
	}
	return any;
}
