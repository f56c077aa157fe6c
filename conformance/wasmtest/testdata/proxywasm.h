// The part of proxy-wasm ABI 0.2.1 that the test modules use, and what they share. One module is one C file, so everything
// here is static.
#ifndef PROXYWASM_H
#define PROXYWASM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

enum { STATUS_OK = 0 };
enum { LOG_INFO = 2, LOG_CRITICAL = 5 };
enum { ACTION_CONTINUE = 0 };
enum { MAP_REQUEST_HEADERS = 0, MAP_RESPONSE_HEADERS = 2 };
enum { BUFFER_DOWNSTREAM = 2, BUFFER_UPSTREAM = 3, BUFFER_PLUGIN_CONFIG = 7 };

IMPORT(proxy_log) uint32_t proxy_log(uint32_t level, const char *text, size_t size);
IMPORT(proxy_get_buffer_bytes)
uint32_t proxy_get_buffer_bytes(uint32_t type, size_t start, size_t length, char **data, size_t *size);
IMPORT(proxy_get_property)
uint32_t proxy_get_property(const char *path, size_t path_size, char **data, size_t *size);

EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version(void) {}
EXPORT(proxy_on_memory_allocate) void *proxy_on_memory_allocate(size_t size) { return malloc(size); }
EXPORT(proxy_on_vm_start) uint32_t proxy_on_vm_start(uint32_t context, uint32_t size) { return 1; }

// A text that somebody else owns.
typedef struct {
  const char *data;
  size_t size;
} text;

// A context is a configured plugin (parent 0) or a stream of one. Equal modules share a VM, so there are many of both.
typedef struct context {
  uint32_t id;
  struct context *plugin;  // of a stream; NULL in a plugin
  struct context *next;    // in its bucket
  char name[128];          // of a plugin
  void *own;               // the module's own state of a plugin or stream
} context;

enum { BUCKETS = 1024 };
static context *contexts[BUCKETS];

static context *find_context(uint32_t id) {
  context *c = contexts[id % BUCKETS];
  while (c && c->id != id) c = c->next;
  return c;
}

EXPORT(proxy_on_context_create) void proxy_on_context_create(uint32_t id, uint32_t parent) {
  if (find_context(id)) return;
  context *c = calloc(1, sizeof *c);
  if (!c) __builtin_trap();
  c->id = id;
  c->plugin = parent ? find_context(parent) : NULL;
  c->next = contexts[id % BUCKETS];
  contexts[id % BUCKETS] = c;
}

EXPORT(proxy_on_done) uint32_t proxy_on_done(uint32_t id) { return 1; }

EXPORT(proxy_on_delete) void proxy_on_delete(uint32_t id) {
  for (context **c = &contexts[id % BUCKETS]; *c; c = &(*c)->next) {
    if ((*c)->id != id) continue;
    context *gone = *c;
    *c = gone->next;
    free(gone->own);
    free(gone);
    return;
  }
}

static void log_text(uint32_t level, const char *a, const char *b) {
  char line[256];
  size_t n = strlen(a), m = strlen(b);
  if (n + m > sizeof line) return;
  memcpy(line, a, n);
  memcpy(line + n, b, m);
  proxy_log(level, line, n + m);
}

// json_field finds a field of the outermost object: a string's content (escapes are left alone), or the text of a number or
// boolean. The data is empty if there is none.
static text json_field(text json, const char *key) {
  text none = {NULL, 0};
  int depth = 0;
  size_t key_size = strlen(key);
  for (size_t i = 0; i < json.size; i++) {
    char c = json.data[i];
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (c != '"') continue;
    size_t start = ++i;
    while (i < json.size && json.data[i] != '"') i += json.data[i] == '\\' ? 2 : 1;
    if (i >= json.size) return none;
    bool equal = depth == 1 && i - start == key_size && !memcmp(json.data + start, key, key_size);
    size_t v = i + 1;
    while (v < json.size && (json.data[v] == ' ' || json.data[v] == '\n' || json.data[v] == '\t' || json.data[v] == '\r')) v++;
    if (!equal || v >= json.size || json.data[v] != ':') continue;  // another name, or a value
    v++;
    while (v < json.size && (json.data[v] == ' ' || json.data[v] == '\n' || json.data[v] == '\t' || json.data[v] == '\r')) v++;
    bool quoted = v < json.size && json.data[v] == '"';
    size_t end = v += quoted;
    while (end < json.size && (quoted ? json.data[end] != '"' : !strchr(",} \t\r\n", json.data[end]))) {
      end += quoted && json.data[end] == '\\' ? 2 : 1;
    }
    if (end > json.size) return none;
    text value = {json.data + v, end - v};
    return value;
  }
  return none;
}

static bool json_true(text json, const char *key) {
  text v = json_field(json, key);
  return v.size == 4 && !memcmp(v.data, "true", 4);
}

static bool json_false(text json, const char *key) {
  text v = json_field(json, key);
  return v.size == 5 && !memcmp(v.data, "false", 5);
}

static uint64_t json_number(text json, const char *key) {
  text v = json_field(json, key);
  uint64_t n = 0;
  for (size_t i = 0; i < v.size && v.data[i] >= '0' && v.data[i] <= '9'; i++) n = n * 10 + (uint64_t)(v.data[i] - '0');
  return n;
}

static void copy_text(char *to, size_t room, text from) {
  size_t n = from.size < room - 1 ? from.size : room - 1;
  if (n) memcpy(to, from.data, n);
  to[n] = 0;
}

// read_property gives what the proxy knows under a path such as "source/address", which the caller frees; size is 0 if there
// is nothing.
static char *read_property(const char *path, size_t *size) {
  char with_nuls[128], *value = NULL;
  size_t n = strlen(path);
  *size = 0;
  if (!n || n > sizeof with_nuls) return NULL;
  for (size_t i = 0; i < n; i++) with_nuls[i] = path[i] == '/' ? 0 : path[i];
  if (proxy_get_property(with_nuls, n, &value, size) != STATUS_OK) *size = 0;
  return value;
}

// read_config reads the plugin's configuration (the caller frees its data) and sets the plugin's name: the field name, or
// else the name that the proxy knows the plugin by.
static text read_config(context *plugin, uint32_t size) {
  char *data = NULL;
  text json = {NULL, 0};
  if (size && proxy_get_buffer_bytes(BUFFER_PLUGIN_CONFIG, 0, size, &data, &json.size) == STATUS_OK) json.data = data;
  text name = json_field(json, "name");
  char *own = NULL;
  if (!name.size && proxy_get_property("plugin_name", 11, &own, &name.size) == STATUS_OK) name.data = own;
  copy_text(plugin->name, sizeof plugin->name, name);
  free(own);
  return json;
}

#endif
