package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/relational"
	"petrel/storage/storagetest"
)

var bg = context.Background()

func newRun() storage.NewExecution {
	at := petrel.Micros(time.Now())
	return storage.NewExecution{Execution: petrel.Execution{
		ID: petrel.NewID(at), LiveActionID: petrel.NewID(at), Action: petrel.Action{ID: "5f0000000000000000000002", Ref: "core.noop", Pack: "core", Name: "noop", Enabled: true, RunnerType: "noop"},
		Runner: petrel.RunnerType{ID: "5f0000000000000000000001", Name: "noop"}, Status: petrel.StatusRequested, StartedAt: at, Lane: petrel.LaneInteractive,
	}}
}

func runs(n int) []storage.NewExecution {
	all := make([]storage.NewExecution, n)
	for i := range all {
		all[i] = newRun()
	}
	return all
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func stored(t *testing.T, s storage.Store, statuses ...petrel.Status) int {
	t.Helper()
	_, total, err := s.ExecutionList(bg, storage.ExecutionFilter{Statuses: statuses, Limit: 1})
	ok(t, err)
	return total
}

func dial(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(bg, url)
	ok(t, err)
	t.Cleanup(func() { _ = conn.Close(bg) })
	return conn
}

// TestUnknownCommit cuts the connection around the commit of every kind of
// write: each is stored once, and its caller hears so.
func TestUnknownCommit(t *testing.T) {
	for name, mode := range map[string]int32{"before": cutBefore, "after": cutAfter, "lost": loseCommit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storagetest.PostgresURL(t)
			p, through := startProxy(t, url)
			s := openURL(t, through, postgres.Options{MaxConns: 4, Timeout: 4 * time.Second})
			at := time.Now()
			node := petrel.Node{ID: petrel.NewID(at), Incarnation: "n", Host: "h", StartedAt: at}
			ok(t, s.RegisterNode(bg, node, time.Minute))
			faults := int32(0)
			arm := func() {
				faults++
				p.mode.Store(mode)
			}
			check := func(what string) {
				t.Helper()
				if fired := p.fired.Load(); fired != faults {
					t.Fatalf("%s: %d of %d faults fired", what, fired, faults)
				}
			}
			batch := runs(5)
			arm()
			for _, r := range s.Request(bg, batch) {
				ok(t, r.Err)
			}
			check("request")
			arm()
			ok(t, s.RenewNode(bg, "n", time.Minute))
			check("lease")
			arm()
			got, err := s.Claim(bg, storage.Claim{Owner: "n", Host: "h", Limit: 5, At: at})
			ok(t, err)
			check("claim")
			if len(got) != 5 {
				t.Fatalf("claimed %d", len(got))
			}
			var starts []storage.Start
			var chunks []petrel.OutputChunk
			var ends []storage.Finish
			for _, x := range got {
				starts = append(starts, storage.Start{ID: x.ID, Owner: "n", Attempt: 1, At: at})
				chunks = append(chunks, petrel.OutputChunk{ID: petrel.NewID(at), ExecutionID: x.ID, Attempt: 1, Seq: 1, At: at, Type: "stdout", Data: "x"})
				ends = append(ends, storage.Finish{ID: x.ID, Owner: "n", Attempt: 1, Status: petrel.StatusSucceeded, Result: petrel.JSON(`1`), At: at})
			}
			arm()
			ok(t, s.Start(bg, starts)...)
			check("start")
			arm()
			ok(t, s.AppendOutput(bg, "n", chunks)...)
			check("output")
			arm()
			ok(t, s.Finish(bg, ends)...)
			check("finish")
			arm()
			ok(t, s.AppendAudit(bg, petrel.AuditEntry{ID: petrel.NewID(at), At: at, Action: "a", Target: "t"}))
			check("audit")
			if n := stored(t, s, petrel.StatusSucceeded); n != 5 {
				t.Fatalf("%d runs succeeded, not 5", n)
			}
			for _, x := range got {
				one, err := s.Execution(bg, x.ID)
				ok(t, err)
				if len(one.Log) != 4 || one.Attempt != 1 || one.Revision != 4 {
					t.Fatalf("a run was changed twice: %+v", one)
				}
			}
			audit, err := s.AuditList(bg, storage.AuditFilter{})
			ok(t, err)
			if len(audit) != 1 {
				t.Fatalf("%d audit entries, not 1", len(audit))
			}
		})
	}
}

