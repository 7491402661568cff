package postgres

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an operator sees of the database's use.
type metrics struct {
	transactions *prometheus.CounterVec // by outcome
	repeats      prometheus.Counter
	group        prometheus.Histogram
}

// The outcomes of a transaction.
const (
	outcomeCommitted = "committed"
	outcomeUndone    = "undone"    // refused by what it found, such as the fence, or failed
	outcomeLookedUp  = "looked_up" // a commit without an answer that was found to be stored
	outcomeLost      = "lost"      // a commit without an answer that was found not to be stored, and repeated
	outcomeUnknown   = "unknown"
)

// newMetrics makes the metrics and registers them, when there is a registry.
func newMetrics(registry prometheus.Registerer, pool *pgxpool.Pool) *metrics {
	m := &metrics{
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "petrel_postgres_transactions_total", Help: "Transactions that wrote, by outcome."}, []string{"outcome"}),
		repeats:      prometheus.NewCounter(prometheus.CounterOpts{Name: "petrel_postgres_repeats_total", Help: "Tries repeated after a deadlock, a serialization failure or a lost connection."}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "petrel_postgres_group_rows", Help: "Rows that shared a commit.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500}}),
	}
	if registry != nil {
		gauge := func(name, help string, value func(*pgxpool.Stat) int32) prometheus.Collector {
			return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(pool.Stat())) })
		}
		registry.MustRegister(m.transactions, m.repeats, m.group,
			gauge("petrel_postgres_connections", "Connections of the pool.", (*pgxpool.Stat).TotalConns),
			gauge("petrel_postgres_connections_busy", "Connections in use.", (*pgxpool.Stat).AcquiredConns))
	}
	return m
}
