#include "tools/cli_uri.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/number.h"

static int hex_value(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* A copy with %HH resolved, or NULL when a % is followed by something else. */
static char *percent_decoded(struct slice text) {
	char *out = mem_alloc(text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '%') {
			out[len++] = text.ptr[i];
			continue;
		}
		int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
		int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
		if (high < 0 || low < 0) {
			mem_free(out);
			return NULL;
		}
		out[len++] = (char)(high * 16 + low);
		i += 2;
	}
	out[len] = '\0';
	return out;
}

static struct slice until(const char *start, const char *end) {
	return slice_of(start, (size_t)(end - start));
}

static bool parse_login(struct slice login, struct cli_uri *uri) {
	const char *colon = memchr(login.ptr, ':', login.len);
	const char *end = login.ptr + login.len;
	if (!colon) {
		uri->password = percent_decoded(login);
		return uri->password != NULL;
	}
	if (colon > login.ptr && !(uri->user = percent_decoded(until(login.ptr, colon)))) return false;
	uri->password = percent_decoded(until(colon + 1, end));
	return uri->password != NULL;
}

/* host, host:port, [v6] or [v6]:port; each half may be missing. */
static const char *parse_address(struct slice address, struct cli_uri *uri) {
	const char *end = address.ptr + address.len;
	const char *colon = memrchr(address.ptr, ':', address.len);
	struct slice host = address;
	int64_t port;
	if (address.len > 0 && address.ptr[0] == '[') {
		const char *bracket = memchr(address.ptr, ']', address.len);
		if (!bracket) return "Invalid URI: '[' without ']'";
		host = until(address.ptr + 1, bracket);
		colon = bracket + 1 < end ? bracket + 1 : NULL;
		if (colon && *colon != ':') return "Invalid URI: expected ':' behind ']'";
	} else if (colon) {
		host = until(address.ptr, colon);
	}
	if (colon) {
		if (!number_parse_i64(until(colon + 1, end), &port) || port < 1 || port > 65535)
			return "Invalid URI port";
		uri->port = (int)port;
	}
	if (host.len == 0) return NULL;
	uri->host = percent_decoded(host);
	return uri->host ? NULL : "Invalid URI: '%' wants two hex digits";
}

static const char *parse_db(const char *path, struct cli_uri *uri) {
	int64_t db;
	size_t len = strcspn(path, "?#/");
	if (len == 0) return NULL;
	if (!number_parse_i64(slice_of(path, len), &db) || db < 0 || db > INT32_MAX)
		return "Invalid URI database number";
	uri->has_db = true;
	uri->db = (int)db;
	return NULL;
}

static const char *parse(const char *text, struct cli_uri *uri) {
	static const char plain[] = "redis://", tls[] = "rediss://";
	if (strncasecmp(text, tls, strlen(tls)) == 0)
		return "rediss:// needs TLS, which this tarn-cli was built without";
	if (strncasecmp(text, plain, strlen(plain)) != 0) return "Invalid URI scheme";
	text += strlen(plain);
	size_t authority = strcspn(text, "/?#");
	const char *at = memrchr(text, '@', authority);
	const char *end = text + authority;
	if (at && !parse_login(until(text, at), uri)) return "Invalid URI: '%' wants two hex digits";
	const char *wrong = parse_address(until(at ? at + 1 : text, end), uri);
	if (wrong || *end != '/') return wrong;
	return parse_db(end + 1, uri);
}

const char *cli_uri_parse(const char *text, struct cli_uri *uri) {
	*uri = (struct cli_uri){ 0 };
	const char *wrong = parse(text, uri);
	if (wrong) cli_uri_release(uri);
	return wrong;
}

void cli_uri_release(struct cli_uri *uri) {
	mem_free(uri->user);
	mem_free(uri->password);
	mem_free(uri->host);
	*uri = (struct cli_uri){ 0 };
}
