/* LOLWUT: a tarn, which is a small lake in the mountains, never the same twice. */
#include "base/random.h"
#include "commands/generated/command_handlers.h"

enum {
	COLUMNS = 64, /* plus one, so that halving a span ends well */
	SKY = 14,     /* rows above the water */
	LAKE = 7,     /* rows of water, each showing two of the sky */
};

/* A ridge by midpoint displacement: the height between two known ones is their mean and a bit of chance. */
static void raise_ridge(int height[COLUMNS + 1]) {
	height[0] = (int)random_below(SKY / 2) + 3;
	height[COLUMNS] = (int)random_below(SKY / 2) + 3;
	for (int span = COLUMNS, rough = SKY; span > 1; span /= 2, rough = rough * 5 / 9) {
		for (int at = span / 2; at < COLUMNS; at += span) {
			int mean = (height[at - span / 2] + height[at + span / 2]) / 2;
			int bump = rough > 0 ? (int)random_below((uint64_t)rough * 2 + 1) - rough : 0;
			int h = mean + bump;
			height[at] = h < 1 ? 1 : h > SKY - 2 ? SKY - 2 : h;
		}
	}
}

static char sky_cell(const int *height, int x, int above) {
	int h = height[x], left = height[x > 0 ? x - 1 : x], right = height[x + 1];
	if (above < h - 1) return above >= SKY / 2 ? ' ' : random_below(9) ? ' ' : '.';
	if (above == h - 1) return left < h && right >= h ? '/' : right < h && left >= h ? '\\' : right < h ? '^' : '_';
	return random_below(70) ? ' ' : above > SKY - 4 ? '*' : '.';
}

static void draw_mountains(struct buffer *picture, const int *height) {
	for (int above = SKY - 1; above >= 0; above--) {
		for (int x = 0; x < COLUMNS; x++) buffer_append_char(picture, sky_cell(height, x, above));
		buffer_append_char(picture, '\n');
	}
}

/* The mountains upside down, broken by ripples that grow towards the shore in front. */
static void draw_lake(struct buffer *picture, const int *height) {
	for (int row = 0; row < LAKE; row++) {
		for (int x = 0; x < COLUMNS; x++) {
			bool mirrored = row * 2 < height[x];
			bool ripple = random_below((uint64_t)LAKE * 2) < (uint64_t)row + 2;
			buffer_append_char(picture, ripple ? '~' : mirrored ? ':' : ' ');
		}
		buffer_append_char(picture, '\n');
	}
}

void cmd_lolwut(struct call *c) {
	/* VERSION chooses among pictures; there is one so far, and it stands in for every number. */
	int64_t version;
	if (c->argc >= 3 && call_word(c, 1, "version") && !call_int(c, 2, &version, NULL)) return;
	int height[COLUMNS + 1];
	struct buffer picture = { 0 };
	raise_ridge(height);
	draw_mountains(&picture, height);
	draw_lake(&picture, height);
	buffer_appendf(&picture, "\nA tarn: still water, high up.\nRedis ver. %s as clients see it, Tarn ver. %s\n",
		TARN_REDIS_VERSION, TARN_VERSION);
	reply_verbatim(c->reply, "txt", buffer_slice(&picture));
	buffer_release(&picture);
}
