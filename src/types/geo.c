#include "types/geo.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"

static const double earth_radius = 6372797.560856; /* metres */

static double radians(double degrees) {
	return degrees * (M_PI / 180.0);
}

static double degrees(double radians) {
	return radians / (M_PI / 180.0);
}

/* ---- Hashes ---- */

/* A cell of the grid with 2^steps rows and columns. */
struct cell {
	uint32_t lat, lon; /* row from the south, column from the west */
};

/* The coordinates that the grid covers, from -max to max. */
struct limits {
	double lon, lat;
};

static const struct limits mercator = { GEO_LON_MAX, GEO_LAT_MAX };
static const struct limits whole_earth = { 180.0, 90.0 };

bool geo_is_valid(struct geo_point p) {
	return p.lon >= -GEO_LON_MAX && p.lon <= GEO_LON_MAX && p.lat >= -GEO_LAT_MAX && p.lat <= GEO_LAT_MAX;
}

/* The uppermost limit itself falls into a row or column beyond the grid. */
static struct cell cell_of(struct geo_point p, const struct limits *max, unsigned steps) {
	double count = (double)((uint64_t)1 << steps);
	double lat = (p.lat + max->lat) / (2 * max->lat), lon = (p.lon + max->lon) / (2 * max->lon);

	return (struct cell){ (uint32_t)(lat * count), (uint32_t)(lon * count) };
}

/* Moves the bits of a number to the even places. */
static uint64_t spread_bits(uint32_t x) {
	uint64_t v = x;

	v = (v | v << 16) & 0x0000ffff0000ffffu;
	v = (v | v << 8) & 0x00ff00ff00ff00ffu;
	v = (v | v << 4) & 0x0f0f0f0f0f0f0f0fu;
	v = (v | v << 2) & 0x3333333333333333u;
	return (v | v << 1) & 0x5555555555555555u;
}

/* The way back; odd places are left out. */
static uint32_t gather_bits(uint64_t v) {
	v &= 0x5555555555555555u;
	v = (v | v >> 1) & 0x3333333333333333u;
	v = (v | v >> 2) & 0x0f0f0f0f0f0f0f0fu;
	v = (v | v >> 4) & 0x00ff00ff00ff00ffu;
	v = (v | v >> 8) & 0x0000ffff0000ffffu;
	return (uint32_t)(v | v >> 16);
}

static uint64_t bits_of(struct cell c) {
	return spread_bits(c.lat) | spread_bits(c.lon) << 1;
}

static struct cell cell_of_bits(uint64_t bits) {
	return (struct cell){ gather_bits(bits), gather_bits(bits >> 1) };
}

uint64_t geo_hash(struct geo_point p) {
	return bits_of(cell_of(p, &mercator, GEO_STEPS));
}

uint64_t geo_hash_of_score(double score) {
	if (score >= 0x1p64) return 0;
	if (score >= 0) return (uint64_t)score;
	if (score > -0x1p63) return (uint64_t)(int64_t)score;
	return (uint64_t)1 << 63;
}

/* ---- Cells ---- */

struct edges {
	double south, north, west, east;
};

/* The line before row or column `index`. */
static double grid_line(uint32_t index, double max, unsigned steps) {
	return -max + (double)index / (double)((uint64_t)1 << steps) * (2 * max);
}

static struct edges edges_of(struct cell c, unsigned steps) {
	return (struct edges){
		.south = grid_line(c.lat, GEO_LAT_MAX, steps),
		.north = grid_line(c.lat + 1, GEO_LAT_MAX, steps),
		.west = grid_line(c.lon, GEO_LON_MAX, steps),
		.east = grid_line(c.lon + 1, GEO_LON_MAX, steps),
	};
}

static double clamp(double value, double max) {
	if (value > max) return max;
	return value < -max ? -max : value;
}

struct geo_point geo_unhash(uint64_t hash) {
	struct edges e = edges_of(cell_of_bits(hash), GEO_STEPS);
	return (struct geo_point){ clamp((e.west + e.east) / 2, GEO_LON_MAX),
		clamp((e.south + e.north) / 2, GEO_LAT_MAX) };
}

