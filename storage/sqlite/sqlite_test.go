package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/storage"
	"petrel/storage/relational"
	"petrel/storage/sqlite"
	"petrel/storage/storagetest"
)

var bg = context.Background()

func TestMain(m *testing.M) {
	if path := os.Getenv("PETREL_TEST_VICTIM"); path != "" {
		victim(path)
	}
	os.Exit(m.Run())
}

func openAt(t testing.TB, path string, options sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(bg, path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	})
}

func newRun() storage.NewExecution {
	at := petrel.Micros(time.Now())
	return storage.NewExecution{Execution: petrel.Execution{
		ID: petrel.NewID(at), LiveActionID: petrel.NewID(at), Action: petrel.Action{ID: "5f0000000000000000000002", Ref: "core.noop", Pack: "core", Name: "noop", Enabled: true, RunnerType: "noop"},
		Runner: petrel.RunnerType{ID: "5f0000000000000000000001", Name: "noop"}, Status: petrel.StatusRequested, StartedAt: at, Lane: petrel.LaneInteractive,
	}}
}

func ok(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// raw runs a statement that the store has no method for.
func raw(s *sqlite.Store, sql string) error {
	return s.Write(bg, relational.Rest, func(ctx context.Context, q relational.Query) error {
		result, err := q.Rows(ctx, sql)
		if err != nil {
			return err
		}
		defer result.Close()
		for result.Next() {
		}
		return result.Err()
	})
}

// TestOneProcess: a second opening of the same file is refused, by name, and
// allowed again when the first is closed.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub folder", "petrel ü?.db")
	s, err := sqlite.Open(bg, "sqlite://"+path, sqlite.Options{})
	ok(t, err)
	_, err = sqlite.Open(bg, path, sqlite.Options{})
	if petrel.KindOf(err) != petrel.Conflict || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Fatalf("the second opening: %v", err)
	}
	ok(t, s.Close())
	again := openAt(t, path, sqlite.Options{Synchronous: "normal"})
	ok(t, again.Ping(bg))
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("the file has mode %v", info.Mode())
	}
	if _, err := sqlite.Open(bg, path, sqlite.Options{Synchronous: "off"}); petrel.KindOf(err) != petrel.Invalid {
		t.Fatalf("synchronous off: %v", err)
	}
}

// TestFullDisk: what does not fit is refused, what fits beside it is stored,
// and the store works on when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	ok(t, s.Request(bg, []storage.NewExecution{newRun()})[0].Err)
	ok(t, raw(s, `pragma max_page_count = 200`))
	noise := make([]byte, 2<<20)
	for i := range noise {
		noise[i] = byte('a' + rand.N(26))
	}
	big := newRun()
	big.Execution.Parameters = petrel.JSON(fmt.Sprintf("%q", noise))
	// The big one and the small ones meet in one group of writes.
	release := make(chan struct{})
	entered := make(chan struct{})
	var once sync.Once
	go func() {
		_ = s.Write(bg, relational.Rest, func(context.Context, relational.Query) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		})
	}()
	<-entered
	var wg sync.WaitGroup
	small := make([]error, 8)
	var bigErr error
	wg.Go(func() { bigErr = s.Request(bg, []storage.NewExecution{big})[0].Err })
	for i := range small {
		wg.Go(func() { small[i] = s.Request(bg, []storage.NewExecution{newRun()})[0].Err })
	}
	close(release)
	wg.Wait()
	if petrel.KindOf(bigErr) != petrel.Unavailable || !strings.Contains(bigErr.Error(), "full") {
		t.Fatalf("the big one: %v", bigErr)
	}
	ok(t, small...)
	_, total, err := s.ExecutionList(bg, storage.ExecutionFilter{Limit: 1})
	ok(t, err)
	if total != 9 {
		t.Fatalf("%d runs are stored, not 9", total)
	}
	ok(t, raw(s, `pragma max_page_count = 1073741823`))
	ok(t, s.Request(bg, []storage.NewExecution{big})[0].Err)
}

// TestOrderOfQueues: leases and what comes from chats go before the rest.
func TestOrderOfQueues(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	release := make(chan struct{})
	entered := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Write(bg, relational.Rest, func(context.Context, relational.Query) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		})
	})
	<-entered
	var mu sync.Mutex
	order := ""
	add := func(class relational.Class, name string) {
		queued := make(chan struct{})
		wg.Go(func() {
			close(queued)
			err := s.Write(bg, class, func(context.Context, relational.Query) error {
				mu.Lock()
				defer mu.Unlock()
				order += name
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-queued
	}
	for range 20 {
		add(relational.Rest, "r")
	}
	add(relational.Inbound, "i")
	add(relational.Lease, "l")
	waitFor(t, func() bool { return s.Waiting() == 22 })
	close(release)
	wg.Wait()
	if order != "li"+strings.Repeat("r", 20) {
		t.Fatalf("the order is %s", order)
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it did not come to be")
		}
	}
}

// TestGroupCommit: 16 callers share transactions, and an idle store commits at once.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{Metrics: registry})
	before := s.Commits()
	for range 5 {
		ok(t, s.Request(bg, []storage.NewExecution{newRun()})[0].Err)
	}
	if n := s.Commits() - before; n != 5 {
		t.Fatalf("5 calls one by one took %d commits", n)
	}
	before = s.Commits()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 25 {
				if err := s.Request(bg, []storage.NewExecution{newRun()})[0].Err; err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n := s.Commits() - before
	t.Logf("400 calls of 16 callers took %d commits", n)
	if n > 250 {
		t.Fatalf("400 calls of 16 callers took %d commits", n)
	}
	if _, err := registry.Gather(); err != nil {
		t.Fatal(err)
	}
}

// TestGivenUp: a caller whose time is over while its write waits has written nothing.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{Timeout: 100 * time.Millisecond})
	release := make(chan struct{})
	entered := make(chan struct{})
	var once sync.Once
	held := make(chan error, 1)
	go func() {
		held <- s.Write(bg, relational.Rest, func(context.Context, relational.Query) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		})
	}()
	<-entered
	n := newRun()
	err := s.Request(bg, []storage.NewExecution{n})[0].Err
	if petrel.KindOf(err) != petrel.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the waiting one: %v", err)
	}
	close(release)
	ok(t, <-held) // it was at work, so its outcome is what counts
	if _, err := s.Execution(bg, n.Execution.ID); petrel.KindOf(err) != petrel.NotFound {
		t.Fatalf("the given up run: %v", err)
	}
}

