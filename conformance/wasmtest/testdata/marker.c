// marker is an HTTP plugin that leaves its name on requests (x-plugins) and responses (x-plugins-response), behind the names
// that are already there, so that a test sees which plugins ran and in which order.
#include "proxywasm.h"

IMPORT(proxy_get_header_map_value)
uint32_t proxy_get_header_map_value(uint32_t map, const char *key, size_t key_size, char **data, size_t *size);
IMPORT(proxy_replace_header_map_value)
uint32_t proxy_replace_header_map_value(uint32_t map, const char *key, size_t key_size, const char *data, size_t size);
IMPORT(proxy_get_shared_data)
uint32_t proxy_get_shared_data(const char *key, size_t key_size, char **data, size_t *size, uint32_t *cas);
IMPORT(proxy_set_shared_data)
uint32_t proxy_set_shared_data(const char *key, size_t key_size, const char *data, size_t size, uint32_t cas);
IMPORT(proxy_get_current_time_nanoseconds) uint32_t proxy_get_current_time_nanoseconds(uint64_t *now);

typedef struct {
  char version[128];
  char property[128];
  bool trap;
} settings;

// busy_once imitates a module that is slow to compile: the first start in a VM takes its time, the copies for the workers
// do not. Shared data belongs to the VM's identity, so it tells the first one.
static void busy_once(context *plugin, uint64_t millis) {
  char *seen = NULL;
  size_t size = 0;
  uint32_t cas = 0;
  if (proxy_get_shared_data(plugin->name, strlen(plugin->name), &seen, &size, &cas) == STATUS_OK) {
    free(seen);
    return;
  }
  proxy_set_shared_data(plugin->name, strlen(plugin->name), "1", 1, 0);
  uint64_t start = 0, now = 0;
  proxy_get_current_time_nanoseconds(&start);
  do proxy_get_current_time_nanoseconds(&now);
  while (now - start < millis * 1000000);
}

EXPORT(proxy_on_configure) uint32_t proxy_on_configure(uint32_t id, uint32_t size) {
  context *plugin = find_context(id);
  text json = read_config(plugin, size);
  settings *s = plugin->own ? plugin->own : calloc(1, sizeof *s);
  if (!s) __builtin_trap();
  plugin->own = s;
  copy_text(s->version, sizeof s->version, json_field(json, "version"));
  copy_text(s->property, sizeof s->property, json_field(json, "property"));
  s->trap = json_true(json, "trap");
  uint64_t slow = json_number(json, "slowStartMillis");
  bool refuse = json_true(json, "refuse");
  free((void *)json.data);
  if (refuse) {
    log_text(LOG_CRITICAL, "marker: refuses its configuration, as it says: ", plugin->name);
    return 0;
  }
  if (slow) busy_once(plugin, slow);
  return 1;
}

// append_name writes the plugin's name behind what the header already has.
static void append_name(uint32_t map, const char *header, const char *name) {
  char *old = NULL;
  size_t size = 0, n = strlen(name);
  if (proxy_get_header_map_value(map, header, strlen(header), &old, &size) != STATUS_OK) size = 0;
  char *all = malloc(size + 1 + n);
  if (!all) __builtin_trap();
  if (size) {
    memcpy(all, old, size);
    all[size++] = ',';
  }
  memcpy(all + size, name, n);
  proxy_replace_header_map_value(map, header, strlen(header), all, size + n);
  free(all);
  free(old);
}

EXPORT(proxy_on_request_headers) uint32_t proxy_on_request_headers(uint32_t id, uint32_t count, uint32_t end) {
  context *stream = find_context(id);
  settings *s = stream->plugin->own;
  if (s->trap) __builtin_trap();
  append_name(MAP_REQUEST_HEADERS, "x-plugins", stream->plugin->name);
  size_t size = 0;
  char *value = read_property(s->property, &size);
  if (size) proxy_replace_header_map_value(MAP_REQUEST_HEADERS, "x-property", 10, value, size);
  free(value);
  return ACTION_CONTINUE;
}

EXPORT(proxy_on_response_headers) uint32_t proxy_on_response_headers(uint32_t id, uint32_t count, uint32_t end) {
  context *plugin = find_context(id)->plugin;
  append_name(MAP_RESPONSE_HEADERS, "x-plugins-response", plugin->name);
  const char *version = ((settings *)plugin->own)->version;
  if (!*version) return ACTION_CONTINUE;
  char header[160] = "x-plugin-version-";
  size_t n = strlen(header);
  for (const char *c = plugin->name; *c; c++) {
    char small = *c >= 'A' && *c <= 'Z' ? *c + 32 : *c;
    header[n++] = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9') ? small : '-';
  }
  proxy_replace_header_map_value(MAP_RESPONSE_HEADERS, header, n, version, strlen(version));
  return ACTION_CONTINUE;
}
