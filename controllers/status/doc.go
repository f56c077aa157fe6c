// Package status computes what wasmpoint says about plugins: a pure function from verdicts, module state and proxy
// counts to conditions (Build), and to the rows that the admin endpoint shows (NewPluginRow).
//
// Status is a value: no map of pointers, no memory between calls. Whoever writes it to an API server passes the status
// that stands there as Previous and gets back what should stand there next, with the entries of other controllers left
// alone. Time is a parameter.
package status
