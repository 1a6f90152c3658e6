#include "net/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MAX_EVENTS = 512 };

bool poller_init(struct poller *p) {
	p->_fd = epoll_create1(EPOLL_CLOEXEC);
	return p->_fd >= 0;
}

void poller_release(struct poller *p) {
	close(p->_fd);
	p->_fd = -1;
}

static struct epoll_event wish(uint32_t events, void *tag) {
	struct epoll_event e = { .data.ptr = tag };
	if (events & POLLER_READ) e.events |= EPOLLIN;
	if (events & POLLER_WRITE) e.events |= EPOLLOUT;
	if (events & POLLER_HANGUP) e.events |= EPOLLRDHUP;
	return e;
}

bool poller_add(struct poller *p, int fd, uint32_t events, void *tag) {
	struct epoll_event e = wish(events, tag);
	return epoll_ctl(p->_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

void poller_change(struct poller *p, int fd, uint32_t events, void *tag) {
	struct epoll_event e = wish(events, tag);
	epoll_ctl(p->_fd, EPOLL_CTL_MOD, fd, &e);
}

void poller_remove(struct poller *p, int fd) {
	epoll_ctl(p->_fd, EPOLL_CTL_DEL, fd, NULL);
}

int poller_wait(struct poller *p, struct poller_event *events, int max, int64_t timeout_us) {
	struct epoll_event ready[MAX_EVENTS];
	if (max > MAX_EVENTS) max = MAX_EVENTS;
	/* Rounded up: waking a little early would only mean to sleep again. */
	int timeout_ms = timeout_us < 0 ? -1 : (int)((timeout_us + 999) / 1000);
	int n = epoll_wait(p->_fd, ready, max, timeout_ms);
	for (int i = 0; i < n; i++) {
		events[i].tag = ready[i].data.ptr;
		events[i].events = 0;
		if (ready[i].events & EPOLLIN) events[i].events |= POLLER_READ;
		if (ready[i].events & EPOLLOUT) events[i].events |= POLLER_WRITE;
		if (ready[i].events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) events[i].events |= POLLER_HANGUP;
	}
	return n < 0 ? 0 : n;
}
