/* The error texts that client libraries match on, in one place, word for word as Redis 7 says them. */
#ifndef TARN_RESP_ERRORS_H
#define TARN_RESP_ERRORS_H

#define ERR_WRONGTYPE "WRONGTYPE Operation against a key holding the wrong kind of value"
#define ERR_SYNTAX "ERR syntax error"
#define ERR_NO_KEY "ERR no such key"
#define ERR_SAME_OBJECT "ERR source and destination objects are the same"
#define ERR_OUT_OF_RANGE "ERR index out of range"
#define ERR_NOT_INTEGER "ERR value is not an integer or out of range"
#define ERR_NOT_INT32 "ERR value is out of range, value must between -2147483648 and 2147483647"
#define ERR_NOT_LONG "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
#define ERR_NOT_FLOAT "ERR value is not a valid float"
#define ERR_NOT_POSITIVE "ERR value is out of range, must be positive"
#define ERR_OVERFLOW "ERR increment or decrement would overflow"
#define ERR_DECR_OVERFLOW "ERR decrement would overflow"
#define ERR_NAN_OR_INF "ERR increment would produce NaN or Infinity"
#define ERR_STRING_TOO_LONG "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
#define ERR_OFFSET_RANGE "ERR offset is out of range"
#define ERR_BIT_OFFSET "ERR bit offset is not an integer or out of range"
#define ERR_BIT_VALUE "ERR bit is not an integer or out of range"
#define ERR_INVALID_EXPIRE_FMT "ERR invalid expire time in '%s' command"
#define ERR_DB_RANGE "ERR DB index is out of range"
#define ERR_DB_INVALID "ERR invalid DB index"
#define ERR_NOAUTH "NOAUTH Authentication required."
#define ERR_WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."
#define ERR_NOPROTO "NOPROTO unsupported protocol version"
#define ERR_MAXCLIENTS "ERR max number of clients reached"
#define ERR_OOM "OOM command not allowed when used memory > 'maxmemory'."
#define ERR_DEBUG_OFF                                                                                                  \
	"ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from "  \
	"a local "                                                                                                     \
	"connection, otherwise you need to set this option in the configuration file, and then restart the server."
#define ERR_CURSOR "ERR invalid cursor"
#define ERR_REPLY_TOO_LONG "ERR the reply would be longer than proto-max-bulk-len"
#define ERR_NOVALUES "ERR NOVALUES option can only be used in HSCAN"

#endif
