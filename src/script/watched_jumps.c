/* Only for ThreadSanitizer. Debian's Lua leaves its protected calls by way of __longjmp_chk, the checked form of longjmp, which the
 * sanitizer does not know: it would go on believing in the calls that were left, until its own stack of them is full. */
#include <setjmp.h>

#include "base/sanitize.h"

#if TARN_TSAN
/* The C library's, which is told by name only. */
void __longjmp_chk(jmp_buf buffer, int value) __attribute__((noreturn));

void __longjmp_chk(jmp_buf buffer, int value) {
	longjmp(buffer, value);
}
#endif