void geo_text(struct geo_point p, char *out) {
	static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
	uint64_t bits = bits_of(cell_of(p, &whole_earth, GEO_STEPS));

	/* Ten digits of five bits; of the eleventh only two are there, and it is given as 0. */
	for (unsigned i = 0; i < GEO_TEXT_CHARS - 1; i++) out[i] = digits[bits >> (52 - 5 * (i + 1)) & 31];
	out[GEO_TEXT_CHARS - 1] = digits[0];
}

/* ---- Distances ---- */

static double distance_along_meridian(double lat_a, double lat_b) {
	return earth_radius * fabs(radians(lat_b) - radians(lat_a));
}

double geo_distance(struct geo_point a, struct geo_point b) {
	double lat_a = radians(a.lat), lat_b = radians(b.lat);
	double v = sin((radians(b.lon) - radians(a.lon)) / 2);

	if (v == 0) return distance_along_meridian(a.lat, b.lat);
	double u = sin((lat_b - lat_a) / 2);
	return 2 * earth_radius * asin(sqrt(u * u + cos(lat_a) * cos(lat_b) * v * v));
}

static bool box_reaches(const struct geo_area *area, struct geo_point p, double *metres) {
	struct geo_point beside = { area->centre.lon, p.lat };

	if (distance_along_meridian(area->centre.lat, p.lat) > area->height * area->unit / 2) return false;
	if (geo_distance(p, beside) > area->width * area->unit / 2) return false;
	*metres = geo_distance(area->centre, p);
	return true;
}

bool geo_reaches(const struct geo_area *area, struct geo_point p, double *metres) {
	if (area->is_box) return box_reaches(area, p, metres);
	*metres = geo_distance(area->centre, p);
	return !(*metres > area->radius * area->unit);
}

/* ---- Numbers as text ---- */

/* `whole`, a point, and `part` with `digits` digits. */
static size_t put_fixed(char *out, bool negative, uint64_t whole, uint64_t part, unsigned digits) {
	char *p = out;

	if (negative) *p++ = '-';
	p += number_format_u64(p, whole);
	*p++ = '.';
	for (unsigned i = digits; i > 0; part /= 10) p[--i] = (char)('0' + part % 10);
	return (size_t)(p - out) + digits;
}

size_t geo_format_distance(char *out, double distance) {
	/* Rounded behind the multiplication, as Redis does, which seldom gives another last digit than printf. */
	if (!(distance >= 0 && distance < 1e12)) return (size_t)snprintf(out, NUMBER_HUMAN_MAX_CHARS, "%.4f", distance);
	uint64_t n = (uint64_t)llrint(distance * 1e4);
	return put_fixed(out, false, n / 10000, n % 10000, 4);
}

__extension__ typedef unsigned __int128 uint128;

size_t geo_format_degrees(char *out, double degrees) {
	static const uint64_t unit = 100000000000000000u; /* 17 digits */
	double size = fabs(degrees);

	/* What is left has at most 52 bits behind the binary point of which none is lost: printed in integers, ten times as fast
	 * as by printf. */
	if (!(size >= 1 && size < 1024)) return number_format_human(out, degrees);
	uint64_t whole = (uint64_t)size;
	uint128 scaled = (uint128)(uint64_t)((size - (double)whole) * 0x1p52) * unit;
	const uint128 one = (uint128)1 << 52;
	uint128 n = scaled / one, rest = scaled % one;
	if (rest > one / 2 || (rest == one / 2 && n % 2 == 1)) n++;
	if (n == unit) return number_format_human(out, degrees);
	size_t len = put_fixed(out, degrees < 0, whole, (uint64_t)n, 17);
	while (out[len - 1] == '0') len--;
	return out[len - 1] == '.' ? len - 1 : len;
}

/* ---- Covering: the nine cells ---- */

