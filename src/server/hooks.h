/* hooks: what the server wants to see of the store's changes. One line per feature; see store/keyspace.h for when and
 * under which gate each is called. The context is the struct server. */
#ifndef TARN_SERVER_HOOKS_H
#define TARN_SERVER_HOOKS_H

#include "store/keyspace.h"

extern const struct store_hooks server_store_hooks;

#endif
