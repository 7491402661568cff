package kill_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"petrel"
	"petrel/bot/console"
)

// screen is a chat client: it reads the console's stream, takes it up again
// where it broke, and keeps what a person would see.
type screen struct {
	h      *house
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	byPost map[petrel.ID]console.Update // the newest revision of each message
	posts  map[petrel.ID]map[petrel.ID]bool
	leaked int
	wrong  []string
	broken int // streams that broke
}

func startScreen(h *house) *screen {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &screen{h: h, cancel: cancel, done: make(chan struct{}), byPost: map[petrel.ID]console.Update{}, posts: map[petrel.ID]map[petrel.ID]bool{}}
	key := h.login().APIKey
	go func() {
		defer close(s.done)
		last := "0" // from the beginning
		for ctx.Err() == nil {
			last = s.read(ctx, key, last)
			select {
			case <-ctx.Done():
			case <-time.After(4 * poll): // the program may be down
			}
		}
	}()
	h.t.Cleanup(s.stop)
	return s
}

func (s *screen) stop() {
	s.cancel()
	<-s.done
}

// read reads one stream to its end and answers the id of the last event.
func (s *screen) read(ctx context.Context, key, last string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.h.url+"/api/v1/chat/stream", nil)
	if err != nil {
		return last
	}
	r.Header.Set("St2-Api-Key", key)
	r.Header.Set("Last-Event-ID", last)
	// A stream lasts longer than the time limit of the other requests.
	answer, err := (&http.Client{Transport: s.h.http.Transport}).Do(r)
	if err != nil {
		return last
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	if answer.StatusCode != http.StatusOK {
		return last
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 8<<20)
	var id, event, data string
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, s.h.canary) {
			s.mu.Lock()
			s.leaked++
			s.mu.Unlock()
		}
		switch name, value, _ := strings.Cut(line, ": "); {
		case line == "":
			if event == "message" {
				s.show(data)
			}
			if id != "" {
				last = id
			}
			id, event, data = "", "", ""
		case name == "id":
			id = value
		case name == "event":
			event = value
		case name == "data":
			data = value
		}
	}
	s.mu.Lock()
	s.broken++
	s.mu.Unlock()
	return last
}

// show takes a message as a client does: by its post, the newest revision.
func (s *screen) show(data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var u console.Update
	if err := json.Unmarshal([]byte(data), &u); err != nil {
		s.wrong = append(s.wrong, "the stream's message cannot be read: "+err.Error())
		return
	}
	before, known := s.byPost[u.Post]
	switch {
	case known && u.Revision < before.Revision:
		return
	case known && before.Final && (u.Revision > before.Revision || !u.Final):
		s.wrong = append(s.wrong, "the final message "+string(u.Post)+" was changed")
	}
	s.byPost[u.Post] = u
	if s.posts[u.Event] == nil {
		s.posts[u.Event] = map[petrel.ID]bool{}
	}
	s.posts[u.Event][u.Post] = true
}

// answered counts the events that have a final message.
func (s *screen) answered(events map[string]petrel.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, event := range events {
		for post := range s.posts[event] {
			if s.byPost[post].Final {
				n++
				break
			}
		}
	}
	return n
}

// reply is the one message that answers an event; how many there are otherwise.
func (s *screen) reply(event petrel.ID) (console.Update, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for post := range s.posts[event] {
		if len(s.posts[event]) == 1 {
			return s.byPost[post], 1
		}
	}
	return console.Update{}, len(s.posts[event])
}
