package wasmtest

// ZigVersion is for the test that compares it with the Makefile's.
const ZigVersion = zigVersion
