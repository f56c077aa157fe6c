// Package volumes makes what a Pod's volumes hold: configMap, secret, downwardAPI, emptyDir and projected ones, with tokens
// of ServiceAccounts that are bound to the Pod; and writes it the way kubelet does, so that a reader sees either the old
// files or the new ones.
package volumes
