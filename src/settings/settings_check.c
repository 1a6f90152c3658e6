/* What single settings ask of their values beyond their type; named by `check` in settings.toml. */
#include "settings/settings_private.h"

#include <locale.h>

enum { BIND_ADDRESSES_MAX = 16, HOSTNAME_MAX = 256, HZ_MIN = 1, HZ_MAX = 500, BACKLOG_MIN = 16 * 1024 };

bool setting__check_backlog(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s, (void)error;
	uint64_t *bytes = field;
	if (*bytes < BACKLOG_MIN) *bytes = BACKLOG_MIN;
	return true;
}

bool setting__check_bind_addresses(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const struct settings_words *words = field;
	if (words->count > BIND_ADDRESSES_MAX) return setting__refuse(error, "Too many bind addresses specified.");
	return true;
}

/* A name in a folder that another setting names must not lead out of it. */
bool setting__check_file_name(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	const char *name = *(char **)field;
	if (strchr(name, '/') != NULL) return setting__refuse(error, "%s can't be a path, just a filename", s->name);
	return true;
}

bool setting__check_file_name_given(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	const char *name = *(char **)field;
	if (name[0] == '\0') return setting__refuse(error, "%s can't be empty", s->name);
	return setting__check_file_name(s, field, error);
}

bool setting__check_hostname(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const char *name = *(char **)field;
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	if (strlen(name) >= HOSTNAME_MAX) return setting__refuse(error, "Hostnames must be less than 256 characters");
	if (name[strspn(name, allowed)] != '\0') {
		return setting__refuse(error, "Hostnames may only contain alphanumeric characters, hyphens or dots");
	}
	return true;
}

/* Empty is the environment's, which is not ours to judge. */
bool setting__check_locale(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const char *name = *(char **)field;
	if (name[0] == '\0') return true;
	locale_t found = newlocale(LC_COLLATE_MASK, name, (locale_t)0);
	if (found == (locale_t)0) return setting__refuse(error, "Invalid locale name");
	freelocale(found);
	return true;
}

/* These characters separate and quote in what nodes of a cluster tell each other. */
bool setting__check_node_name(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const char *name = *(char **)field;
	if (name[strcspn(name, "!#$%&()*+:;<>?@[]^{|}~")] == '\0') return true;
	return setting__refuse(error, "Announced human node name contained invalid character");
}

bool setting__check_hz(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s, (void)error;
	int64_t *hz = field;
	if (*hz < HZ_MIN) *hz = HZ_MIN;
	if (*hz > HZ_MAX) *hz = HZ_MAX;
	return true;
}

bool setting__check_shutdown_flags(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const uint32_t *flags = field;
	uint32_t both = SHUTDOWN_ON_SAVE | SHUTDOWN_ON_NOSAVE;
	if ((*flags & both) == both) {
		return setting__refuse(error, "shutdown options SAVE and NOSAVE can't be used simultaneously");
	}
	return true;
}

static bool is_title_variable(struct slice name) {
	static const char *const known[] = {
		"title",
		"listen-addr",
		"server-mode",
		"port",
		"tls-port",
		"unixsocket",
		"config-file",
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_equal(name, slice_of_cstr(known[i]))) return true;
	}
	return false;
}

bool setting__check_title_template(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	const char *at = *(char **)field;
	bool good = *at != '\0';
	while (good && (at = strchr(at, '{')) != NULL) {
		const char *end = strchr(at, '}');
		good = end != NULL && is_title_variable(slice_of(at + 1, (size_t)(end - at - 1)));
		if (good) at = end;
	}
	if (!good) return setting__refuse(error, "template format is invalid or contains unknown variables");
	return true;
}
