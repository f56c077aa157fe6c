package identity

import (
	"context"
	"crypto/sha256"
	"sync"
)

// questions are those under way. Equal ones are asked once; one ends when nobody waits for its answer any more.
type questions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*question
}

type question struct {
	waiting int
	stop    context.CancelFunc
	done    chan struct{}
	// pod and err are the answer, once done is closed.
	pod pod
	err error
}

// answer is the answer to a question, which ask finds out if nobody does so already.
func (q *questions) answer(ctx context.Context, key [sha256.Size]byte, ask func(ctx context.Context) (pod, error)) (pod, error) {
	one := q.enter(key, ask)
	select {
	case <-one.done:
		return one.pod, one.err
	case <-ctx.Done():
		q.leave(key, one)
		return pod{}, ctx.Err()
	}
}

func (q *questions) enter(key [sha256.Size]byte, ask func(ctx context.Context) (pod, error)) *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.all[key]
	if one == nil {
		ctx, stop := context.WithTimeout(context.Background(), reviewTimeout)
		one = &question{stop: stop, done: make(chan struct{})}
		q.all[key] = one
		go func() {
			defer stop()
			one.pod, one.err = ask(ctx)
			q.mu.Lock()
			q.forget(key, one)
			q.mu.Unlock()
			close(one.done)
		}()
	}
	one.waiting++
	return one
}

// leave stops a question that nobody waits for. The next one who has it asks anew.
func (q *questions) leave(key [sha256.Size]byte, one *question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.waiting--; one.waiting == 0 {
		q.forget(key, one)
		one.stop()
	}
}

// forget takes a question away, unless another is in its place. The caller holds the lock.
func (q *questions) forget(key [sha256.Size]byte, one *question) {
	if q.all[key] == one {
		delete(q.all, key)
	}
}
