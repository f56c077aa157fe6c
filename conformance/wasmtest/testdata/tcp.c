// tcp is a network plugin that lets everything through and writes "[name]" in front of the first bytes of a connection,
// behind the marks of the plugins before it, or "[name:value]" with the value of a property of the connection.
#include "proxywasm.h"

IMPORT(proxy_set_buffer_bytes)
uint32_t proxy_set_buffer_bytes(uint32_t type, size_t start, size_t length, const char *data, size_t size);

// What a plugin marks, and what a stream has marked.
typedef struct {
  bool downstream, upstream;
  char property[128];  // of a plugin
} directions;

static directions *own(context *c) {
  if (!c->own && !(c->own = calloc(1, sizeof(directions)))) __builtin_trap();
  return c->own;
}

EXPORT(proxy_on_configure) uint32_t proxy_on_configure(uint32_t id, uint32_t size) {
  context *plugin = find_context(id);
  text json = read_config(plugin, size);
  own(plugin)->downstream = !json_false(json, "downstream");
  own(plugin)->upstream = json_true(json, "upstream");
  copy_text(own(plugin)->property, sizeof own(plugin)->property, json_field(json, "property"));
  bool refuse = json_true(json, "refuse");
  free((void *)json.data);
  if (refuse) log_text(LOG_CRITICAL, "tcp: refuses its configuration, as it says: ", plugin->name);
  return !refuse;
}

EXPORT(proxy_on_new_connection) uint32_t proxy_on_new_connection(uint32_t id) {
  log_text(LOG_INFO, "tcp: new connection: ", find_context(id)->plugin->name);
  return ACTION_CONTINUE;
}

static void mark(uint32_t buffer, context *plugin, uint32_t size) {
  char *old = NULL;
  size_t n = strlen(plugin->name), got = 0, m = 0;
  if (proxy_get_buffer_bytes(buffer, 0, size, &old, &got) != STATUS_OK) return;
  char *value = read_property(own(plugin)->property, &m);
  size_t at = 0;
  for (size_t i = 0; i < got && old[at] == '['; i++) {
    if (old[i] == ']') at = i + 1;
    if (at == got) break;
  }
  char *all = malloc(got + n + m + 3);
  if (!all) __builtin_trap();
  memcpy(all, old, at);
  char *p = all + at;
  *p++ = '[';
  memcpy(p, plugin->name, n);
  p += n;
  if (m) {
    *p++ = ':';
    memcpy(p, value, m);
    p += m;
  }
  *p++ = ']';
  memcpy(p, old + at, got - at);
  proxy_set_buffer_bytes(buffer, 0, got, all, (size_t)(p - all) + got - at);
  free(value);
  free(all);
  free(old);
}

EXPORT(proxy_on_downstream_data) uint32_t proxy_on_downstream_data(uint32_t id, uint32_t size, uint32_t end) {
  context *stream = find_context(id);
  directions *done = own(stream);
  if (size && own(stream->plugin)->downstream && !done->downstream) {
    done->downstream = true;
    mark(BUFFER_DOWNSTREAM, stream->plugin, size);
  }
  return ACTION_CONTINUE;
}

EXPORT(proxy_on_upstream_data) uint32_t proxy_on_upstream_data(uint32_t id, uint32_t size, uint32_t end) {
  context *stream = find_context(id);
  directions *done = own(stream);
  if (size && own(stream->plugin)->upstream && !done->upstream) {
    done->upstream = true;
    mark(BUFFER_UPSTREAM, stream->plugin, size);
  }
  return ACTION_CONTINUE;
}
