/* The reader of configuration files against arbitrary bytes. Whatever it accepts must also survive CONFIG REWRITE: written
 * into an empty file it gives the same settings. Includes are not followed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "settings/config_file.h"
#include "settings/config_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct settings *a, const struct settings *b) {
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (!(settings_table[i].flags & SETTING_FILE_ONLY) && !setting_equal(&settings_table[i], a, b)) abort();
	}
}

static void check_rewrite(const struct config *config) {
	struct settings again;
	struct buffer text = { 0 };
	struct buffer error = { 0 };
	if (!config_rewrite_text(config, "fuzz", slice_of(NULL, 0), &text, &error)) abort();
	settings_init(&again, config->start_dir);
	if (!config_read_text(&again, buffer_slice(&text), "fuzz", 0, config->start_dir, &error)) abort();
	check_same(&config->values, &again);
	settings_release(&again);
	buffer_release(&text);
	buffer_release(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct config config;
	struct buffer error = { 0 };
	config_init(&config);
	struct slice text = slice_of(data, size);
	if (config_read_text(&config.values, text, "fuzz", 0, config.start_dir, &error))
		check_rewrite(&config);
	else if (error.len == 0)
		abort();
	buffer_release(&error);
	config_release(&config);
	return 0;
}
