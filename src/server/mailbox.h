/* mailbox: how one thread hands another something to do for a client that the other owns.
 *
 * Any thread may send; the owning worker takes all messages at its next turn, in the order in which they were sent by each
 * sender, and runs them outside any gate but inside (see gate.h): message functions may look at what the world protects. */
#ifndef TARN_SERVER_MAILBOX_H
#define TARN_SERVER_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct worker;
struct message;

typedef void message_fn(struct worker *owner, struct message *m);

/* The first member of whatever is sent. The receiver's function owns it and frees it. */
struct message {
	struct message *_next;
	message_fn *run;
};

struct mailbox {
	_Atomic(struct message *) _newest; /* a stack; the owner reverses it */
	int _event_fd;
};

__attribute__((warn_unused_result)) bool mailbox_init(struct mailbox *box);
void mailbox_release(struct mailbox *box);
int mailbox_fd(const struct mailbox *box);

void mailbox_send(struct mailbox *box, struct message *m);

/* Makes the owner look, whether there is a message or not. Any thread. */
void mailbox_wake(struct mailbox *box);

/* Whether nothing is on its way, at this moment. */
static inline bool mailbox_is_empty(const struct mailbox *box) {
	return atomic_load_explicit(&box->_newest, memory_order_relaxed) == NULL;
}

/* The owner: runs what has come; false when that was nothing. */
bool mailbox_run(struct mailbox *box, struct worker *owner);

#endif
