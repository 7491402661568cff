// Package storagetest is the suite that every implementation of the store
// passes: each method, and each promise its contract makes.
package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

// Open makes a new, empty store that ends with the test.
type Open func(t *testing.T) storage.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s storage.Store)
	}{
		{"Request", testRequest},
		{"RequestFinal", testRequestFinal},
		{"Idempotency", testIdempotency},
		{"Poison", testPoison},
		{"Bytes", testBytes},
		{"Lifecycle", testLifecycle},
		{"Lanes", testLanes},
		{"RoundRobin", testRoundRobin},
		{"ManyActions", testManyActions},
		{"ManyCopies", testManyCopies},
		{"Due", testDue},
		{"Straight", testStraight},
		{"FinishPoison", testFinishPoison},
		{"Cancel", testCancel},
		{"SetStatus", testSetStatus},
		{"Sweep", testSweep},
		{"List", testList},
		{"Purge", testPurge},
		{"Output", testOutput},
		{"Packs", testPacks},
		{"Actions", testActions},
		{"Aliases", testAliases},
		{"Runners", testRunners},
		{"InTx", testInTx},
		{"Users", testUsers},
		{"Tokens", testTokens},
		{"APIKeys", testAPIKeys},
		{"Nodes", testNodes},
		{"Events", testEvents},
		{"EventRuns", testEventRuns},
		{"Posts", testPosts},
		{"PostRuns", testPostRuns},
		{"HeldChats", testHeldChats},
		{"PurgeChats", testPurgeChats},
		{"Audit", testAudit},
		{"Ready", testReady},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, open(t))
		})
	}
	RunShared(t, func(t *testing.T) []storage.Store { return []storage.Store{open(t)} })
}

// RunShared runs the parts of the suite in which callers compete, over stores
// that share one database, as several nodes do.
func RunShared(t *testing.T, open func(t *testing.T) []storage.Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, stores []storage.Store)
	}{
		{"Claimers", testClaimers},
		{"CancelRaces", testCancelRaces},
		{"Senders", testSenders},
		{"EventClaimers", testEventClaimers},
		{"PostRaces", testPostRaces},
		{"Mixture", testMixture},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, open(t))
		})
	}
}

// now is a time as the store keeps it.
func now() time.Time { return petrel.Micros(time.Now()) }

func id() petrel.ID { return petrel.NewID(time.Now()) }

// bg is the context of the suite's calls; a store's own deadline bounds them.
var bg = context.Background()

// action is a piece of content to run.
func action(ref petrel.Ref) petrel.Action {
	return petrel.Action{
		ID: id(), UID: "action:" + ref.Pack() + ":" + ref.Name(), Ref: ref, Pack: ref.Pack(), Name: ref.Name(), Description: "does <it> & more",
		Enabled: true, RunnerType: "noop", EntryPoint: "", Parameters: petrel.JSON(`{"zeta":{"type":"string"},"alpha":{"type":"integer","default":1}}`),
		Tags: []petrel.Tag{{Name: "a", Value: "b"}},
	}
}

func runner(name string) petrel.RunnerType {
	return petrel.RunnerType{ID: "5f0000000000000000000001", UID: "runner_type:" + name, Name: name, Enabled: true, Module: "noop_runner", Parameters: petrel.JSON(`{"b":{},"a":{}}`)}
}

var noop = action("core.noop")

// newRun is a run that waits to be claimed.
func newRun() storage.NewExecution {
	return storage.NewExecution{Execution: petrel.Execution{
		ID: id(), LiveActionID: id(), Action: noop, Runner: runner("noop"), Status: petrel.StatusRequested, StartedAt: now(),
		Parameters: petrel.JSON(`{"z": 1, "a": [1, 2]}`), Context: petrel.JSON(`{"user":"ann","pack":"core"}`), User: "ann", Lane: petrel.LaneInteractive,
	}}
}

// request stores runs that must be taken.
func request(t *testing.T, s storage.Store, batch ...storage.NewExecution) []petrel.ID {
	t.Helper()
	var ids []petrel.ID
	for i, r := range s.Request(bg, batch) {
		if r.Err != nil {
			t.Fatalf("request %d: %v", i, r.Err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// node registers a node that lives.
func node(t *testing.T, s storage.Store) string {
	t.Helper()
	n := petrel.Node{ID: id(), Host: "host", PID: 7, Roles: []string{"worker"}, StartedAt: now(), Version: "1"}
	n.Incarnation = "n-" + string(n.ID)
	ok(t, s.RegisterNode(bg, n, time.Minute))
	return n.Incarnation
}

// claim takes named runs.
func claim(t *testing.T, s storage.Store, owner string, ids ...petrel.ID) []petrel.Execution {
	t.Helper()
	got, err := s.Claim(bg, storage.Claim{Owner: owner, Host: "host", PID: 7, IDs: ids, Limit: 500, At: now()})
	ok(t, err)
	return got
}

// begin brings a new run to running.
func begin(t *testing.T, s storage.Store, owner string, n storage.NewExecution) petrel.Execution {
	t.Helper()
	got := claim(t, s, owner, request(t, s, n)...)
	if len(got) != 1 {
		t.Fatalf("claimed %d runs, not 1", len(got))
	}
	ok(t, s.Start(bg, []storage.Start{{ID: got[0].ID, Owner: owner, Attempt: got[0].Attempt, At: now()}})[0])
	return got[0]
}

func finish(x petrel.Execution, owner string, status petrel.Status, result string) storage.Finish {
	return storage.Finish{ID: x.ID, Owner: owner, Attempt: x.Attempt, Status: status, Result: petrel.JSON(result), At: now()}
}

func execution(t *testing.T, s storage.Store, id petrel.ID) petrel.Execution {
	t.Helper()
	x, err := s.Execution(bg, id)
	ok(t, err)
	return x
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func kind(t *testing.T, err error, want petrel.Kind) {
	t.Helper()
	if petrel.KindOf(err) != want {
		t.Fatalf("error %v has kind %q, not %q", err, petrel.KindOf(err), want)
	}
}

func field(t *testing.T, err error, want string) {
	t.Helper()
	kind(t, err, petrel.Invalid)
	var e *petrel.Error
	if !errors.As(err, &e) || e.Field != want {
		t.Fatalf("error %v names field %q, not %q", err, e.Field, want)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		a, _ := json.MarshalIndent(got, "", " ")
		b, _ := json.MarshalIndent(want, "", " ")
		t.Fatalf("got\n%s\nnot\n%s", a, b)
	}
}

func statuses(log []petrel.LogEntry) string {
	text := ""
	for _, e := range log {
		text += fmt.Sprintf("%s ", e.Status)
	}
	return text
}
