package identity

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// places bound how many questions are under way, in all and for one peer: somebody who makes tokens up takes his own places.
type places struct {
	all *semaphore.Weighted
	mu  sync.Mutex
	// peers are those who have a place or wait for one.
	peers map[string]*peerPlaces
}

type peerPlaces struct {
	own   *semaphore.Weighted
	users int
}

func newPlaces() *places {
	return &places{all: semaphore.NewWeighted(maxReviews), peers: map[string]*peerPlaces{}}
}

// take waits for a place until ctx ends. Who waits for one of his own takes none from others meanwhile.
func (p *places) take(ctx context.Context, peer string) (give func(), err error) {
	own := p.enter(peer)
	if err := own.Acquire(ctx, 1); err != nil {
		p.leave(peer)
		return nil, err
	}
	if err := p.all.Acquire(ctx, 1); err != nil {
		own.Release(1)
		p.leave(peer)
		return nil, err
	}
	return func() {
		p.all.Release(1)
		own.Release(1)
		p.leave(peer)
	}, nil
}

func (p *places) enter(peer string) *semaphore.Weighted {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.peers[peer]
	if one == nil {
		one = &peerPlaces{own: semaphore.NewWeighted(maxOfPeer)}
		p.peers[peer] = one
	}
	one.users++
	return one.own
}

func (p *places) leave(peer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.peers[peer]
	if one.users--; one.users == 0 {
		delete(p.peers, peer)
	}
}
