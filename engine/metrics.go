package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"petrel"
)

// metrics are the engine's own counters.
type metrics struct {
	requested  *prometheus.CounterVec // lane
	refused    *prometheus.CounterVec // reason
	claimed    *prometheus.CounterVec // reason of the take
	ended      *prometheus.CounterVec // status, reason
	lost       prometheus.Counter     // results refused because the ownership was lost
	panics     prometheus.Counter
	busy       *prometheus.GaugeVec     // lane
	waited     *prometheus.HistogramVec // lane
	ran        *prometheus.HistogramVec // runner
	swept      *prometheus.CounterVec   // outcome
	nodesDead  prometheus.Counter
	reborn     prometheus.Counter
	untold     *prometheus.CounterVec // what
	retried    *prometheus.CounterVec // what
	outputLost prometheus.Counter
	strays     *prometheus.CounterVec // step
	purged     *prometheus.CounterVec // what
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "petrel", Subsystem: "engine", Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "petrel", Subsystem: "engine", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "petrel", Subsystem: "engine", Name: name, Help: help,
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}}, []string{label})
	}
	m := &metrics{
		requested:  counters("requested_total", "Executions stored, by lane.", "lane"),
		refused:    counters("refused_total", "Requests refused, by reason.", "reason"),
		claimed:    counters("claimed_total", "Executions claimed, by the reason of the claim.", "reason"),
		ended:      counters("ended_total", "Attempts ended, by status and reason.", "status", "reason"),
		lost:       counter("results_lost_total", "Results dropped because the execution belongs to somebody else now."),
		panics:     counter("panics_total", "Panics of runners that became failed executions."),
		busy:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "petrel", Subsystem: "engine", Name: "running", Help: "Executions in slots, by lane."}, []string{"lane"}),
		waited:     histogram("wait_seconds", "Time from the request to the claim, delays included, by lane.", "lane"),
		ran:        histogram("run_seconds", "Time from the claim to the stored result, by runner.", "runner"),
		swept:      counters("swept_total", "Executions taken from dead nodes, by outcome.", "outcome"),
		nodesDead:  counter("nodes_dead_total", "Nodes this one marked dead."),
		reborn:     counter("reregistered_total", "Times this node found itself marked dead and registered anew."),
		untold:     counters("untold_total", "Messages the queue or the feed did not take; they cost delay, not work.", "what"),
		retried:    counters("retried_total", "Writes that were repeated because the store did not answer.", "what"),
		outputLost: counter("output_lost_bytes_total", "Bytes of output that were not stored because the store was away for too long."),
		strays:     counters("strays_total", "Executions the store gave to this node without its knowledge, by what was done.", "step"),
		purged:     counters("purged_total", "Rows removed because of their age: trees of executions, tokens, chat events and messages.", "what"),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requested, m.refused, m.claimed, m.ended, m.lost, m.panics, m.busy, m.waited, m.ran,
		m.swept, m.nodesDead, m.reborn, m.untold, m.retried, m.outputLost, m.strays, m.purged} {
		if err := r.Register(c); err != nil {
			return nil, petrel.Wrap(petrel.Internal, err, "engine: a metric cannot be registered")
		}
	}
	return m, nil
}
