package bookinfo

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func start(t *testing.T, url func() string) *Bookinfo {
	t.Helper()
	b, err := Start(Config{ReviewsURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// get gives the status; into may be nil.
func get(t *testing.T, url string, into any, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

func TestProductpageShowsTheReviewsAndForwardsTheCredentials(t *testing.T) {
	var authorization string
	reviews, err := serve("127.0.0.1:0", func() *http.ServeMux {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /reviews/1", func(w http.ResponseWriter, r *http.Request) {
			authorization = r.Header.Get("Authorization")
			answer(w, Reviews{ID: "1", Reviews: []Review{{Reviewer: "a", Text: "b"}}})
		})
		return mux
	}())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reviews.Close() }()
	b := start(t, func() string { return "http://" + reviews.Addr() })
	var page Page
	if code := get(t, "http://"+b.Productpage.Addr()+"/productpage", &page, "Authorization", "Basic x", MarkHeader, MarkPassed); code != 200 {
		t.Errorf("status %d", code)
	}
	if page.ReviewsStatus != 200 || len(page.Reviews) != 1 || page.Error != "" || authorization != "Basic x" {
		t.Errorf("page %+v, reviews got Authorization %q", page, authorization)
	}
	if got, want := b.Productpage.Counts(), (Counts{Total: 1, Passed: 1}); got != want {
		t.Errorf("productpage %s, want %s", got, want)
	}
	if got, want := reviews.Counts(), (Counts{Total: 1, Unmarked: 1}); got != want {
		t.Errorf("the mark belongs to one hop: reviews %s, want %s", got, want)
	}
}

func TestProductpageAnswersWithoutReviews(t *testing.T) {
	refusing, err := serve("127.0.0.1:0", func() *http.ServeMux {
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		return mux
	}())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = refusing.Close() }()
	gone, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, c := range map[string]struct {
		url    func() string
		status int
	}{
		"no function":      {nil, 0},
		"no URL yet":       {func() string { return "" }, 0},
		"a broken URL":     {func() string { return "http://[" }, 0},
		"nobody listens":   {func() string { return "http://" + gone.Addr().String() }, 0},
		"reviews want 401": {func() string { return "http://" + refusing.Addr() }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, c.url)
			var page Page
			code := get(t, "http://"+b.Productpage.Addr()+"/productpage", &page)
			if code != 200 || page.ReviewsStatus != c.status || !strings.Contains(page.Error, "unavailable") {
				t.Errorf("status %d, page %+v", code, page)
			}
		})
	}
}

func TestReviewsAnswerAndCountByMark(t *testing.T) {
	b := start(t, nil)
	url := "http://" + b.Reviews.Addr() + "/reviews/1"
	var got Reviews
	for _, h := range [][]string{
		{MarkHeader, MarkPassed},
		{MarkHeader, MarkNotRequired},
		{},
		{MarkHeader, "something"},
		{MarkHeader, MarkPassed, MarkHeader, MarkPassed},
	} {
		if code := get(t, url, &got, h...); code != 200 || got.ID != "1" || len(got.Reviews) != 2 {
			t.Errorf("status %d, %+v", code, got)
		}
	}
	before := b.Reviews.Counts()
	if want := (Counts{Total: 5, Passed: 1, NotRequired: 1, Unmarked: 3}); before != want {
		t.Errorf("%s, want %s", before, want)
	}
	get(t, url, nil)
	if since, want := b.Reviews.Counts().Sub(before), (Counts{Total: 1, Unmarked: 1}); since != want {
		t.Errorf("since then %s, want %s", since, want)
	}
}

func TestHealthIsNotCounted(t *testing.T) {
	b := start(t, nil)
	for _, s := range []*Server{b.Productpage, b.Reviews} {
		if code := get(t, "http://"+s.Addr()+"/health", nil); code != 200 {
			t.Errorf("status %d", code)
		}
		if c := s.Counts(); c.Total != 0 {
			t.Errorf("%s", c)
		}
	}
}

func TestAnAddressThatCannotBeUsedIsNamed(t *testing.T) {
	b := start(t, nil)
	for want, c := range map[string]Config{
		"reviews: ":              {Reviews: "10.0.0.1:80"},
		"productpage: ":          {Productpage: b.Productpage.Addr()},
		"not a loopback address": {Reviews: ":80"},
	} {
		_, err := Start(c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
