package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"petrel/api"
	"petrel/auth"
)

func tokenFor(user string) auth.TokenRequest { return auth.TokenRequest{User: user} }

// within fails when a single hostile request took longer than it may cost.
func within(t *testing.T, name string, start time.Time) {
	t.Helper()
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("%s took %v", name, took)
	}
}

func TestHostile_Bodies(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	const json = "application/json"
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		says                    string
		headers                 []string
	}{
		{"11 MB", json, `{"action": "core.noop", "x": "` + strings.Repeat("a", 11<<20) + `"}`, 413, "limit of 10485760 bytes", nil},
		{"invalid UTF-8", json, "{\"action\": \"core.\xff\"}", 400, "not valid UTF-8", nil},
		{"overlong form", json, "{\"action\": \"\xc0\xaf\"}", 400, "not valid UTF-8", nil},
		{"lone surrogate", json, `{"action": "\ud800"}`, 400, "Failed to parse request body", nil},
		{"byte order mark", json, "\uFEFF{}", 400, "Failed to parse request body", nil},
		{"NUL", json, `{"action": "core.local", "parameters": {"cmd": "a\u0000b"}}`, 400, "parameters.cmd holds a NUL character", nil},
		{"NUL in a key", json, `{"a\u0000": 1}`, 400, "NUL", nil},
		{"100,000 deep", json, strings.Repeat("[", 100_000), 400, "deeper than 64", nil},
		{"100,000 objects deep", json, strings.Repeat(`{"a":`, 100_000), 400, "deeper than 64", nil},
		{"brackets in a text are no depth", json, `{"action": "` + strings.Repeat("[", 1000) + `"}`, 400, "cannot be found", nil},
		{"doubled key", json, `{"action": "core.noop", "user": "a", "user": "admin"}`, 400, `the key "user" stands twice`, nil},
		{"doubled key, written differently", json, `{"action": "core.noop", "user": "a", "\u0075ser": "admin"}`, 400, "stands twice", nil},
		{"keys differ in case", json, `{"ACTION": "core.noop"}`, 400, "'action' is a required property", nil},
		{"two documents", json, `{"action": "core.noop"}{"x": 1}`, 400, "Extra data", nil},
		{"1e400", json, `{"action": "core.noop", "delay": 1e400}`, 400, "", nil},
		{"NaN", json, `{"action": "core.noop", "parameters": {"x": NaN}}`, 400, "Failed to parse request body", nil},
		{"10,000 digits", json, `{"action": "core.noop", "delay": ` + strings.Repeat("9", 10_000) + `}`, 400, "", nil},
		{"a delay of 2^63", json, `{"action": "core.noop", "delay": 9223372036854775808}`, 400, "delay", nil},
		{"a negative delay", json, `{"action": "core.noop", "delay": -1}`, 400, "delay", nil},
		{"gzip bomb", json, bomb.String(), 415, "Content-Encoding", []string{"Content-Encoding", "gzip"}},
		{"unknown type", "application/xml", "<a/>", 400, `Unsupported Content-Type: "application/xml"`, nil},
		{"utf-16", "application/json; charset=utf-16", "\xff\xfe{\x00}\x00", 400, "not valid UTF-8", nil},
		{"a form for JSON", "application/x-www-form-urlencoded", "action=core.noop", 400, "['core.noop'] is not of type 'string'", nil},
		{"multipart with no end", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\ncore.noop", 400, "", nil},
		{"a million keys", json, "{" + strings.Repeat(`"a":1,`, 200_000) + `"a":1}`, 400, "", nil},
		{"a name of a megabyte", json, `{"action": "` + strings.Repeat("a", 1<<20) + `"}`, 400, "…", nil},
	} {
		start := time.Now()
		got := s.do(t, "POST", "/api/v1/executions", c.body, append([]string{"Content-Type", c.contentType}, c.headers...)...)
		within(t, c.name, start)
		if got.status != c.status || !strings.Contains(got.fault(), c.says) {
			t.Errorf("%s: %d %.300s, want %d with %q", c.name, got.status, got.text, c.status, c.says)
		}
		if len(got.text) > 4<<10 {
			t.Errorf("%s: the answer gives %d bytes back", c.name, len(got.text))
		}
	}
	// Nothing was half-saved.
	if got := s.do(t, "GET", "/api/v1/executions", ""); got.header.Get("X-Total-Count") != "0" {
		t.Errorf("executions were left behind: %.500s", got.text)
	}
}

