package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/api"
	"petrel/auth"
	"petrel/queue"
)

// listen opens a stream and answers its lines; the first is the heartbeat that
// is sent at once.
func (s server) listen(t testing.TB, path string, headers ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response, bufio.NewReader(response.Body)
}

func metric(t testing.TB, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			if m.Counter != nil {
				return m.Counter.GetValue()
			}
			return m.Gauge.GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it never happened: " + what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestStream_SlowReaderIsCutOff(t *testing.T) {
	site := newSite(t)
	registry := prometheus.NewRegistry()
	s := site.serve(auth.Config{Disabled: true}, api.Config{
		StreamBuffer: 16, StreamWrite: 500 * time.Millisecond, Registry: registry,
	}, api.ServerOptions{})
	response, _ := s.listen(t, "/stream/v1/stream")
	if response.StatusCode != 200 {
		t.Fatal(response.Status)
	}
	quick, lines := s.listen(t, "/stream/v1/stream?events=st2.announcement__end")
	if quick.StatusCode != 200 {
		t.Fatal(quick.Status)
	}
	payload := petrel.JSON(`{"text":"` + strings.Repeat("x", 256<<10) + `"}`)
	eventually(t, "the reader that never reads is cut off", func() bool {
		for range 20 {
			_ = site.feed.Tell(context.Background(), queue.Event{Kind: "announcement", Op: "create", Route: "flood", Payload: payload})
		}
		return metric(t, registry, "petrel_api_streams_cut_total") > 0
	})
	_ = site.feed.Tell(context.Background(), queue.Event{Kind: "announcement", Op: "create", Route: "end", Payload: petrel.JSON(`{}`)})
	found := false
	for range 10 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the reader that reads is cut off, too: %v", err)
		}
		if found = strings.Contains(line, "st2.announcement__end"); found {
			break
		}
	}
	if !found {
		t.Error("the other reader did not get its event")
	}
	eventually(t, "the cut stream is let go", func() bool { return metric(t, registry, "petrel_api_streams") == 1 })
}

func TestStream_RouteCannotForgeEvents(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	_, lines := s.listen(t, "/stream/v1/stream?events=st2.announcement__*")
	if first, _ := lines.ReadString('\n'); first != "\n" {
		t.Fatalf("no heartbeat at once: %q", first)
	}
	_ = site.feed.Tell(context.Background(), queue.Event{Kind: "announcement", Route: "a\n\nevent: st2.execution__update\ndata: {}\n", Payload: petrel.JSON(`{"a":"b\nc"}`)})
	event, _ := lines.ReadString('\n')
	data, _ := lines.ReadString('\n')
	if event != "event: st2.announcement__a__event: st2.execution__update_data: {}_\n" || data != "data: {\"payload\":{\"a\":\"b\\nc\"},\"trace_context\":null}\n" &&
		!strings.HasPrefix(data, "data: ") {
		t.Errorf("%q %q", event, data)
	}
}

func TestStream_BoundPerUser(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{StreamsPerUser: 3}, api.ServerOptions{})
	ann, bob := s.token(t, "ann"), s.token(t, "bob")
	var first *http.Response
	for i := range 3 {
		r, _ := s.listen(t, "/stream/v1/stream", "X-Auth-Token", ann)
		if r.StatusCode != 200 {
			t.Fatalf("stream %d: %s", i, r.Status)
		}
		if first == nil {
			first = r
		}
	}
	if r, _ := s.listen(t, "/stream/v1/stream", "X-Auth-Token", ann); r.StatusCode != 429 {
		t.Errorf("the fourth: %s", r.Status)
	}
	if r, _ := s.listen(t, "/stream/v1/stream", "X-Auth-Token", bob); r.StatusCode != 200 {
		t.Errorf("somebody else: %s", r.Status)
	}
	first.Body.Close()
	eventually(t, "a closed stream makes room", func() bool {
		r, _ := s.listen(t, "/stream/v1/stream", "X-Auth-Token", ann)
		defer r.Body.Close()
		return r.StatusCode == 200
	})
}

func TestStream_EndsWithTheServer(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	_, lines := s.listen(t, "/stream/v1/stream")
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.api.Stop()
	s.api.Stop()
	if _, err := lines.ReadString('\n'); err == nil || err.Error() != "EOF" {
		t.Errorf("the stream did not end well: %v", err)
	}
	if r, _ := s.listen(t, "/stream/v1/stream"); r.StatusCode != 503 {
		t.Errorf("afterwards: %s", r.Status)
	}
}

func TestStream_Heartbeat(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{Heartbeat: 50 * time.Millisecond}, api.ServerOptions{RequestTime: 200 * time.Millisecond})
	_, lines := s.listen(t, "/stream/v1/stream")
	start := time.Now()
	for range 10 {
		if line, err := lines.ReadString('\n'); err != nil || line != "\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	if took := time.Since(start); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("ten heartbeats took %v; a stream outlives the bound on requests", took)
	}
}

func TestStream_OutputInOrderWhileItComes(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	id := s.do(t, "POST", "/api/v1/executions", `{"action": "core.local", "parameters": {"cmd": "for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done"}}`).at(t, "id")
	_, lines := s.listen(t, "/stream/v1/executions/"+id+"/output?output_type=stdout")
	var got []string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		if strings.HasPrefix(line, "event: EOF") {
			break
		}
		for i := 1; i <= 5; i++ {
			if strings.Contains(line, fmt.Sprintf("line %d", i)) {
				got = append(got, fmt.Sprint(i))
			}
		}
	}
	if strings.Join(got, "") != "12345" {
		t.Errorf("lines %v", got)
	}
}

func TestChatStream_OutlivesTheBoundOnRequests(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{
		Chat: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who, ok := auth.FromContext(r.Context())
			control := http.NewResponseController(w)
			for i := range 8 {
				fmt.Fprintf(w, "%s %v %s %d\n", who.User, ok, r.URL.Path, i)
				if control.Flush() != nil {
					return
				}
				select {
				case <-r.Context().Done():
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}),
	}, api.ServerOptions{RequestTime: 150 * time.Millisecond})
	response, lines := s.listen(t, "/api/v1/chat/stream")
	if response.StatusCode != 200 {
		t.Fatal(response.Status)
	}
	for i := range 8 {
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf("%s true /chat/stream %d\n", site.user, i); err != nil || line != want {
			t.Fatalf("%q %v, want %q", line, err, want)
		}
	}
}
