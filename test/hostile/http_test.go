package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHostile_Requests sends URLs, methods and headers that try to get round
// routing, rights and the store.
func TestHostile_Requests(t *testing.T) {
	h := open(t, options{})
	for _, c := range []struct {
		row, method, path string
		header            []string
		status            int
	}{
		{"H54 URL", "GET", "/api/v1/" + strings.Repeat("a", 20<<10), nil, 414},
		{"H54 parameters", "GET", "/api/v1/actions?" + strings.Repeat("a&", 5_000), nil, 400},
		{"H57 dots", "GET", "/api/v1/../v1/actions", nil, 404},
		{"H57 encoded dots", "GET", "/api/v1/%2e%2e/v1/actions", nil, 404},
		{"H57 double slash", "GET", "//api/v1/actions", nil, 404},
		{"H57 semicolon", "GET", "/api/v1/actions;x=1", nil, 404},
		{"H57 NUL", "GET", "/api/v1/actions/a%00b", nil, 400},
		{"H57 bytes", "GET", "/api/v1/actions/%ff", nil, 400},
		{"H57 case", "GET", "/API/v1/actions", nil, 404},
		{"H57 open path", "GET", "/healthz/../api/v1/apikeys", []string{"St2-Api-Key", ""}, 404},
		{"H57 open path, encoded", "GET", "/healthz/%2e%2e/api/v1/apikeys", []string{"St2-Api-Key", ""}, 404},
		{"H57 encoded slash, nobody", "GET", "/api/v1%2fapikeys", []string{"St2-Api-Key", ""}, 401},
		{"H58 override", "GET", "/api/v1/actions", []string{"X-HTTP-Method-Override", "DELETE"}, 200},
		{"H58 TRACE", "TRACE", "/api/v1/actions", nil, 404},
		{"H58 HEAD", "HEAD", "/api/v1/apikeys", []string{"St2-Api-Key", ""}, 404},
		{"H58 OPTIONS", "OPTIONS", "/api/v1/apikeys", []string{"St2-Api-Key", ""}, 200},
		{"H68 sort", "GET", "/api/v1/executions?sort=;drop%20table%20execution", nil, 400},
		{"H68 filter", "GET", "/api/v1/executions?filter=__class__:x", nil, 400},
		{"H68 excluded", "GET", "/api/v1/executions?exclude_attributes=" + strings.Repeat("result,", 1000), nil, 400},
		{"H68 limit", "GET", "/api/v1/executions?limit=-2", nil, 400},
		{"H68 offset", "GET", "/api/v1/executions?offset=1000000000000000000", nil, 400},
		{"H69 value", "GET", "/api/v1/executions?user='%20or%201=1%20--", nil, 200},
		{"H69 id", "GET", "/api/v1/executions/'%20or%201=1", nil, 404},
		{"H69 action", "GET", "/api/v1/actions/core.noop'%20or%20'1'='1", nil, 404},
		{"H70 negative", "GET", "/api/v1/executions/-1", nil, 404},
		{"H70 upper", "GET", "/api/v1/executions/00000000000000000000000A", nil, 404},
		{"H70 digits", "GET", "/api/v1/executions/%D9%A0%D9%A0%D9%A0", nil, 404},
		{"H18 year", "GET", "/api/v1/executions?timestamp_gt=10000-01-01T00:00:00Z", nil, 400},
		{"H18 second", "GET", "/api/v1/executions?timestamp_gt=2016-12-31T23:59:60Z", nil, 400},
		{"H18 offset", "GET", "/api/v1/executions?timestamp_gt=2016-12-31T23:59:00%2B99:99", nil, 400},
		{"H97 none", "GET", "/api/v1/actions", []string{"St2-Api-Key", "", "X-Auth-Token", "eyJhbGciOiJub25lIn0.e30."}, 401},
		{"H97 spaces", "GET", "/api/v1/actions", []string{"St2-Api-Key", "", "X-Auth-Token", " "}, 401},
		{"H97 long", "GET", "/api/v1/actions", []string{"St2-Api-Key", strings.Repeat("a", 20<<10)}, 401},
		{"H101 scope", "GET", "/api/v1/keys?scope=all&user=other", []string{"St2-Api-Key", ""}, 404},
	} {
		t.Run(strings.ReplaceAll(c.row, " ", "/"), func(t *testing.T) {
			start := time.Now()
			got := h.do(t, c.method, c.path, "", c.header...)
			quick(t, c.row, start, 2500*time.Millisecond)
			if got.status != c.status {
				t.Errorf("%d %.300s, want %d", got.status, got.text, c.status)
			}
			if len(got.text) > 4<<10 && got.status >= 400 {
				t.Errorf("%d bytes are given back", len(got.text))
			}
		})
	}
	h.serves(t, "requests")
}