// TestBlackhole: a server that does not answer costs a caller its deadline, and
// the store works again as soon as the server does.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	p, through := startProxy(t, storagetest.PostgresURL(t))
	s := openURL(t, through, postgres.Options{MaxConns: 4, Timeout: 700 * time.Millisecond})
	first := newRun()
	ok(t, s.Request(bg, []storage.NewExecution{first})[0].Err)
	p.mode.Store(swallow)
	for name, call := range map[string]func() error{
		"read":    func() error { _, err := s.Execution(bg, first.Execution.ID); return err },
		"request": func() error { return s.Request(bg, runs(1))[0].Err },
		"lease":   func() error { return s.RenewNode(bg, "n", time.Minute) },
		"ping":    func() error { return s.Ping(bg) },
	} {
		began := time.Now()
		err := call()
		if took := time.Since(began); petrel.KindOf(err) != petrel.Unavailable || took > 3*time.Second {
			t.Fatalf("%s: %v after %v", name, err, took)
		}
	}
	p.mode.Store(pass)
	began := time.Now()
	for s.Ping(bg) != nil {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the store does not work again")
		}
	}
	ok(t, s.Request(bg, runs(1))[0].Err)
	if n := stored(t, s, petrel.StatusRequested); n != 2 {
		t.Fatalf("%d runs are stored, not 2", n)
	}
}

// TestUnlearned: a commit whose outcome cannot be learned either is told as such.
func TestUnlearned(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	p, through := startProxy(t, url)
	s := openURL(t, through, postgres.Options{MaxConns: 4, Timeout: time.Second})
	direct := dial(t, url)
	tx, err := direct.Begin(bg)
	ok(t, err)
	// The lock holds the write back until everything is swallowed.
	_, err = tx.Exec(bg, `lock table audit in access exclusive mode`)
	ok(t, err)
	answer := make(chan error, 1)
	go func() {
		answer <- s.AppendAudit(bg, petrel.AuditEntry{ID: petrel.NewID(time.Now()), At: time.Now(), Action: "a", Target: "t"})
	}()
	waitLocked(t, url)
	p.mode.Store(loseCommit)
	ok(t, tx.Rollback(bg))
	for p.fired.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	p.mode.Store(swallow)
	if err := <-answer; petrel.KindOf(err) != petrel.Unknown {
		t.Fatalf("the answer is %v", err)
	}
	p.mode.Store(pass)
}

// waitLocked returns when a session of the test's schema waits for a lock.
func waitLocked(t *testing.T, url string) {
	t.Helper()
	conn := dial(t, url)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		var n int
		ok(t, conn.QueryRow(bg, `select count(*) from pg_locks l where not l.granted and exists (
			select 1 from pg_locks m join pg_class d on d.oid = m.relation where m.pid = l.pid and d.relnamespace = current_schema()::regnamespace)`).Scan(&n))
		if n > 0 {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("nobody waits for a lock")
		}
	}
}

// TestDeadlock: a second session locks in the other order; the store's
// transaction is the victim and is done again as a whole.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	s := openURL(t, url, postgres.Options{MaxConns: 4})
	batch := runs(2)
	for _, r := range s.Request(bg, batch) {
		ok(t, r.Err)
	}
	got, err := s.Claim(bg, storage.Claim{Owner: "n", Host: "h", Limit: 2, Straight: []string{"noop"}, At: time.Now()})
	ok(t, err)
	low, high := got[0], got[1]
	if low.ID > high.ID {
		low, high = high, low
	}
	second := dial(t, url)
	_, err = second.Exec(bg, `set deadlock_timeout = '60s'`) // the store's session looks for deadlocks first
	ok(t, err)
	tx, err := second.Begin(bg)
	ok(t, err)
	_, err = tx.Exec(bg, `select 1 from live where id = $1 for update`, string(high.ID))
	ok(t, err)
	answers := make(chan []error, 1)
	go func() {
		answers <- s.Finish(bg, []storage.Finish{
			{ID: high.ID, Owner: "n", Attempt: 1, Status: petrel.StatusSucceeded, Result: petrel.JSON(`1`), At: time.Now()},
			{ID: low.ID, Owner: "n", Attempt: 1, Status: petrel.StatusSucceeded, Result: petrel.JSON(`2`), At: time.Now()},
		})
	}()
	waitLocked(t, url)
	// The store holds the low row now, so this succeeds only when it was the victim.
	_, err = tx.Exec(bg, `select 1 from live where id = $1 for update`, string(low.ID))
	ok(t, err)
	ok(t, tx.Commit(bg))
	ok(t, <-answers...)
	for _, x := range got {
		one, err := s.Execution(bg, x.ID)
		ok(t, err)
		if one.Status != petrel.StatusSucceeded || len(one.Log) != 4 {
			t.Fatalf("a run is %+v", one)
		}
	}
}

