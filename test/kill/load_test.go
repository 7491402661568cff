package kill_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"petrel"
	"petrel/engine/enginetest"
)

// load asks for runs, by the API and by chat lines, while the program is
// killed around it. An answer that was lost is asked for again with the same
// key, until there is one.
type load struct {
	h        *house
	accepted *enginetest.Accepted
	stopped  chan struct{}
	done     sync.WaitGroup
	n        atomic.Int64

	mu     sync.Mutex
	events []petrel.ID // chat events that were accepted
	ids    []petrel.ID // executions that were accepted by the API
	byKey  map[string]petrel.ID
	wrong  []string
}

func startLoad(h *house, seed uint64) *load {
	h.t.Helper()
	accepted, err := enginetest.OpenAccepted(h.state + "/accepted")
	if err != nil {
		h.t.Fatal(err)
	}
	l := &load{h: h, accepted: accepted, stopped: make(chan struct{}), byKey: map[string]petrel.ID{}}
	for c := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(c)))
		l.done.Go(func() { l.client(c, random) })
	}
	return l
}

// stop ends the load; requests whose answer is open are asked for to the end,
// so the program must be up.
func (l *load) stop() {
	close(l.stopped)
	l.done.Wait()
	l.accepted.Close()
}

func (l *load) client(c int, random *rand.Rand) {
	for n := 0; ; n++ {
		key := fmt.Sprintf("client-%d-%d", c, n)
		seconds := fmt.Sprintf("0.%02d", random.IntN(10))
		var err error
		if c < 4 {
			err = l.api(key, seconds, n%4 == 3)
		} else {
			err = l.chat(key, seconds)
		}
		if err != nil {
			l.mu.Lock()
			l.wrong = append(l.wrong, err.Error())
			l.mu.Unlock()
			return
		}
		select {
		case <-l.stopped:
			return
		case <-time.After(time.Duration(20+random.IntN(60)) * time.Millisecond):
		}
	}
}

// api asks for a run; every fourth one is asked for twice.
func (l *load) api(key, seconds string, twice bool) error {
	body := fmt.Sprintf(`{"action":"kill.mark","parameters":{"seconds":%q}}`, seconds)
	for ; ; twice = false {
		var x struct {
			ID petrel.ID `json:"id"`
		}
		if err := l.ask("/api/v1/executions", body, key, &x); err != nil {
			return err
		}
		l.mu.Lock()
		before, again := l.byKey[key]
		l.byKey[key] = x.ID
		if !again {
			l.ids = append(l.ids, x.ID)
		}
		l.mu.Unlock()
		if again {
			if before != x.ID {
				return fmt.Errorf("the key %s answers %s and then %s", key, before, x.ID)
			}
			return nil
		}
		if err := l.accepted.Add(x.ID); err != nil {
			return err
		}
		l.n.Add(1)
		if !twice {
			return nil
		}
	}
}

// chat says a line.
func (l *load) chat(key, seconds string) error {
	var e struct {
		Event petrel.ID `json:"event"`
	}
	body := fmt.Sprintf(`{"text":"!st2 run kill.mark seconds=%s","event_id":%q}`, seconds, key)
	if err := l.ask("/api/v1/chat/messages", body, "", &e); err != nil {
		return err
	}
	l.mu.Lock()
	l.events = append(l.events, e.Event)
	l.mu.Unlock()
	l.n.Add(1)
	return nil
}

// ask posts until there is an answer.
func (l *load) ask(path, body, key string, into any) error {
	for began := time.Now(); ; {
		r, err := http.NewRequest("POST", l.h.url+path, bytes.NewReader([]byte(body)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		answer, err := l.h.http.Do(r)
		if err == nil {
			var raw []byte
			raw, err = io.ReadAll(answer.Body)
			answer.Body.Close()
			switch {
			case err != nil:
			case answer.StatusCode/100 == 2:
				return json.Unmarshal(raw, into)
			case answer.StatusCode == http.StatusBadRequest && bytes.Contains(raw, []byte("cannot be found")):
				// The packs are not registered yet, at the very first start.
			case answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests:
				return fmt.Errorf("POST %s answers %d %s", path, answer.StatusCode, raw)
			}
		}
		if time.Since(began) > 2*patience {
			return fmt.Errorf("POST %s has no answer for %v: %v", path, 2*patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
