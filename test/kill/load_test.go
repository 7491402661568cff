package kill_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"petrel"
	"petrel/engine/enginetest"
)

// The kinds of clients. Each says or asks one thing after the other.
const (
	apiClients  = 3
	chatClients = 2
)

// load asks for runs, by the API and by chat lines, while the program is
// killed around it. What was accepted is in a file, synced, before the client
// goes on. An answer that was lost is asked for again with the same key; now
// and then it is not, and stays a maybe.
type load struct {
	h        *house
	key      string // of the API
	noops    bool   // some runs are without side effects
	accepted *enginetest.Accepted
	heard    *enginetest.Accepted // chat lines
	stopped  chan struct{}
	done     sync.WaitGroup

	mu     sync.Mutex
	byKey  map[string]petrel.ID // executions the API accepted
	maybe  []string             // keys whose answer stayed lost
	events map[string]petrel.ID // chat lines that were accepted, by the client's event id
	said   map[string]string    // lines whose answer stayed lost, by event id
	lost   int                  // answers that were lost and asked for again
	leaked []string             // answers with the canary
	wrong  []string
}

func startLoad(h *house, noops bool) *load {
	h.t.Helper()
	dir := filepath.Dir(h.logs)
	accepted, err := enginetest.OpenAccepted(filepath.Join(dir, "accepted"))
	if err != nil {
		h.t.Fatal(err)
	}
	heard, err := enginetest.OpenAccepted(filepath.Join(dir, "heard"))
	if err != nil {
		h.t.Fatal(err)
	}
	l := &load{h: h, key: h.login().APIKey, noops: noops, accepted: accepted, heard: heard, stopped: make(chan struct{}),
		byKey: map[string]petrel.ID{}, events: map[string]petrel.ID{}, said: map[string]string{}}
	for c := range apiClients + chatClients {
		random := rand.New(rand.NewPCG(h.random.Uint64(), uint64(c)))
		l.done.Go(func() {
			if err := l.client(c, random); err != nil {
				l.mu.Lock()
				l.wrong = append(l.wrong, err.Error())
				l.mu.Unlock()
			}
		})
	}
	return l
}

// stop ends the load. Lines whose answer stayed lost are said again, under
// their old event ids: after that each of them was taken exactly once.
func (l *load) stop() {
	close(l.stopped)
	l.done.Wait()
	random := rand.New(rand.NewPCG(1, 1))
	for id, line := range maps.Clone(l.said) {
		if err := l.say(id, line, random); err != nil {
			l.wrong = append(l.wrong, err.Error())
		}
	}
	for _, a := range []*enginetest.Accepted{l.accepted, l.heard} {
		if err := a.Close(); err != nil {
			l.wrong = append(l.wrong, err.Error())
		}
	}
}

// size is how many executions and lines were accepted.
func (l *load) size() (executions, lines int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byKey), len(l.events)
}

func (l *load) client(c int, random *rand.Rand) error {
	for n := 0; ; n++ {
		id := fmt.Sprintf("client-%d-%d", c, n)
		seconds := fmt.Sprintf("0.%02d", random.IntN(10))
		var err error
		switch {
		case c >= apiClients && l.noops && n%8 == 7:
			err = l.say(id, "!st2 run core.noop", random)
		case c >= apiClients && n%4 == 2:
			err = l.say(id, "!st2 run kill.mark seconds="+seconds+" token="+l.h.canary, random)
		case c >= apiClients:
			err = l.say(id, "!st2 run kill.mark seconds="+seconds, random)
		case l.noops && n%8 == 7:
			err = l.ask(id, `{"action":"core.noop"}`, random)
		default:
			err = l.ask(id, fmt.Sprintf(`{"action":"kill.mark","parameters":{"seconds":%q,"stray":%v,"token":%q}}`, seconds, n%4 == 1, l.h.canary), random)
		}
		if err != nil {
			return err
		}
		// The pace of the load: a client thinks a moment.
		select {
		case <-l.stopped:
			return nil
		case <-time.After(time.Duration(20+random.IntN(60)) * time.Millisecond):
		}
	}
}

// errLost says that there was no answer and that nobody asks again.
var errLost = fmt.Errorf("the answer was lost")

