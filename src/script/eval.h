/* eval: what SCRIPT needs of EVAL. */
#ifndef TARN_SCRIPT_EVAL_H
#define TARN_SCRIPT_EVAL_H

#include "base/bytes.h"
#include "resp/reply.h"
#include "script/script_cache.h"

struct worker;

/* The script of that text, which the server knows from now on, and this worker has compiled. `stays`: for good, until SCRIPT
 * FLUSH. NULL, the error written, when it is wrong. Valid until the worker's cache is tidied. */
struct cached_script *eval_learn(struct worker *w, struct slice source, bool stays, struct reply *r);

#endif