// TestReadOnly is a failover to a server that takes no writes.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	openURL(t, url, postgres.Options{})
	s := openURL(t, url+"&default_transaction_read_only=on", postgres.Options{Timeout: 300 * time.Millisecond})
	if err := s.Ping(bg); petrel.KindOf(err) != petrel.Unavailable {
		t.Fatalf("ping: %v", err)
	}
	if err := s.Request(bg, runs(1))[0].Err; petrel.KindOf(err) != petrel.Unavailable {
		t.Fatalf("request: %v", err)
	}
	if n := stored(t, s); n != 0 {
		t.Fatalf("%d runs are stored", n)
	}
}

// TestServerFault lets the server refuse a row that all checks let pass: the
// batch is halved until that row stands alone.
func TestServerFault(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	s := openURL(t, url, postgres.Options{})
	conn := dial(t, url)
	_, err := conn.Exec(bg, `alter table execution add constraint odd check (user_name <> 'bad')`)
	ok(t, err)
	batch := runs(50)
	batch[17].Execution.User = "bad"
	for i, r := range s.Request(bg, batch) {
		if want := map[bool]petrel.Kind{true: petrel.Invalid}[i == 17]; petrel.KindOf(r.Err) != want {
			t.Fatalf("member %d: %v", i, r.Err)
		}
	}
	if n := stored(t, s); n != 49 {
		t.Fatalf("%d runs are stored, not 49", n)
	}
}

// TestFinalInSQL: the database itself refuses to change a final status and an
// audit entry.
func TestFinalInSQL(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	s := openURL(t, url, postgres.Options{})
	n := newRun()
	n.Execution.Status = petrel.StatusFailed
	n.Audit = []petrel.AuditEntry{{ID: petrel.NewID(time.Now()), At: time.Now(), Action: "a", Target: "t"}}
	ok(t, s.Request(bg, []storage.NewExecution{n})[0].Err)
	for _, sql := range []string{`update execution set status = 'succeeded'`, `update execution set status = null`, `update audit set reason = 'x'`, `delete from audit`} {
		err := s.Write(bg, relational.Rest, func(ctx context.Context, q relational.Query) error {
			_, err := q.Exec(ctx, sql)
			return err
		})
		if err == nil {
			t.Fatalf("%s was done", sql)
		}
	}
}

// TestDedupWindow: after 24 hours a key stands for a new event.
func TestDedupWindow(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	s := openURL(t, url, postgres.Options{})
	conn := dial(t, url)
	put := func() (petrel.ID, storage.Requested) {
		e := petrel.ChatEvent{ID: petrel.NewID(time.Now()), Key: "k", Adapter: "console", Kind: "line", At: time.Now()}
		return e.ID, s.PutChatEvents(bg, []petrel.ChatEvent{e})[0]
	}
	first, _ := put()
	_, err := conn.Exec(bg, `update chat_event set stored_at = stored_at - 23 * 3600 * 1000000::bigint`)
	ok(t, err)
	if _, r := put(); !r.Existing || r.ID != first {
		t.Fatalf("after 23 hours: %+v", r)
	}
	_, err = conn.Exec(bg, `update chat_event set stored_at = stored_at - 2 * 3600 * 1000000::bigint`)
	ok(t, err)
	second, r := put()
	if r.Err != nil || r.Existing || r.ID != second {
		t.Fatalf("after 25 hours: %+v", r)
	}
	if _, r := put(); !r.Existing || r.ID != second {
		t.Fatalf("again: %+v", r)
	}
}