// TestFinalInSQL: the database itself refuses to change a final status and an
// audit entry.
func TestFinalInSQL(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{})
	n := newRun()
	n.Execution.Status = petrel.StatusFailed
	n.Audit = []petrel.AuditEntry{{ID: petrel.NewID(time.Now()), At: time.Now(), Action: "a", Target: "t"}}
	ok(t, s.Request(bg, []storage.NewExecution{n})[0].Err)
	for _, sql := range []string{`update execution set status = 'succeeded'`, `update execution set status = null`, `update audit set reason = 'x'`, `delete from audit`} {
		if err := raw(s, sql); err == nil {
			t.Fatalf("%s was done", sql)
		}
	}
}

// TestDedupWindow: after 24 hours a key stands for a new event.
func TestDedupWindow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := openAt(t, filepath.Join(t.TempDir(), "petrel.db"), sqlite.Options{Now: func() time.Time { return now }})
	put := func() (petrel.ID, storage.Requested) {
		e := petrel.ChatEvent{ID: petrel.NewID(time.Now()), Key: "k", Adapter: "console", Kind: "line", At: time.Now()}
		return e.ID, s.PutChatEvents(bg, []petrel.ChatEvent{e})[0]
	}
	first, _ := put()
	now = now.Add(23 * time.Hour)
	if _, r := put(); !r.Existing || r.ID != first {
		t.Fatalf("after 23 hours: %+v", r)
	}
	now = now.Add(2 * time.Hour)
	second, r := put()
	if r.Err != nil || r.Existing || r.ID != second {
		t.Fatalf("after 25 hours: %+v", r)
	}
	if _, r := put(); !r.Existing || r.ID != second {
		t.Fatalf("again: %+v", r)
	}
}

// TestLogStartsAgain: under writes that never pause the write-ahead log does
// not grow without end.
func TestLogStartsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("writes for some seconds")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "petrel.db")
	s := openAt(t, path, sqlite.Options{Synchronous: "NORMAL"})
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte('a' + rand.N(26))
	}
	var written int64
	for written < 300<<20 {
		batch := make([]storage.NewExecution, 20)
		for i := range batch {
			batch[i] = newRun()
			batch[i].Execution.Parameters = petrel.JSON(fmt.Sprintf("%q", noise))
			written += int64(len(noise))
		}
		for _, r := range s.Request(bg, batch) {
			ok(t, r.Err)
		}
	}
	info, err := os.Stat(path + "-wal")
	ok(t, err)
	if info.Size() > 200<<20 {
		t.Fatalf("the log has %d MB after %d MB were written", info.Size()>>20, written>>20)
	}
}

// victim writes and tells what was answered until it is killed.
func victim(path string) {
	s, err := sqlite.Open(bg, path, sqlite.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	var mu sync.Mutex
	for range 4 {
		go func() {
			for {
				n := newRun()
				if r := s.Request(bg, []storage.NewExecution{n})[0]; r.Err != nil {
					continue
				}
				mu.Lock()
				fmt.Println(n.Execution.ID)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// TestKill kills a writing process at random moments: the file opens clean each
// time, at once, and holds all that was answered.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 25
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "petrel.db")
	answered := make(map[petrel.ID]bool)
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PETREL_TEST_VICTIM="+path)
		out, err := cmd.StdoutPipe()
		ok(t, err)
		ok(t, cmd.Start())
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "open" {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("the file did not open: %s", lines.Text())
		}
		after := time.AfterFunc(time.Duration(rand.N(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			if id := petrel.ID(lines.Text()); id.Valid() {
				answered[id] = true
			}
		}
		after.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	s := openAt(t, path, sqlite.Options{})
	all, total, err := s.ExecutionList(bg, storage.ExecutionFilter{})
	ok(t, err)
	for _, x := range all {
		delete(answered, x.ID)
	}
	t.Logf("%d kills, %d runs are stored", kills, total)
	if len(answered) > 0 || total == 0 {
		t.Fatalf("%d answered runs are lost of %d", len(answered), total)
	}
	verdict := ""
	ok(t, s.Read(bg, func(ctx context.Context, q relational.Query) error {
		result, err := q.Rows(ctx, `pragma integrity_check`)
		if err != nil {
			return err
		}
		defer result.Close()
		for result.Next() {
			if err := result.Scan(&verdict); err != nil {
				return err
			}
		}
		return result.Err()
	}))
	if verdict != "ok" {
		t.Fatalf("integrity check: %s", verdict)
	}
}

func BenchmarkStore(b *testing.B) {
	storagetest.Bench(b, func(b *testing.B) storage.Store {
		return openAt(b, filepath.Join(b.TempDir(), "petrel.db"), sqlite.Options{})
	})
}
