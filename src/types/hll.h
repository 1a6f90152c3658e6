/* HyperLogLog: how many different elements were added, in 12 KiB at most and with a standard error of 0.81 %.
 *
 * An element is hashed to 64 bits. The low 14 choose one of 16384 registers; the number of zeros at the low end of the
 * other 50, plus one, is what the register keeps when it is larger than what it has (1 to 51, or 0: nothing yet). The
 * distribution of the registers tells the cardinality.
 *
 * The value is an ordinary string, in the format of Redis, byte for byte (RDB files and GET show it):
 *
 *   offset  size  meaning
 *   0       4     "HYLL"
 *   4       1     0: dense, 1: sparse
 *   5       3     not used
 *   8       8     cached cardinality, little-endian; the top bit is set when it is out of date
 *   16            registers
 *
 *   dense: 12288 bytes, 6 bits per register, the first register in the low bits of the first byte.
 *   sparse: runs of registers, one behind the other, 16384 registers in all:
 *       00nnnnnn            ZERO   n + 1 registers (1 to 64) that are 0
 *       01nnnnnn nnnnnnnn   XZERO  n + 1 registers (1 to 16384) that are 0; high bits first
 *       1vvvvvnn            VAL    n + 1 registers (1 to 4) that are v + 1 (1 to 32)
 *
 *   7f ff                 nothing was added
 *   60 f3 80 50 b1 84 …   8436 zeros, a one, 4274 zeros, a two …
 *
 * It grows sparse, until it would take more than hll-sparse-max-bytes or a register exceeds 32; then it becomes dense
 * and stays so. Where runs are split and joined is as in Redis, so that the same calls give the same bytes.
 *
 * Whatever a client wrote with SET or SETRANGE may be here: every call takes any bytes for which hll_is holds, says
 * HLL_CORRUPT where they do not add up, and reads nothing beyond them.
 *
 * Sources: Flajolet et al., "HyperLogLog" (2007); Ertl, "New cardinality estimation algorithms for HyperLogLog
 * sketches" (arXiv 1702.01284), algorithm 6 (the estimate); Appleby's MurmurHash64A (the hash, seed 0xadc83b19). */
#ifndef TARN_TYPES_HLL_H
#define TARN_TYPES_HLL_H

#include "base/buffer.h"
#include "base/bytes.h"

enum {
	HLL_INDEX_BITS = 14,
	HLL_REGISTERS = 1 << HLL_INDEX_BITS,
	HLL_HEADER_BYTES = 16,
	HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8,
	HLL_EMPTY_BYTES = HLL_HEADER_BYTES + 2,
	/* A run of sparse bytes has one register or more and takes two bytes at most, so what is longer is corrupt. */
	HLL_BYTES_MAX = HLL_HEADER_BYTES + 2 * HLL_REGISTERS,
};

enum hll_result {
	HLL_SAME,    /* nothing changed */
	HLL_CHANGED, /* a register grew; the cached cardinality is marked as out of date */
	HLL_CORRUPT, /* the sparse runs do not add up; bytes that were changed before stay changed */
};

/* Whether the bytes are to be taken for a HyperLogLog: header, encoding, and the length when dense. */
bool hll_is(struct slice bytes);
static inline bool hll_is_dense(struct slice bytes) {
	return bytes.ptr[4] == 0;
}

/* The bytes of an HLL to which nothing was added: HLL_EMPTY_BYTES of them, sparse. */
struct slice hll_empty(void);

/* ---- Changing ----
 * `hll` is a buffer with the bytes, hll_is holds. It grows by a few bytes, or to HLL_DENSE_BYTES. Sparse bytes beyond
 * HLL_BYTES_MAX are answered with HLL_CORRUPT. */

/* Adds an element. O(1) when dense, O(bytes) when sparse. */
enum hll_result hll_add(struct buffer *hll, struct slice element, size_t sparse_max);

/* The same for dense bytes in place. Never HLL_CORRUPT. */
enum hll_result hll_add_dense(char *bytes, struct slice element);
/* Whether that would change dense bytes. */
bool hll_would_add_dense(const char *bytes, struct slice element);

/* Makes sparse bytes dense; dense ones stay. HLL_CORRUPT: nothing changed. */
enum hll_result hll_make_dense(struct buffer *hll);

/* ---- Registers, one byte each ---- */

struct hll_registers {
	_Alignas(64) uint8_t value[HLL_REGISTERS];
};

/* Raises each register to that of `hll`; false when it is corrupt, some registers raised. */
__attribute__((warn_unused_result)) bool hll_merge(struct hll_registers *registers, struct slice hll);

/* Raises the registers of `hll` to these. `dense`: it becomes dense even if sparse would do. The cached cardinality is
 * marked as out of date. False when it is corrupt. */
__attribute__((warn_unused_result)) bool hll_raise(
	struct buffer *hll, const struct hll_registers *registers, bool dense, size_t sparse_max);

/* ---- Cardinality ---- */

/* The cached cardinality; false when it is out of date. */
bool hll_cached(struct slice hll, uint64_t *cardinality);
/* Writes it. `bytes` is the HLL's header. */
void hll_cache(char *bytes, uint64_t cardinality);

/* Counts; false when the runs do not add up. O(16384) at most. */
__attribute__((warn_unused_result)) bool hll_count(struct slice hll, uint64_t *cardinality);
uint64_t hll_count_registers(const struct hll_registers *registers);

/* ---- For PFDEBUG and PFSELFTEST ---- */

/* The sparse runs as text: "Z:8436 v:1,1 z:12" (XZERO, VAL, ZERO). Requires !hll_is_dense(hll). */
void hll_describe(struct slice hll, struct buffer *text);

/* Whether merging uses the processor's vector instructions, where it has them (it does by default). Says what holds
 * from now on. Under the world, since it is one switch for all threads. */
bool hll_use_simd(bool wanted);

/* Tests registers, encodings and estimates against each other; NULL, or a text that says what is wrong. Takes tens of
 * milliseconds. */
const char *hll_selftest(void);

#endif