// ask asks for a run by the API; every fourth is asked for again later, and
// must be the same.
func (l *load) ask(key, body string, random *rand.Rand) error {
	again := random.IntN(4) == 0
	for {
		var x struct {
			ID petrel.ID `json:"id"`
		}
		err := l.post("/api/v1/executions", body, key, http.StatusCreated, &x, func() error { return l.accepted.Maybe(key) }, random.IntN(20) == 0)
		if err == errLost {
			l.mu.Lock()
			l.maybe = append(l.maybe, key)
			l.mu.Unlock()
			return nil
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		before, repeated := l.byKey[key]
		l.byKey[key] = x.ID
		l.mu.Unlock()
		switch {
		case repeated && before != x.ID:
			return fmt.Errorf("the key %s answers %s and then %s", key, before, x.ID)
		case repeated:
			return nil
		}
		if err := l.accepted.Add(x.ID); err != nil {
			return err
		}
		if !again {
			return nil
		}
	}
}

// say says a line in the caller's own channel.
func (l *load) say(id, line string, random *rand.Rand) error {
	body := fmt.Sprintf(`{"text":%q,"event_id":%q}`, line, id)
	var e struct {
		Event petrel.ID `json:"event"`
	}
	err := l.post("/api/v1/chat/messages", body, "", http.StatusAccepted, &e, func() error { return l.heard.Maybe(id) }, random.IntN(20) == 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == errLost {
		l.said[id] = line
		return nil
	}
	if err != nil {
		return err
	}
	delete(l.said, id)
	l.events[id] = e.Event
	return l.heard.Add(e.Event)
}

// post posts until there is an answer. Each lost one is noted with maybe; with
// giveUp the first ends it with errLost, unless the load is over.
func (l *load) post(path, body, key string, want int, into any, maybe func() error, giveUp bool) error {
	for deadline := time.Now().Add(patience); ; {
		r, err := http.NewRequest(http.MethodPost, l.h.url+path, bytes.NewReader([]byte(body)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("St2-Api-Key", l.key)
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		status, raw, err := l.h.do(r)
		if bytes.Contains(raw, []byte(l.h.canary)) {
			l.mu.Lock()
			l.leaked = append(l.leaked, "POST "+path)
			l.mu.Unlock()
		}
		switch {
		case err != nil:
			if err := maybe(); err != nil {
				return err
			}
			l.mu.Lock()
			l.lost++
			l.mu.Unlock()
			select {
			case <-l.stopped:
			default:
				if giveUp {
					return errLost
				}
			}
		case status == want:
			return json.Unmarshal(raw, into)
		case status < 500 && status != http.StatusTooManyRequests:
			return fmt.Errorf("POST %s answers %d %s", path, status, raw)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("POST %s has no answer for %v: %d %s %v", path, patience, status, raw, err)
		}
		// Whether the program is up again gives no signal to its clients.
		time.Sleep(4 * poll)
	}
}

// do sends a request and reads its answer whole.
func (h *house) do(r *http.Request) (int, []byte, error) {
	answer, err := h.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or its error is told
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, raw, err
}

// get reads from the API with the key of the folder's owner; what is wrong is
// an error, because the program may be down.
func (h *house) get(path string, into any) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, h.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("St2-Api-Key", h.login().APIKey)
	status, raw, err := h.do(r)
	switch {
	case err != nil:
		return raw, err
	case status != http.StatusOK:
		return raw, fmt.Errorf("GET %s answers %d %s", path, status, raw)
	case into == nil:
		return raw, nil
	}
	return raw, json.Unmarshal(raw, into)
}

// readLedger reads what the actions wrote.
func (h *house) readLedger() []enginetest.Entry {
	h.t.Helper()
	f, err := os.Open(h.ledger)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read from
	entries, err := enginetest.ReadLedger(f)
	if err != nil {
		h.t.Fatal(err)
	}
	return entries
}

// readAccepted reads what the load wrote down.
func (h *house) readAccepted(name string) (ids []petrel.ID, maybe []string) {
	h.t.Helper()
	f, err := os.Open(filepath.Join(filepath.Dir(h.logs), name))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read from
	ids, maybe, err = enginetest.ReadAccepted(f)
	if err != nil {
		h.t.Fatal(err)
	}
	return ids, maybe
}
