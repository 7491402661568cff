package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/queue/local"
	"petrel/storage"
)

func TestRun_Results(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start(func(c *engine.Config) { c.MaxResultSize = 1000 })
		for _, c := range []struct {
			do     string
			extra  []value.Value
			status petrel.Status
			result string // its beginning
		}{
			{"", nil, petrel.StatusSucceeded, `{"ok":true}`},
			{"fail", nil, petrel.StatusFailed, `{"ok":false}`},
			{"none", nil, petrel.StatusSucceeded, ``},
			{"text", []value.Value{"text", `{"b": 1, "a": [2.50]}`}, petrel.StatusSucceeded, `{"b":1,"a":[2.5]}`},
			{"text", []value.Value{"text", "no JSON"}, petrel.StatusSucceeded, `"no JSON"`},
			{"text", []value.Value{"text", "123"}, petrel.StatusSucceeded, `123`},
			{"nan", nil, petrel.StatusSucceeded, `{"list":[null,null,1.5]}`},
			{"no json", nil, petrel.StatusFailed, `{"error":"The result cannot be written as JSON: Object of type function is not JSON serializable"`},
			{"big", nil, petrel.StatusFailed, `{"error":"The result would be 2010 bytes as JSON, over the limit of 1000 bytes."`},
			{"nonsense", nil, petrel.StatusFailed, `{"error":"The runner \"scripted\" ended with the status \"scheduled\"."`},
			{"refuse", nil, petrel.StatusFailed, `{"error":"this cannot be prepared","traceback":`},
		} {
			x := s.until(s.run(e, append([]value.Value{"do", c.do}, c.extra...)...).ID)
			if x.Status != c.status || !strings.HasPrefix(string(x.Result), c.result) || c.result == "" && len(x.Result) > 0 {
				t.Errorf("%s: ended as %s with %s, want %s with %s", c.do, x.Status, x.Result, c.status, c.result)
			}
			if got, want := history(x), "requested scheduled running "+string(c.status); got != want {
				t.Errorf("%s: its history is %s, want %s", c.do, got, want)
			}
		}
		x := s.until(s.run(e, "do", "context").ID)
		if string(x.Context) != `{"user":"stanley","pack":"test","more":1}` {
			t.Errorf("the context is %s", x.Context)
		}
	})
}

func TestRun_APanicFailsTheRunAndNothingElse(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start()
		for _, do := range []string{"panic", "panic text", "panic early"} {
			x := s.until(s.request(e, engine.Request{Action: "test.run", User: "secret-canary", Parameters: value.DictOf("do", do)}).ID)
			if x.Status != petrel.StatusFailed || !strings.HasPrefix(string(x.Result), `{"error":"Internal error `) {
				t.Errorf("%s: ended as %s with %s", do, x.Status, x.Result)
				continue
			}
			id := string(x.Result)[len(`{"error":"Internal error `):][:24]
			log := s.logs.String()
			if !petrel.ID(id).Valid() || !strings.Contains(log, "fault="+id) || !strings.Contains(log, "scripted_test.go") {
				t.Errorf("%s: the log does not tell of the fault %s", do, id)
			}
			if strings.Contains(log, "canary") || strings.Contains(string(x.Result), "canary") {
				t.Errorf("%s: a value of the run is in the log or the result", do)
			}
		}
		s.until(s.run(e).ID, petrel.StatusSucceeded)
	})
}

func TestRun_EnvironmentAndToken(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start()
	x := s.request(e, engine.Request{Action: "test.run", User: "ada", Parameters: value.DictOf("do", "wait")})
	s.runner.untilStarted(t, x.ID)
	job := s.runner.job(x.ID)
	token := job.Env["ST2_ACTION_AUTH_TOKEN"]
	delete(job.Env, "ST2_ACTION_AUTH_TOKEN")
	want := map[string]string{"ST2_ACTION_PACK_NAME": "test", "ST2_ACTION_EXECUTION_ID": string(x.ID), "ST2_ACTION_API_URL": "http://127.0.0.1:9101/v1", "ST2_ACTION_DEBUG": "False"}
	if fmt.Sprint(job.Env) != fmt.Sprint(want) {
		t.Errorf("the environment is %v, want %v", job.Env, want)
	}
	if job.PackDir != "/packs/test" || job.EntryPoint != "/packs/test/actions/run.sh" || job.Config != nil || job.User != "ada" || job.Attempt != 1 {
		t.Errorf("the job is %+v", job)
	}
	if len(token) != 32 {
		t.Errorf("the token is %q, want 32 digits", token)
	}
	sum := sha256.Sum256([]byte(token))
	stored, err := s.store.Token(context.Background(), hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	if stored.User != "ada" || !stored.Service || stored.ExecutionID != x.ID {
		t.Errorf("the token is stored as %+v", stored)
	}
	if left := time.Until(stored.ExpiresAt); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the token lives for %v", left)
	}
	if strings.Contains(s.logs.String(), token) {
		t.Error("the token is in the log")
	}
	s.runner.let(x.ID)
	s.until(x.ID)
	if _, err := s.store.Token(context.Background(), hex.EncodeToString(sum[:])); !petrel.Is(err, petrel.NotFound) {
		t.Errorf("after the end the token answers %v", err)
	}
}

