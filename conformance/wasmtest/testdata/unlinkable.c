// unlinkable is a well-formed proxy-wasm module that imports a function that no proxy has, so Envoy refuses to load it.
#include <stdint.h>

__attribute__((import_module("env"), import_name("proxy_no_such_function"))) int32_t no_such_function(int32_t);

__attribute__((export_name("proxy_abi_version_0_2_1"))) void proxy_abi_version_0_2_1(void) {}
__attribute__((export_name("proxy_on_vm_start"))) int32_t proxy_on_vm_start(uint32_t id, uint32_t size) { return no_such_function(1); }
__attribute__((export_name("proxy_on_memory_allocate"))) void *proxy_on_memory_allocate(uint32_t n) { return 0; }
