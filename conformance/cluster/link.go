package cluster

import (
	"net"
	"sync"
)

// Link is a TCP proxy between one client and the API server, for a test that cuts off one of several clients.
type Link struct {
	cluster *Cluster
	address string
	running sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	listener net.Listener // nil while cut
	stalled  bool
	conns    map[net.Conn]bool
}

// Link opens a link. It ends with the test.
func (c *Cluster) Link() *Link {
	c.t.Helper()
	l := &Link{cluster: c, address: c.hostPort(freePorts(c.t, c.host, 1)[0]), conns: map[net.Conn]bool{}}
	l.changed = sync.NewCond(&l.mu)
	l.Restore()
	c.t.Cleanup(func() {
		l.Cut()
		l.running.Wait()
	})
	return l
}

// Kubeconfig is Cluster.Kubeconfig through the link.
func (l *Link) Kubeconfig() string {
	l.cluster.t.Helper()
	return l.cluster.writeKubeconfig(l.address, adminToken)
}

// KubeconfigFor is Cluster.KubeconfigFor through the link.
func (l *Link) KubeconfigFor(serviceAccountNamespace, name string) string {
	l.cluster.t.Helper()
	return l.cluster.writeKubeconfig(l.address, l.cluster.token(serviceAccountNamespace, name))
}

// Cut breaks every connection and refuses new ones, as an API server that is down. Clients of client-go repeat a request
// whose connection broke; a refused one is an error at once.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close()
		l.listener = nil
	}
	l.stalled = false
	for c := range l.conns {
		reset(c)
	}
	l.changed.Broadcast()
}

// Stall lets nothing pass and breaks nothing, as a network that loses every packet: clients notice by their own time
// limits only.
func (l *Link) Stall() {
	l.cluster.t.Helper()
	l.Restore()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = true
}

// Restore ends Cut and Stall. What was held back by Stall arrives now.
func (l *Link) Restore() {
	l.cluster.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == nil {
		listener, err := net.Listen("tcp", l.address)
		if err != nil {
			l.cluster.t.Fatal(err)
		}
		l.listener = listener
		l.running.Go(func() { l.accept(listener) })
	}
	l.stalled = false
	l.changed.Broadcast()
}

func (l *Link) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed by Cut
		}
		l.running.Go(func() { l.serve(conn) })
	}
}

// serve joins a client's connection to a new one to the API server until either ends.
func (l *Link) serve(client net.Conn) {
	server, err := net.Dial("tcp", l.cluster.address())
	if err != nil {
		reset(client)
		return
	}
	if !l.add(client, server) {
		return
	}
	var ends sync.WaitGroup
	ends.Go(func() { l.copy(server, client) })
	ends.Go(func() { l.copy(client, server) })
	ends.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, client)
	delete(l.conns, server)
}

// add makes connections known to Cut. After a Cut it breaks them itself and returns false.
func (l *Link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.listener == nil {
			reset(c)
			continue
		}
		l.conns[c] = true
	}
	return l.listener != nil
}

// copy moves bytes until one side ends, and then ends both.
func (l *Link) copy(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.awaitFlow()
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// awaitFlow waits while the link is stalled.
func (l *Link) awaitFlow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.stalled {
		l.changed.Wait()
	}
}

// reset closes a connection so that the other end sees an error and not an orderly end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a closed connection
	}
	_ = c.Close()
}
