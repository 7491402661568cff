package announcement

import (
	"context"
	"errors"
	"testing"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertest"
)

// heard remembers what was announced.
type heard struct {
	route, payload string
	err            error
}

func (h *heard) Announce(_ context.Context, route string, payload petrel.JSON) error {
	h.route, h.payload = route, string(payload)
	return h.err
}

func job(t *testing.T) *runners.Job {
	return runnertest.Job(t, value.DictOf("experimental", true, "route", "conformance"), value.DictOf("text", "hi", "output", int64(1)))
}

func TestSuite(t *testing.T) {
	runnertest.Run(t, runnertest.Subject{
		Runner: New(&heard{}), Keys: []string{"output", "text"},
		Good: job,
		Bad: func(t *testing.T) *runners.Job {
			return runnertest.Job(t, value.DictOf("experimental", false), nil)
		},
	})
}

func TestRun_TellsTheFeed(t *testing.T) {
	var h heard
	out := New(&h).Run(t.Context(), job(t))
	// As in StackStorm a parameter named output takes the place of the whole.
	if got := value.Repr(out.Result); got != "{'output': 1, 'text': 'hi'}" || out.Status != petrel.StatusSucceeded {
		t.Errorf("%s %s", out.Status, got)
	}
	if h.route != "conformance" || h.payload != `{"text":"hi","output":1}` {
		t.Errorf("%+v", h)
	}
	h.err = errors.New("the feed is away")
	if out = New(&h).Run(t.Context(), job(t)); out.Status != petrel.StatusFailed {
		t.Errorf("%s", out.Status)
	}
}

func TestPrepare_NeedsTheFlag(t *testing.T) {
	j := runnertest.Job(t, value.DictOf("experimental", false), nil)
	if err := New(&heard{}).Prepare(t.Context(), j); err == nil || petrel.Message(err) != "Experimental flag is missing for action suite.action" {
		t.Error(err)
	}
}
