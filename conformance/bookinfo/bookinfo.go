// Package bookinfo has stand-ins for two services of Istio's Bookinfo, productpage and reviews, which count the requests
// that a plugin let through and those that it did not see.
package bookinfo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Config says where the stand-ins listen, and how productpage reaches reviews.
type Config struct {
	// Productpage and Reviews are loopback addresses HOST:PORT. Port 0, or an empty address, takes a free port.
	Productpage, Reviews string
	// ReviewsURL is asked at every request for the base URL of reviews, such as http://127.3.0.2:9080, so that it may
	// lead through a waypoint that starts later. When it is nil, gives "", or leads nowhere, productpage answers 200
	// all the same and says that reviews are unavailable, as Bookinfo does.
	ReviewsURL func() string
	// Client calls reviews; nil means one with a timeout of three seconds.
	Client *http.Client
}

// Bookinfo is the two running stand-ins.
type Bookinfo struct {
	Productpage, Reviews *Server
}

// Start runs both stand-ins. An error names the address that cannot be listened on.
func Start(c Config) (*Bookinfo, error) {
	reviews, err := serve(c.Reviews, reviewsMux())
	if err != nil {
		return nil, fmt.Errorf("reviews: %w", err)
	}
	client := c.Client
	if client == nil {
		client = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	p := &productpage{url: c.ReviewsURL, client: client}
	page, err := serve(c.Productpage, p.mux())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("productpage: %w", err), reviews.Close())
	}
	return &Bookinfo{Productpage: page, Reviews: reviews}, nil
}

// Close stops both stand-ins.
func (b *Bookinfo) Close() error {
	return errors.Join(b.Productpage.Close(), b.Reviews.Close())
}

func reviewsMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /reviews/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, Reviews{ID: r.PathValue("id"), Reviews: []Review{
			{Reviewer: "Reviewer1", Text: "An extremely entertaining play by Shakespeare."},
			{Reviewer: "Reviewer2", Text: "Absolutely fun and entertaining."},
		}})
	})
	return mux
}

// Reviews is the answer of the reviews stand-in.
type Reviews struct {
	ID      string   `json:"id"`
	Reviews []Review `json:"reviews"`
}

// Review is what one reader wrote.
type Review struct {
	Reviewer string `json:"reviewer"`
	Text     string `json:"text"`
}

// Page is the answer of the productpage stand-in.
type Page struct {
	Title string `json:"title"`
	// ReviewsStatus is the status that reviews answered; 0 means that there was no answer.
	ReviewsStatus int      `json:"reviewsStatus"`
	Reviews       []Review `json:"reviews,omitempty"`
	// Error says why there are no reviews; "" when there are.
	Error string `json:"error,omitempty"`
}

type productpage struct {
	url    func() string
	client *http.Client
}

func (p *productpage) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /productpage", func(w http.ResponseWriter, r *http.Request) {
		page := Page{Title: "The Comedy of Errors"}
		got, err := p.reviews(r, &page.ReviewsStatus)
		if err != nil {
			page.Error = "Sorry, product reviews are currently unavailable for this book: " + err.Error()
		}
		page.Reviews = got.Reviews
		answer(w, page)
	})
	return mux
}

// forwarded are the headers that Bookinfo's productpage hands on to reviews.
var forwarded = []string{"Authorization", "Cookie", "End-User", "Traceparent", "User-Agent", "X-Request-Id"}

func (p *productpage) reviews(in *http.Request, status *int) (got Reviews, err error) {
	base := ""
	if p.url != nil {
		base = p.url()
	}
	if base == "" {
		return got, errors.New("no address of reviews is known")
	}
	r, err := http.NewRequestWithContext(in.Context(), http.MethodGet, base+"/reviews/1", nil)
	if err != nil {
		return got, err
	}
	for _, h := range forwarded {
		if v := in.Header.Values(h); len(v) > 0 {
			r.Header[h] = v
		}
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return got, err
	}
	defer func() { _ = resp.Body.Close() }()
	*status = resp.StatusCode
	// The body is read to its end, so that the connection can be used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return got, err
	}
	if resp.StatusCode != http.StatusOK {
		return got, fmt.Errorf("reviews answered %s", resp.Status)
	}
	return got, json.Unmarshal(body, &got)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