static bool is_inside_grid(struct cell c, unsigned steps) {
	return (c.lat | c.lon) >> steps == 0;
}

/* Half the area's height, and half its width; metres. */
static double half_height(const struct geo_area *area) {
	return area->unit * (area->is_box ? area->height / 2 : area->radius);
}

static double half_width(const struct geo_area *area) {
	return area->unit * (area->is_box ? area->width / 2 : area->radius);
}

/* What the cells have to reach. Meridians come together towards the poles, so the width is taken where the area needs the most
 * degrees for it: at its edge that is nearer to the pole. */
static struct edges bounds_of(const struct geo_area *area) {
	double high = degrees(half_height(area) / earth_radius);
	double edge = area->centre.lat < 0 ? area->centre.lat - high : area->centre.lat + high;
	double wide = degrees(half_width(area) / earth_radius / cos(radians(edge)));

	return (struct edges){ area->centre.lat - high, area->centre.lat + high, area->centre.lon - wide,
		area->centre.lon + wide };
}

/* How fine the grid may be so that nine cells cover the radius. */
static unsigned steps_for(double radius_metres, double lat) {
	static const double mercator_half_width = 20037726.37; /* metres */
	int steps = 1;

	if (radius_metres == 0) return GEO_STEPS;
	for (; radius_metres < mercator_half_width; steps++) radius_metres *= 2;
	/* Two less, so that the centre's neighbours reach far enough wherever in its cell the centre lies. */
	steps -= 2;
	/* Cells become narrow towards the poles. */
	if (lat > 66 || lat < -66) steps--;
	if (lat > 80 || lat < -80) steps--;
	if (steps < 1) return 1;
	return steps > GEO_STEPS ? GEO_STEPS : (unsigned)steps;
}

/* The radius of the circle around the area. */
static double reach_of(const struct geo_area *area) {
	if (!area->is_box) return area->radius * area->unit;
	double w = area->width / 2, h = area->height / 2;
	return sqrt(w * w + h * h) * area->unit;
}

/* The neighbour, around the world where need be. A coordinate that stays is left as it is, even beyond the grid. */
static struct cell neighbour(struct cell c, int rows, int columns, unsigned steps) {
	uint32_t mask = ((uint32_t)1 << steps) - 1;

	if (rows) c.lat = (c.lat + (uint32_t)rows) & mask;
	if (columns) c.lon = (c.lon + (uint32_t)columns) & mask;
	return c;
}

/* Whether the neighbours end before the bounds on some side: then the grid must be coarser. */
static bool is_too_fine(struct cell centre, unsigned steps, const struct edges *bounds) {
	return edges_of(neighbour(centre, 1, 0, steps), steps).north < bounds->north ||
	       edges_of(neighbour(centre, -1, 0, steps), steps).south > bounds->south ||
	       edges_of(neighbour(centre, 0, 1, steps), steps).east < bounds->east ||
	       edges_of(neighbour(centre, 0, -1, steps), steps).west > bounds->west;
}

/* In the order in which they are searched. */
static const struct {
	int rows, columns;
} around[9] = { { 0, 0 }, { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 }, { 1, 1 }, { 1, -1 }, { -1, 1 }, { -1, -1 } };

static struct geo_range range_of(struct cell c, unsigned steps) {
	unsigned shift = 2 * (GEO_STEPS - steps);
	uint64_t bits = bits_of(c);

	return (struct geo_range){ (double)(bits << shift), (double)((bits + 1) << shift) };
}

