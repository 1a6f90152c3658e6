/* poller: waits for sockets. Epoll, level-triggered. One per worker, used by its thread only. */
#ifndef TARN_NET_POLLER_H
#define TARN_NET_POLLER_H

#include <stdbool.h>
#include <stdint.h>

/* HANGUP is told always when the connection is gone, and when it is asked for also as soon as the peer sends no more. */
enum poller_events { POLLER_READ = 1, POLLER_WRITE = 2, POLLER_HANGUP = 4 };

struct poller_event {
	void *tag;       /* what was given to poller_add */
	uint32_t events; /* enum poller_events */
};

struct poller {
	int _fd;
};

/* False when the system has no more descriptors. */
__attribute__((warn_unused_result)) bool poller_init(struct poller *p);
void poller_release(struct poller *p);

__attribute__((warn_unused_result)) bool poller_add(struct poller *p, int fd, uint32_t events, void *tag);
void poller_change(struct poller *p, int fd, uint32_t events, void *tag);
void poller_remove(struct poller *p, int fd);

/* Waits up to `timeout_us` (-1: for ever, 0: not at all); returns how many events were filled in. Returns early when a
 * signal arrives. */
int poller_wait(struct poller *p, struct poller_event *events, int max, int64_t timeout_us);

#endif
