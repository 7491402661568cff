package noop

import (
	"testing"

	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertest"
)

func TestSuite(t *testing.T) {
	runnertest.Run(t, runnertest.Subject{
		Runner: New(), Keys: []string{"failed", "succeeded", "return_code"},
		Good: func(t *testing.T) *runners.Job {
			return runnertest.Job(t, value.NewDict(), value.DictOf("note", "any parameter is taken"))
		},
	})
}

func TestRun_Result(t *testing.T) {
	out := New().Run(t.Context(), runnertest.Job(t, nil, nil))
	if got := value.Repr(out.Result); got != "{'failed': False, 'succeeded': True, 'return_code': 0}" {
		t.Error(got)
	}
}

func BenchmarkRun(b *testing.B) {
	r, job := New(), &runners.Job{}
	for b.Loop() {
		r.Run(b.Context(), job)
	}
}
