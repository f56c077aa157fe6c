package delivery

import "github.com/wasmpoint/wasmpoint/xds/build"

// maxTries bounds the versions that Recognise computes for one slot: some milliseconds.
const maxTries = 5000

// Recognise finds the content behind the version that a reconnected proxy presents. Most likely it holds every plugin's
// best variant; then some plugins in another form: an older variant, the error of their fail strategy, or not at all,
// because the proxy refuses them, or because they changed while no controller was there. Forms that differ in fewer
// plugins are tried first, and only so many of them.
//
// A slot that is not recognised cannot be told from any other content, so it is not touched before everything that it
// shall hold was tried in the lane: a refused plugin beside a good one would hold the good one up.
func Recognise(slot *build.Slot, version string) ([]build.Choice, bool) {
	s := search{version: version}
	for _, e := range slot.Entries {
		s.forms = append(s.forms, forms(e))
	}
	for odd := 0; odd <= len(s.forms) && s.tries < maxTries; odd++ {
		if s.find(0, odd) {
			return s.picked, true
		}
	}
	return nil, false
}

// forms are what may stand in a plugin's place, the likeliest first; nil is nothing.
func forms(e build.Entry) []*build.Choice {
	var out []*build.Choice
	for _, v := range e.Variants {
		out = append(out, &build.Choice{Plugin: e.Plugin, Variant: v})
	}
	deny := &build.Choice{Plugin: e.Plugin}
	if _, include := FailStrategy(e); include {
		return append(out, deny, nil)
	}
	return append(out, nil, deny)
}

// search goes through the combinations of forms.
type search struct {
	version string
	forms   [][]*build.Choice
	picked  []build.Choice
	tries   int
}

// find completes what is picked for the plugins before i with forms for the rest, of which exactly odd are not the
// likeliest.
func (s *search) find(i, odd int) bool {
	if i == len(s.forms) {
		s.tries++
		return build.Version(s.picked) == s.version
	}
	picked := s.picked
	for n, form := range s.forms[i] {
		left := odd
		if n > 0 {
			left--
		}
		if left < 0 || left > len(s.forms)-i-1 || s.tries >= maxTries {
			continue
		}
		s.picked = picked
		if form != nil {
			s.picked = append(picked, *form)
		}
		if s.find(i+1, left) {
			return true
		}
	}
	s.picked = picked
	return false
}
