package api

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// ServerOptions bound what a server takes from its clients; a zero field means
// the default named with it.
type ServerOptions struct {
	// HeaderTime is how long the headers of a request may take; 10 s.
	HeaderTime time.Duration
	// RequestTime is how long a whole request may take to arrive, and its answer
	// to be taken; 120 s. Streams have bounds of their own.
	RequestTime time.Duration
	// IdleTime is how long a connection may wait for its next request; 120 s.
	IdleTime time.Duration
	// HeaderBytes bounds the request line and all headers; 32 KiB.
	HeaderBytes int
	// Connections bounds how many are open at once; 4096. The next ones wait.
	Connections int
	// Log takes what the server itself complains about; silent by default.
	Log *slog.Logger
}

func (o ServerOptions) withDefaults() ServerOptions {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&o.HeaderTime, 10*time.Second)
	set(&o.RequestTime, 120*time.Second)
	set(&o.IdleTime, 120*time.Second)
	if o.HeaderBytes == 0 {
		o.HeaderBytes = 32 << 10
	}
	if o.Connections == 0 {
		o.Connections = 4096
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// NewServer gives an HTTP server with bounds on all that a client sends: time,
// size and number. Serve it on a listener that Bound was put around.
func NewServer(h http.Handler, o ServerOptions) *http.Server {
	o = o.withDefaults()
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: o.HeaderTime,
		ReadTimeout:       o.RequestTime,
		WriteTimeout:      o.RequestTime,
		IdleTimeout:       o.IdleTime,
		MaxHeaderBytes:    o.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
}

// Bound limits the connections of a listener.
func Bound(l net.Listener, o ServerOptions) net.Listener {
	return netutil.LimitListener(l, o.withDefaults().Connections)
}
