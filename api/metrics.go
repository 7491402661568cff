package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the API counts. Labels hold routes and methods that exist,
// never what a client sent.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	panics   prometheus.Counter
	streams  prometheus.Gauge
	cut      prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "petrel", Subsystem: "api", Name: "requests_total",
			Help: "Requests answered, by method, route and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "petrel", Subsystem: "api", Name: "request_seconds",
			Help:    "Time until a request was answered, streams left out.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30},
		}, []string{"method", "route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "petrel", Subsystem: "api", Name: "panics_total", Help: "Requests that ended in a panic.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "petrel", Subsystem: "api", Name: "streams", Help: "Event streams that are open.",
		}),
		cut: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "petrel", Subsystem: "api", Name: "streams_cut_total", Help: "Streams cut off because the reader was too slow.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.requests, m.duration, m.panics, m.streams, m.cut)
	}
	return m
}

// observe counts and logs a request that was answered. The query is left out:
// it may hold a token.
func (a *API) observe(c *call, start time.Time) {
	method, pattern := "other", "none"
	if c.route != nil {
		method, pattern = c.route.method, c.route.pattern
	}
	took := a.cfg.Now().Sub(start)
	a.metrics.requests.WithLabelValues(method, pattern, strconv.Itoa(c.status)).Inc()
	if c.route != nil && !c.route.endless {
		a.metrics.duration.WithLabelValues(method, pattern).Observe(took.Seconds())
	}
	a.cfg.Log.Debug("a request was answered", "request_id", c.requestID, "method", c.r.Method, "path", c.shownPath(),
		"user", c.who.User, "from", c.who.From, "status", c.status, "took", took)
}

func (a *API) showMetrics(c *call) error {
	promhttp.HandlerFor(a.cfg.Gatherer, promhttp.HandlerOpts{}).ServeHTTP(&tracked{ResponseWriter: c.w, c: c}, c.r)
	return nil
}

// shownPath is the path for the log; one that may hold a key is shown as its
// pattern.
func (c *call) shownPath() string {
	if c.route != nil && strings.Contains(c.route.pattern, "{key}") {
		return c.route.pattern
	}
	return c.r.URL.Path
}