static void choose_cells(const struct geo_area *area, const struct edges *bounds, struct geo_cover *cover) {
	unsigned steps = steps_for(reach_of(area), area->centre.lat);
	struct cell centre = cell_of(area->centre, &mercator, steps);
	if (steps > 1 && is_too_fine(centre, steps, bounds)) {
		steps--;
		centre = cell_of(area->centre, &mercator, steps);
	}
	struct edges own = edges_of(centre, steps);
	/* On the coarsest grid there is nothing to leave out. */
	bool all = steps < 2;

	cover->count = 0;
	for (unsigned i = 0; i < 9; i++) {
		int rows = around[i].rows, columns = around[i].columns;
		if (!all && rows < 0 && own.south < bounds->south) continue;
		if (!all && rows > 0 && own.north > bounds->north) continue;
		if (!all && columns < 0 && own.west < bounds->west) continue;
		if (!all && columns > 0 && own.east > bounds->east) continue;
		struct geo_range r = range_of(neighbour(centre, rows, columns, steps), steps);
		/* On the coarsest grid a cell is its neighbour's neighbour. */
		if (cover->count > 0 && r.from == cover->ranges[cover->count - 1].from) continue;
		cover->ranges[cover->count++] = r;
	}
}

/* ---- Covering: the sieve ---- */

/* Rounding moves a bound by far less than this many degrees; it is a tenth of a millimetre. */
static const double margin = 1e-9;

/* The widest difference in longitude, in degrees, at which a place can be in the area; 180 for no limit. `high` is half the
 * area's height in degrees. */
static double widest(const struct geo_area *area, double high) {
	double lat = fabs(area->centre.lat), angle = half_width(area) / earth_radius, sine;

	if (!(lat + high < 90) || !(angle < M_PI / 2)) return GEO_LON_MAX;
	/* The meridians that touch a circle; for a box, those that its width reaches on the parallel nearest to the pole. Both
	 * from the haversine formula. */
	if (!area->is_box) {
		sine = sin(angle) / cos(radians(lat));
		return sine < 1 ? degrees(asin(sine)) : GEO_LON_MAX;
	}
	sine = sin(angle / 2) / cos(radians(lat + high));
	return sine < 1 ? degrees(2 * asin(sine)) : GEO_LON_MAX;
}

/* The row or column of a coordinate, one of the outermost when it lies outside. */
static uint32_t grid_index(double value, double max) {
	double index = (value + max) / (2 * max) * (1 << GEO_STEPS);

	if (!(index > 0)) return 0;
	return index < (1 << GEO_STEPS) - 1 ? (uint32_t)index : (1 << GEO_STEPS) - 1;
}

/* Cells are decided on by their middle, so every bound is moved out by one of them. */
static void make_sieve(const struct geo_area *area, struct geo_cover *cover) {
	const uint32_t mask = (1 << GEO_STEPS) - 1;
	double high = degrees(half_height(area) / earth_radius);
	double wide = widest(area, high) + margin;
	double lat = area->centre.lat, lon = area->centre.lon;
	uint32_t south = 0, north = mask;

	if (high < 180) {
		south = grid_index(lat - high - margin, GEO_LAT_MAX);
		north = grid_index(lat + high + margin, GEO_LAT_MAX);
		if (south > 0) south--;
		if (north < mask) north++;
	}
	cover->_lat_first = south;
	cover->_lat_span = north - south;
	cover->_lon_first = 0;
	cover->_lon_span = mask;
	if (wide < GEO_LON_MAX - 1) {
		double west = lon - wide, columns = 2 * wide / 360 * (1 << GEO_STEPS);
		if (west < -GEO_LON_MAX) west += 360;
		cover->_lon_first = (grid_index(west, GEO_LON_MAX) - 1) & mask;
		cover->_lon_span = (uint32_t)columns + 4;
	}
}

bool geo_cover_may_have(const struct geo_cover *cover, uint64_t hash) {
	const uint32_t mask = (1 << GEO_STEPS) - 1;
	struct cell c = cell_of_bits(hash);

	if (!is_inside_grid(c, GEO_STEPS)) return true;
	return c.lat - cover->_lat_first <= cover->_lat_span &&
	       ((c.lon - cover->_lon_first) & mask) <= cover->_lon_span;
}

void geo_cover(const struct geo_area *area, struct geo_cover *cover) {
	struct edges bounds = bounds_of(area);

	choose_cells(area, &bounds, cover);
	make_sieve(area, cover);
}
