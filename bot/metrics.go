package bot

import (
	"encoding/json"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
)

// metrics are the bot's own.
type metrics struct {
	events  *prometheus.CounterVec
	handled *prometheus.CounterVec
	posts   *prometheus.CounterVec
	waited  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "petrel_bot_events_total",
			Help: "Chat events received, by what became of storing them."}, []string{"adapter", "outcome"}),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "petrel_bot_handled_total",
			Help: "Chat events handled, by reason."}, []string{"adapter", "reason"}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "petrel_bot_posts_total",
			Help: "Sendings of messages, by what became of them."}, []string{"adapter", "outcome"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "petrel_bot_post_seconds",
			Help: "Time from the making of a message's newest revision to its sending.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}},
			[]string{"adapter"}),
	}
	if r != nil {
		r.MustRegister(m.events, m.handled, m.posts, m.waited)
	}
	return m
}

func unmarshal(raw petrel.JSON, into any) error { return json.Unmarshal(raw, into) }