func TestHostile_RequestLineAndHeaders(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	long := strings.Repeat("a", 20<<10)
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"long URL", "GET", "/api/v1/" + long, nil, 414},
		{"10,000 parameters", "GET", "/api/v1/actions?" + strings.Repeat("a&", 5_000), nil, 400},
		{"path that is no text", "GET", "/api/v1/actions/%ff", nil, 400},
		{"NUL in the path", "GET", "/api/v1/actions/a%00b", nil, 400},
		{"NUL in the query", "GET", "/api/v1/actions?name=a%00", nil, 400},
		{"query that is no text", "GET", "/api/v1/actions?name=%ff", nil, 400},
		{"dots", "GET", "/api/v1/../v1/actions", nil, 404},
		{"encoded dots", "GET", "/api/v1/%2e%2e/v1/actions", nil, 404},
		{"double slash", "GET", "//api/v1/actions", nil, 404},
		{"two slashes at the end", "GET", "/api/v1/actions//", nil, 404},
		{"one slash at the end", "GET", "/api/v1/actions/", nil, 200},
		{"encoded slash", "GET", "/api/v1%2factions", nil, 200},
		{"semicolon", "GET", "/api/v1/actions;x=1", nil, 404},
		{"mixed case", "GET", "/API/v1/actions", nil, 404},
		{"override of the method", "GET", "/api/v1/actions", []string{"X-HTTP-Method-Override", "DELETE"}, 200},
		{"TRACE", "TRACE", "/api/v1/actions", nil, 404},
		{"PATCH", "PATCH", "/api/v1/actions", nil, 404},
		{"HEAD", "HEAD", "/api/v1/actions", nil, 404},
		{"OPTIONS anywhere", "OPTIONS", "/nothing/at/all", nil, 200},
		{"limit of a million digits", "GET", "/api/v1/actions?limit=" + strings.Repeat("9", 10_000), nil, 200},
		{"limit with a sign", "GET", "/api/v1/actions?limit=%2b1", nil, 400},
		{"offset beyond 32 bits", "GET", "/api/v1/actions?offset=1000000000000000000", nil, 400},
		{"SQL in sort", "GET", "/api/v1/executions?sort=;drop%20table%20execution", nil, 400},
		{"SQL in a filter", "GET", "/api/v1/executions?user='%20or%201=1%20--", nil, 200},
		{"SQL in an id", "GET", "/api/v1/executions/'%20or%201=1", nil, 404},
		{"a class in a filter", "GET", "/api/v1/executions?filter=__class__:x", nil, 400},
		{"1000 excluded attributes", "GET", "/api/v1/executions?exclude_attributes=" + strings.Repeat("result,", 1000), nil, 400},
		{"1000 included attributes", "GET", "/api/v1/executions?include_attributes=" + strings.Repeat("id,", 1000), nil, 400},
		{"1000 ids", "GET", "/api/v1/executions?id=" + strings.Repeat("000000000000000000000000,", 500), nil, 400},
		{"upper-case id", "GET", "/api/v1/executions/00000000000000000000000A", nil, 404},
		{"year 10000", "GET", "/api/v1/executions?timestamp_gt=10000-01-01T00:00:00Z", nil, 400},
		{"leap second", "GET", "/api/v1/executions?timestamp_gt=2016-12-31T23:59:60Z", nil, 400},
		{"a header of another user", "GET", "/api/v1/actions/core.noop", []string{"st2-context", "[1]"}, 200},
	} {
		start := time.Now()
		got := s.do(t, c.method, c.path, "", c.headers...)
		within(t, c.name, start)
		if got.status != c.status {
			t.Errorf("%s: %d %.300s, want %d", c.name, got.status, got.text, c.status)
		}
		if got.status != 431 && got.header.Get("X-Request-ID") == "" {
			t.Errorf("%s: no X-Request-ID", c.name)
		}
	}
}

