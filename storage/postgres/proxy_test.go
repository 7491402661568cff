package postgres_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// What the proxy does with what it sees.
const (
	pass       = iota
	cutBefore  // the next COMMIT is not forwarded; the connection is reset
	cutAfter   // the next COMMIT is forwarded, its answer is dropped with the connection
	swallow    // nothing is forwarded in either direction any more
	loseCommit // the next COMMIT is swallowed and the connection stays: nobody answers
)

// proxy stands between the store and the server.
type proxy struct {
	listener net.Listener
	target   string
	mode     atomic.Int32
	fired    atomic.Int32
	mu       sync.Mutex
	conns    []net.Conn
	wg       sync.WaitGroup
}

// startProxy gives the proxy of a server's URL and the URL through it.
func startProxy(t *testing.T, server string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	u.Host = p.listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		dead := &atomic.Bool{} // the answers of this connection are dropped
		p.wg.Go(func() { p.toServer(client, server, dead) })
		p.wg.Go(func() { p.toClient(client, server, dead) })
	}
}

func reset(c net.Conn) {
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

var commit = append([]byte("commit"), 0)

func (p *proxy) toServer(client, server net.Conn, dead *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if n > 0 && bytes.Contains(buffer[:n], commit) {
			switch mode := p.mode.Load(); mode {
			case cutBefore, cutAfter, loseCommit:
				if p.mode.CompareAndSwap(mode, pass) {
					p.fired.Add(1)
					dead.Store(true)
					switch mode {
					case loseCommit:
						continue
					case cutAfter:
						_, _ = server.Write(buffer[:n])
						continue // toClient resets the connection when the answer comes
					}
					reset(client)
					reset(server)
					return
				}
			}
		}
		if n > 0 && p.mode.Load() != swallow {
			if _, err := server.Write(buffer[:n]); err != nil {
				reset(client)
				return
			}
		}
		if err != nil {
			_ = server.Close()
			return
		}
	}
}

func (p *proxy) toClient(client, server net.Conn, dead *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if dead.Load() {
			reset(client)
			reset(server)
			return
		}
		if n > 0 && p.mode.Load() != swallow {
			if _, err := client.Write(buffer[:n]); err != nil {
				reset(server)
				return
			}
		}
		if err != nil {
			if err == io.EOF {
				_ = client.Close()
			} else {
				reset(client)
			}
			return
		}
	}
}
