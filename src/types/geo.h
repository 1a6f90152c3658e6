/* Places on the earth: as 52 bits of geohash, distances between them, and which stretches of hashes cover an area.
 *
 * A place is longitude and latitude in degrees, within the limits of the Mercator projection. For its hash both are scaled
 * to 26 bits and interleaved, longitude on the odd bits: 52 bits, exact in the double that a sorted set keeps as score. Places
 * that are near each other mostly have hashes that are near each other: all those in one *cell* (the first 2n bits agree)
 * form one stretch of scores. A search looks into the cell of its centre and into the eight around it.
 *
 *   lon 13.361389, lat 38.115556 → 3479099956230698 → 13.36138933897018433, 38.11555639549629859 (about 0.6 m of error)
 *
 * Cells, their order and the formula of the distance are as in Redis, so that searches give the same members in the same order,
 * and the same metres. The earth is a sphere of 6372797.560856 m.
 *
 * Sources: G. Niemeyer's geohash; "Geohash-int" (yinqiwen) for the covering of a circle by nine cells; the haversine formula
 * (R. W. Sinnott, 1984). Plain arithmetic, no state, no allocation. */
#ifndef TARN_TYPES_GEO_H
#define TARN_TYPES_GEO_H

#include "base/bytes.h"

#define GEO_LON_MAX 180.0
#define GEO_LAT_MAX 85.05112878

enum { GEO_STEPS = 26 /* bits of each coordinate */, GEO_TEXT_CHARS = 11 };

struct geo_point {
	double lon, lat; /* degrees */
};

/* Whether the place can be hashed. False for NaN, too. */
bool geo_is_valid(struct geo_point p);

/* The hash of a valid place. Its 52 bits are exceeded by 180° east or the northern limit themselves. */
uint64_t geo_hash(struct geo_point p);

/* The middle of the hash's smallest cell. Whatever score a client has put into the sorted set will do. */
struct geo_point geo_unhash(uint64_t hash);

/* A score as a hash; negative, huge and broken ones in the same way as Redis on x86-64. */
uint64_t geo_hash_of_score(double score);

/* The place as other geohash programs write it, in GEO_TEXT_CHARS characters, not terminated. */
void geo_text(struct geo_point p, char *out);

/* Metres between two places. */
double geo_distance(struct geo_point a, struct geo_point b);

/* Numbers as replies show them: a distance with four digits behind the point, a coordinate with up to 17, trailing zeros left
 * out. Write to at least NUMBER_HUMAN_MAX_CHARS bytes, not terminated; return the length. */
size_t geo_format_distance(char *out, double distance);
size_t geo_format_degrees(char *out, double degrees);

/* ---- Areas ---- */

/* A circle or a box with sides along meridians and parallels; lengths in `unit`s. */
struct geo_area {
	bool is_box;
	struct geo_point centre;
	double radius;        /* of a circle */
	double width, height; /* of a box */
	double unit;          /* in metres */
};

/* The distance from the centre to `p`, in metres, when `p` is within the area. */
bool geo_reaches(const struct geo_area *area, struct geo_point p, double *metres);

/* Scores in [from, below). */
struct geo_range {
	double from, below;
};

/* Where the hashes of an area can be: ranges to be searched in this order, and a first sieve for what they hold. A place is
 * found once at most, as long as the area is no larger than the earth. */
struct geo_cover {
	unsigned count;
	struct geo_range ranges[9];
	/* Private: the area's bounds on the grid of 2^26 by 2^26. */
	uint32_t _lat_first, _lat_span;
	uint32_t _lon_first, _lon_span;
};

void geo_cover(const struct geo_area *area, struct geo_cover *cover);

/* False: what has this hash is certainly not in the area. Costs a few instructions, where geo_reaches costs a hundred
 * nanoseconds. */
bool geo_cover_may_have(const struct geo_cover *cover, uint64_t hash);

#endif
