package server

import (
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// DefaultWaitForFirst is longer than the 15 s that an Envoy waits for another server's clusters. It has opened its stream to us
// by then, and says nothing before it has listeners.
const DefaultWaitForFirst = 20 * time.Second

// firstOf is the first message of a stream, which is not waited for without end: a stream that says nothing is nobody's.
func firstOf(stream deltaStream, wait time.Duration) (*discoveryv3.DeltaDiscoveryRequest, error) {
	type message struct {
		request *discoveryv3.DeltaDiscoveryRequest
		err     error
	}
	came := make(chan message, 1)
	go func() { // without a message it ends when the handler does
		r, err := stream.Recv()
		came <- message{r, err}
	}()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case m := <-came:
		return m.request, m.err
	case <-late.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "the stream said nothing for %s; connect again when there is something to ask for", wait)
	}
}