// TestHostile_H97_TwoIdentities sends two credentials of different people.
func TestHostile_H97_TwoIdentities(t *testing.T) {
	h := open(t, options{})
	got := h.do(t, "GET", "/api/v1/actions", "", "X-Auth-Token", "of-somebody-else")
	if got.status == 200 {
		t.Errorf("a wrong token beside a good key: %d", got.status)
	}
}

// talk sends bytes to the server and gives what came back within a few seconds.
func (h *house) talk(t testing.TB, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, text) // the server may close before it has read all
	got, _ := io.ReadAll(io.LimitReader(c, 64<<10))
	return string(got)
}

// TestHostile_H52_Smuggling sends requests whose end is not clear: one answer, an
// error, and the connection is closed.
func TestHostile_H52_Smuggling(t *testing.T) {
	h := open(t, options{})
	head := "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nSt2-Api-Key: " + h.key + "\r\nContent-Type: application/json\r\n"
	second := "GET /api/v1/apikeys HTTP/1.1\r\nHost: x\r\nSt2-Api-Key: " + h.key + "\r\n\r\n"
	for name, text := range map[string]string{
		"two lengths":        head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x" + second,
		"bad chunk size":     head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + second,
		"unknown encoding":   head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second,
		"length and chunks":  head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"space before colon": "GET /api/v1/ HTTP/1.1\r\nHost : x\r\n\r\n" + second,
		"no host":            "GET /api/v1/ HTTP/1.1\r\n\r\n" + second,
		"huge header":        "GET /api/v1/ HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n" + second,
		"10,000 headers":     "GET /api/v1/ HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n" + second,
	} {
		got := h.talk(t, text)
		if n := strings.Count(got, "HTTP/1.1 "); n > 1 {
			t.Errorf("%s: %d answers: %.300s", name, n, got)
		}
		if strings.HasPrefix(got, "HTTP/1.1 2") {
			t.Errorf("%s: %.300s", name, got)
		}
	}
	h.serves(t, "smuggling")
}

// TestHostile_H53_SlowClients keeps connections open that say nothing.
func TestHostile_H53_SlowClients(t *testing.T) {
	h := open(t, options{})
	var all []net.Conn
	for i := range 200 {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		switch i % 3 {
		case 0:
			_, _ = io.WriteString(c, "GET /api/v1/ HTTP/1.1\r\nHost: x\r\nX-A: ")
		case 1:
			_, _ = io.WriteString(c, "POST /api/v1/executions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
		}
	}
	h.serves(t, "200 slow clients")
	for _, c := range all {
		_ = c.Close()
	}
	h.serves(t, "they left")
}

// TestHostile_H59_H60_Origins comes from other sites, through other hosts.
func TestHostile_H59_H60_Origins(t *testing.T) {
	h := open(t, options{})
	for _, origin := range []string{"null", "https://127.0.0.1:3000", "http://127.0.0.1:3000.evil.test", "http://127.0.0.1:30000", "http://evil.test"} {
		got := h.do(t, "GET", "/api/v1/actions/core.noop", "", "Origin", origin)
		if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed == origin || allowed == "*" {
			t.Errorf("%s may read answers: %q", origin, allowed)
		}
	}
	got := h.do(t, "GET", "/api/v1/actions/core.noop", "", "X-Forwarded-Host", "evil.test", "X-Forwarded-For", "10.0.0.1", "X-Remote-User", "admin", "Remote-User", "admin", "St2-Api-Key", "")
	if got.status != 401 {
		t.Errorf("headers of a proxy nobody trusts: %d", got.status)
	}
	got = h.do(t, "GET", "/api/v1/actions/core.noop", "", "Host", "evil.test", "X-Forwarded-Host", "evil.test")
	if strings.Contains(got.text, "evil.test") {
		t.Errorf("the client chose the links: %.300s", got.text)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "frame-ancestors 'none'"} {
		if !strings.Contains(got.header.Get(name), want) {
			t.Errorf("H65/H66: %s is %q", name, got.header.Get(name))
		}
	}
}

// TestHostile_H61_CookieFromAnotherSite makes a browser send the cookie.
func TestHostile_H61_CookieFromAnotherSite(t *testing.T) {
	h := open(t, options{})
	user, password := h.app.FirstStart()
	r, _ := http.NewRequest("POST", h.url+"/auth/v1/tokens", nil)
	r.SetBasicAuth(user, password)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	var token struct{ Token string }
	answer{res.StatusCode, res.Header, string(text)}.decode(t, &token)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json"} {
		got := h.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, "St2-Api-Key", "", "Cookie", "auth-token="+token.Token,
			"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site", "Content-Type", kind)
		if got.status != 403 {
			t.Errorf("%s: %d %.300s", kind, got.status, got.text)
		}
	}
	if strings.Contains(h.log.String(), token.Token) || strings.Contains(h.log.String(), password) {
		t.Error("H62: the log holds a token or a password")
	}
	// A token in the query is taken, as in StackStorm, and never logged.
	got := h.do(t, "GET", "/api/v1/actions/core.noop?x-auth-token="+token.Token, "", "St2-Api-Key", "")
	if got.status != 200 || strings.Contains(h.log.String(), token.Token) {
		t.Errorf("H62: %d, logged: %v", got.status, strings.Contains(h.log.String(), token.Token))
	}
}