// raw sends bytes and gives the status line of the answer; empty when the
// server closed without one.
func raw(t *testing.T, s server, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, text)
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func TestHostile_HugeHeaders(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	for name, headers := range map[string]string{
		"40 KB header":   "X-A: " + strings.Repeat("a", 40<<10) + "\r\n",
		"1 MB header":    "X-A: " + strings.Repeat("a", 1<<20) + "\r\n",
		"10,000 headers": strings.Repeat("X-A: b\r\n", 10_000),
	} {
		start := time.Now()
		// The server may close before it has read all, which resets the connection.
		if line := raw(t, s, "GET /api/v1/ HTTP/1.1\r\nHost: x\r\n"+headers+"\r\n"); line != "" && !strings.Contains(line, " 431 ") {
			t.Errorf("%s: %q", name, line)
		}
		within(t, name, start)
	}
}

func TestHostile_Smuggling(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	for name, text := range map[string]string{
		"two lengths":        "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
		"bad chunk size":     "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"unknown encoding":   "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"space before colon": "GET /api/v1/ HTTP/1.1\r\nHost : x\r\n\r\n",
		"no host":            "GET /api/v1/ HTTP/1.1\r\n\r\n",
		"bad escape":         "GET /api/v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if line := raw(t, s, text); !strings.Contains(line, " 400 ") && !strings.Contains(line, " 501 ") {
			t.Errorf("%s: %q", name, line)
		}
	}
}

func TestHostile_SlowClientsAreLetGo(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{
		HeaderTime: 200 * time.Millisecond, RequestTime: 400 * time.Millisecond, IdleTime: 200 * time.Millisecond, Connections: 64,
	})
	address := strings.TrimPrefix(s.url, "http://")
	gone := make(chan string, 50)
	open := func(name, begin string) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, begin)
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				name += ": " + err.Error()
			}
			gone <- name
		}()
	}
	for range 20 {
		open("headers", "GET /api/v1/ HTTP/1.1\r\nHost: x\r\nX-A: ")
		open("body", "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	}
	// Others are served meanwhile.
	start := time.Now()
	if got := s.do(t, "GET", "/api/v1/", ""); got.status != 200 {
		t.Errorf("meanwhile: %d", got.status)
	}
	within(t, "a request beside slow ones", start)
	for range 40 {
		select {
		case name := <-gone:
			if strings.Contains(name, "timeout") {
				t.Errorf("a slow client was kept: %s", name)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("slow clients are kept")
		}
	}
}

func TestHostile_MemoryStaysSmall(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	body := `{"action": "core.noop", "x": "` + strings.Repeat("a", 9<<20) + `"}`
	for range 5 {
		if got := s.do(t, "POST", "/api/v1/executions", body, "Content-Type", "application/json"); got.status != 201 && got.status != 413 && got.status != 400 {
			t.Fatalf("%d %.200s", got.status, got.text)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 60<<20 {
		t.Errorf("%d MB stay behind", grown>>20)
	}
}

func TestPanic_Is500WithTheRequestID(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{
		Chat: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a secret") }),
	}, api.ServerOptions{})
	got := s.do(t, "GET", "/api/v1/chat/stream", "", "X-Request-ID", "req-1")
	if got.status != 500 || !strings.Contains(got.fault(), "req-1") || strings.Contains(got.text, "secret") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := s.do(t, "GET", "/api/v1/", ""); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
}

func TestRequestID_IsEchoedOrDrawn(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	for given, echoed := range map[string]bool{"req-1": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, "a b": false, "ä": false, "": false} {
		got := s.do(t, "GET", "/api/v1/", "", "X-Request-ID", given).header.Get("X-Request-ID")
		if (got == given) != echoed || got == "" {
			t.Errorf("%.20q: %q", given, got)
		}
	}
}
