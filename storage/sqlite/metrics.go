package sqlite

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an operator sees of the writer.
type metrics struct {
	commits prometheus.Counter
	writes  prometheus.Counter
	failed  prometheus.Counter
	held    prometheus.Histogram
}

// newMetrics makes the metrics and registers them, when there is a registry.
func newMetrics(registry prometheus.Registerer, waiting func() int) *metrics {
	m := &metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{Name: "petrel_sqlite_commits_total", Help: "Transactions the writer ended."}),
		writes:  prometheus.NewCounter(prometheus.CounterOpts{Name: "petrel_sqlite_writes_total", Help: "Writes that took part in those transactions."}),
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "petrel_sqlite_failed_groups_total", Help: "Transactions that failed as a whole and were repeated write by write."}),
		held: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "petrel_sqlite_transaction_seconds", Help: "How long a transaction held the writer, its commit included.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, 1}}),
	}
	if registry != nil {
		registry.MustRegister(m.commits, m.writes, m.failed, m.held,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "petrel_sqlite_waiting_writes", Help: "Writes that wait for the writer."}, func() float64 { return float64(waiting()) }))
	}
	return m
}

// ended counts a transaction.
func (m *metrics) ended(writes int, began time.Time) {
	m.commits.Inc()
	m.writes.Add(float64(writes))
	m.held.Observe(time.Since(began).Seconds())
}