// TestHostile_H63_F64_Readers opens streams that are never read while much is told.
func TestHostile_H63_F64_Readers(t *testing.T) {
	h := open(t, options{})
	var all []net.Conn
	statuses := map[string]int{}
	for range 150 {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(c, "GET /stream/v1/stream HTTP/1.1\r\nHost: x\r\nSt2-Api-Key: %s\r\n\r\n", h.key)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReaderSize(c, 16).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		statuses[strings.TrimSpace(line)]++
		all = append(all, c)
	}
	if statuses["HTTP/1.1 429 Too Many Requests"] == 0 || statuses["HTTP/1.1 200 OK"] == 0 {
		t.Errorf("answers to 150 streams of one user: %v", statuses)
	}
	within(t, "streams that nobody reads", 150<<20, func() {
		for range 4 {
			x := h.run(t, "core.local", map[string]any{"cmd": "head -c 2000000 /dev/zero | tr '\\0' a"})
			if x.Status != "succeeded" {
				t.Errorf("%s", x.Status)
			}
		}
	})
	h.serves(t, "streams that nobody reads")
	for _, c := range all {
		_ = c.Close()
	}
}

// TestHostile_H63_ForgedEvents puts the end of an event into what is told.
func TestHostile_H63_ForgedEvents(t *testing.T) {
	h := open(t, options{})
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /stream/v1/stream HTTP/1.1\r\nHost: x\r\nSt2-Api-Key: %s\r\n\r\n", h.key)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	lines := bufio.NewReaderSize(c, 1<<20)
	if first, err := lines.ReadString('\n'); err != nil || !strings.Contains(first, " 200 ") {
		t.Fatalf("%q %v", first, err)
	}
	h.run(t, "core.announcement", map[string]any{"route": "general", "message": map[string]any{"a": "x\n\nevent: forged\ndata: {}\n\n"}})
	got := h.request(t, "core.announcement", map[string]any{"route": "a\n\nevent: forged\ndata: {}\n\n", "message": map[string]any{"a": "last"}})
	if got.status == 201 {
		var x execution
		got.decode(t, &x)
		h.wait(t, x.ID)
	}
	h.run(t, "core.noop", nil)
	for noops := 0; noops == 0; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		if strings.HasPrefix(line, "event: forged") || strings.HasPrefix(line, "data: {}\n") {
			t.Errorf("an event was forged: %q", line)
		}
		if strings.Contains(line, `"core.noop"`) && strings.Contains(line, "succeeded") {
			noops++
		}
	}
}

// TestHostile_H95_Guessing tries passwords until it is told to wait, and the
// real user is not locked out from elsewhere.
func TestHostile_H95_Guessing(t *testing.T) {
	h := open(t, options{})
	user, password := h.app.FirstStart()
	try := func(user, password string) int {
		r, _ := http.NewRequest("POST", h.url+"/auth/v1/tokens", nil)
		r.SetBasicAuth(user, password)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res.StatusCode
	}
	if got := try(user, password); got != 201 {
		t.Fatalf("the right password: %d", got)
	}
	slowed := false
	for i := range 30 {
		got := try("nobody", fmt.Sprint("guess", i))
		slowed = slowed || got == 429
		if got != 401 && got != 429 {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	if !slowed {
		t.Error("30 guesses, and nobody is told to wait")
	}
	if got := try(user, password); got != 201 {
		t.Errorf("guesses at one user's password keep another out: %d", got)
	}
	for i := range 30 {
		_ = i
		if got := h.do(t, "GET", "/api/v1/actions", "", "St2-Api-Key", fmt.Sprintf("%064d", i)); got.status != 401 && got.status != 429 {
			t.Errorf("a guessed key: %d", got.status)
		}
	}
	h.serves(t, "guessing")
	if strings.Contains(h.log.String(), "guess1") || strings.Contains(h.log.String(), password) {
		t.Error("the log holds passwords")
	}
}
