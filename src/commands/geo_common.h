/* What the files of geo commands share. For commands/geo*.c only. A reader that fails has written the error. */
#ifndef TARN_COMMANDS_GEO_COMMON_H
#define TARN_COMMANDS_GEO_COMMON_H

#include "server/call.h"
#include "types/geo.h"

/* Arguments `arg` and `arg` + 1 as longitude and latitude. */
__attribute__((warn_unused_result)) bool geo_read_point(struct call *c, unsigned arg, struct geo_point *p);

/* Argument `arg` as a unit, in metres. */
__attribute__((warn_unused_result)) bool geo_read_unit(struct call *c, unsigned arg, double *metres);

/* Where a member is; false, nothing written, when `z` has no such member. `z` may have no data. */
bool geo_find_member(const struct value *z, struct slice member, struct geo_point *p);

/* [longitude, latitude] */
void geo_reply_point(struct call *c, struct geo_point p);

void geo_reply_distance(struct call *c, double distance);

#endif