func TestRun_OutputIsStoredBeforeTheEnd(t *testing.T) {
	over(t, func(t *testing.T, s *setup) {
		e := s.start()
		x := s.until(s.run(e, "do", "print").ID)
		chunks, err := s.store.OutputList(context.Background(), x.ID, "", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var out, bad []string
		last := int64(0)
		for _, c := range chunks {
			if c.Seq <= last || c.ActionRef != "test.run" || c.RunnerRef != "scripted" || c.Attempt != 1 {
				t.Errorf("chunk %+v after %d", c, last)
			}
			last = c.Seq
			if c.Type == "stdout" {
				out = append(out, c.Data)
			} else {
				bad = append(bad, c.Data)
			}
		}
		if fmt.Sprintf("%q %q", out, bad) != `["one\n" "two\n" "ü"] ["bad\n"]` {
			t.Errorf("stored is %q %q", out, bad)
		}
	})
}

func TestRun_AFloodOfOutput(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start()
	x := s.until(s.run(e, "do", "flood").ID)
	chunks, err := s.store.OutputList(context.Background(), x.ID, "stdout", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, c := range chunks {
		size += len(c.Data)
		if len(c.Data) > 32<<10 {
			t.Errorf("a chunk has %d bytes", len(c.Data))
		}
	}
	if size != 40000*99 {
		t.Errorf("%d bytes are stored, want %d", size, 40000*99)
	}
	if len(chunks) > 10000 {
		t.Errorf("%d chunks are stored for %d bytes", len(chunks), size)
	}
}

func TestRun_OutputCanBeSwitchedOff(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start(func(c *engine.Config) { c.NoStream = true })
	x := s.until(s.run(e, "do", "print").ID)
	if chunks, err := s.store.OutputList(context.Background(), x.ID, "", 0, 0); err != nil || len(chunks) > 0 {
		t.Errorf("%d chunks are stored (%v)", len(chunks), err)
	}
}

func TestRun_TimeoutTheRunnerDoesNotKeep(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	types, _, err := s.store.RunnerTypeList(ctx, storage.ContentFilter{Names: []string{"scripted"}})
	if err != nil || len(types) != 1 {
		t.Fatal(types, err)
	}
	types[0].Parameters = petrel.JSON(`{"timeout":{"type":"number","default":0.05}}`)
	if err := s.store.PutRunnerTypes(ctx, types); err != nil {
		t.Fatal(err)
	}
	e := s.start(func(c *engine.Config) { c.KillWait = 50 * time.Millisecond })
	x := s.until(s.run(e, "do", "wait").ID)
	if x.Status != petrel.StatusTimeout {
		t.Errorf("it ended as %s", x.Status)
	}
}

func TestRun_Pending(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	e := s.start()
	x := s.until(s.run(e, "do", "pending").ID, petrel.StatusPending)
	if string(x.Result) != `{"asked":true}` {
		t.Errorf("the result is %s", x.Result)
	}
	x, err := e.SetStatus(context.Background(), x.ID, petrel.StatusSucceeded, petrel.JSON(`{"answer":1}`), "ada")
	if err != nil || x.Status != petrel.StatusSucceeded || string(x.Result) != `{"answer":1}` {
		t.Errorf("it is %s with %s (%v)", x.Status, x.Result, err)
	}
}

// It is to wait for an answer, and its end was asked for just before.
func TestRun_PendingWhileCanceling(t *testing.T) {
	s := newSetup(t, local.New(local.Options{}))
	ctx := context.Background()
	e := s.start(func(c *engine.Config) { c.Watch = time.Hour })
	x := s.run(e, "do", "pending late")
	s.runner.untilStarted(t, x.ID)
	// As another node would: nobody here hears of it.
	if _, _, err := s.store.Cancel(ctx, storage.Cancel{ID: x.ID, By: "ada", At: time.Now(), Result: petrel.JSON(`{"message":"m"}`)}); err != nil {
		t.Fatal(err)
	}
	s.runner.let(x.ID)
	x = s.until(x.ID, petrel.StatusCanceled)
	if string(x.Result) != `{"message":"m"}` || history(x) != "requested scheduled running canceling canceled" {
		t.Errorf("it ended with %s, %s", x.Result, history(x))
	}
}
