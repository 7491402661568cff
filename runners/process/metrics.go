package process

import "github.com/prometheus/client_golang/prometheus"

// metrics count what went other than the action wanted.
type metrics struct {
	leftOut   prometheus.Counter
	strays    prometheus.Counter
	survivors prometheus.Counter
	timeouts  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "petrel", Subsystem: "process", Name: name, Help: help})
	}
	m := &metrics{
		leftOut:   counter("output_left_out_bytes_total", "Bytes of output beyond the limit that were not kept."),
		strays:    counter("strays_killed_total", "Processes that outlived their action and were killed."),
		survivors: counter("survivors_total", "Processes that could not be killed."),
		timeouts:  counter("timeouts_total", "Processes ended at their deadline."),
	}
	if registry != nil {
		registry.MustRegister(m.leftOut, m.strays, m.survivors, m.timeouts)
	}
	return m
}
