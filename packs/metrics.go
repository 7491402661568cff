package packs

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of registrations.
type metrics struct {
	runs     *prometheus.CounterVec
	seconds  prometheus.Histogram
	problems prometheus.Gauge
}

func newMetrics(to prometheus.Registerer) metrics {
	m := metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "petrel_packs_registrations_total", Help: "Registrations of packs by outcome (ok, error).",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "petrel_packs_registration_seconds", Help: "Time a registration of packs took.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 7),
		}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "petrel_packs_problems", Help: "Parts of packs that could not be registered, by the last registration of all packs.",
		}),
	}
	if to != nil {
		to.MustRegister(m.runs, m.seconds, m.problems)
	}
	return m
}

func (m metrics) done(took time.Duration, err error) {
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.runs.WithLabelValues("error").Inc()
		return
	}
	m.runs.WithLabelValues("ok").Inc()
}