// TestGroupCommit: 16 callers share transactions, and an idle store commits at once.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	registry := prometheus.NewRegistry()
	s := openURL(t, url, postgres.Options{Metrics: registry})
	conn := dial(t, url)
	commits := func() (n int) {
		ok(t, conn.QueryRow(bg, `select count(*) from receipt`).Scan(&n))
		return n
	}
	before := commits()
	for range 5 {
		ok(t, s.Request(bg, runs(1))[0].Err)
	}
	if n := commits() - before; n != 5 {
		t.Fatalf("5 calls one by one took %d commits", n)
	}
	before = commits()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 25 {
				if err := s.Request(bg, runs(1))[0].Err; err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n := commits() - before
	t.Logf("400 calls of 16 callers took %d commits", n)
	if n > 200 {
		t.Fatalf("400 calls of 16 callers took %d commits", n)
	}
	if _, err := registry.Gather(); err != nil {
		t.Fatal(err)
	}
}

// TestMigrateTogether opens an empty database from 5 nodes at once.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s, err := postgres.Open(bg, url, postgres.Options{MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Ping(bg); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestOpenRefuses: each refusal says what to do, and never shows the password.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := storagetest.PostgresURL(t)
	for name, c := range map[string]struct{ url, says string }{
		"no URL":    {"postgres://u:secret99@[::1", "form is postgres://"},
		"no server": {"postgres://u:secret99@127.0.0.1:1/x?sslmode=disable&connect_timeout=1", "cannot be reached"},
		"no schema": {strings.Replace(url, "search_path=", "search_path=none_", 1), "no schema"},
	} {
		_, err := postgres.Open(bg, c.url, postgres.Options{Timeout: time.Second})
		if err == nil || !strings.Contains(fmt.Sprint(err), c.says) || strings.Contains(fmt.Sprint(err), "secret99") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	storagetest.Bench(b, func(b *testing.B) storage.Store {
		s, err := postgres.Open(bg, storagetest.PostgresURL(b), postgres.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// BenchmarkWAL tells how much log the life of a run costs, in batches of 50, and how
// many changes of its moving part stay on their page. The server's log is
// shared, so nothing else should run on it.
func BenchmarkWAL(b *testing.B) {
	url := storagetest.PostgresURL(b)
	s, err := postgres.Open(bg, url, postgres.Options{})
	must(b, err)
	b.Cleanup(func() { _ = s.Close() })
	conn, err := pgx.Connect(bg, url)
	must(b, err)
	b.Cleanup(func() { _ = conn.Close(bg) })
	var from, to, updates, hot float64
	position := func(into *float64) {
		must(b, conn.QueryRow(bg, `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8`).Scan(into))
	}
	position(&from)
	b.ResetTimer()
	n := 0
	for n < b.N {
		batch := runs(50)
		var starts []storage.Start
		var ends []storage.Finish
		at := time.Now()
		for _, r := range s.Request(bg, batch) {
			must(b, r.Err)
		}
		got, err := s.Claim(bg, storage.Claim{Owner: "n", Host: "h", Limit: 50, At: at})
		must(b, err)
		for _, x := range got {
			starts = append(starts, storage.Start{ID: x.ID, Owner: "n", Attempt: 1, At: at})
			ends = append(ends, storage.Finish{ID: x.ID, Owner: "n", Attempt: 1, Status: petrel.StatusSucceeded, Result: petrel.JSON(`{"stdout":"ok"}`), At: at})
		}
		must(b, s.Start(bg, starts)...)
		must(b, s.Finish(bg, ends)...)
		n += len(got)
	}
	b.StopTimer()
	position(&to)
	// Sessions hand in their counts some seconds after they became idle.
	for began := time.Now(); updates < float64(2*n) && time.Since(began) < 15*time.Second; time.Sleep(50 * time.Millisecond) {
		must(b, conn.QueryRow(bg, `select n_tup_upd::float8, n_tup_hot_upd::float8 from pg_stat_user_tables where relname = 'live' and schemaname = current_schema()`).Scan(&updates, &hot))
	}
	b.ReportMetric((to-from)/float64(n), "walB/run")
	b.ReportMetric(100*hot/max(updates, 1), "hot%")
}

func must(b *testing.B, errs ...error) {
	b.Helper()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}
