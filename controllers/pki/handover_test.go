package pki

import (
	"crypto/x509"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules/seal"
)

// Two replicas read a new key at different times. An address that one of them gave out is good at the other at every moment.
func TestAReplicaThatReadTheNewKeyFirstGivesOutNoAddressThatOthersDoNotKnow(t *testing.T) {
	cert, key := generate(t, t0)
	newCert, newKey := generate(t, t0)
	at := &clock{t0}
	early, err := New("ns", cert, key, at.Now)
	if err != nil {
		t.Fatal(err)
	}
	late, err := New("ns", cert, key, at.Now)
	if err != nil {
		t.Fatal(err)
	}
	adopt := func(a *Authority) {
		state, err := readCA(append(cert, newCert...), newKey, at.now)
		if err != nil {
			t.Fatal(err)
		}
		a.adopt(state)
	}
	const digest = "ab"
	first := seal.New(early.ModuleKeys, nil).Path(digest)
	agree := func(when string) {
		t.Helper()
		for _, pair := range [][2]*Authority{{early, late}, {late, early}} {
			path := seal.New(pair[0].ModuleKeys, nil).Path(digest)
			a, b := pair[1].ModuleKeys()
			if path != seal.New(func() ([]byte, []byte) { return a, nil }, nil).Path(digest) &&
				(b == nil || path != seal.New(func() ([]byte, []byte) { return b, nil }, nil).Path(digest)) {
				t.Errorf("%s: a replica gives out an address that the other does not know", when)
			}
		}
	}
	agree("before")
	adopt(early)
	agree("one replica has read the new key")
	at.now = at.now.Add(2 * ReloadEvery)
	agree("the other missed it once")
	adopt(late)
	for range 5 {
		agree("both have read it")
		at.now = at.now.Add(ReloadEvery)
	}
	for name, a := range map[string]*Authority{"early": early, "late": late} {
		if seal.New(a.ModuleKeys, nil).Path(digest) == first {
			t.Errorf("%s: the former key still signs", name)
		}
	}
}

func TestWhoLooksAtClientsIsToldWhenTheirCAIsDropped(t *testing.T) {
	cert, key := generate(t, t0)
	newCert, newKey := generate(t, t0)
	a, err := New("ns", cert, key, (&clock{t0}).Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.newLeaf(nil, GatewayURI+"default/edge", x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	chain := []*x509.Certificate{l.cert.Leaf}
	var told []error
	a.OnChange(func() { told = append(told, a.CheckClient(chain)) })
	for _, pem := range [][]byte{append(cert, newCert...), append(cert, newCert...), newCert} {
		state, err := readCA(pem, newKey, t0)
		if err != nil {
			t.Fatal(err)
		}
		a.adopt(state)
	}
	if len(told) != 2 || told[0] != nil || told[1] == nil {
		t.Errorf("told %v, want twice: that the client is good, and that it is not", told)
	}
}
