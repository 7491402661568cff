package httprequest

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertest"
)

// echo answers as the loopback server of the recordings does.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		kind, status, out := "application/json", 200, ""
		switch path := r.URL.Path; {
		case path == "/json":
			out = `{"a": 1, "b": [true, null]}`
		case path == "/text":
			kind, out = "text/plain", `{"looks": "like json"}`
		case path == "/charset":
			kind, out = "application/json; charset=utf-8", `{"c": 2}`
		case path == "/badjson":
			out = "{not json"
		case strings.HasPrefix(path, "/status/"):
			kind = "text/plain"
			fmt.Sscanf(path, "/status/%d", &status)
			if status != 204 {
				out = fmt.Sprintf("status %d", status)
			}
		case path == "/redirect":
			status, kind, out = 302, "text/plain", "moved"
			w.Header().Set("Location", "/json")
		case path == "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		default:
			head := map[string]string{}
			for _, name := range []string{"content-type", "x-test", "authorization", "cookie", "x-stanley-action", "content-length"} {
				if v, ok := r.Header[http.CanonicalHeaderKey(name)]; ok {
					head[name] = v[0]
				}
			}
			if r.ContentLength > 0 {
				head["content-length"] = fmt.Sprint(r.ContentLength)
			}
			raw, _ := json.Marshal(map[string]any{"method": r.Method, "path": path, "query": r.URL.RawQuery, "body": string(body), "headers": head})
			out = string(raw)
		}
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", kind)
		if status != 204 {
			w.Header().Set("Content-Length", fmt.Sprint(len(out)))
		}
		w.WriteHeader(status)
		if r.Method != "HEAD" {
			_, _ = io.WriteString(w, out)
		}
	}))
	t.Cleanup(func() { close(release); s.Close() })
	return s
}

func job(t *testing.T, runner, action *value.Dict) *runners.Job {
	j := runnertest.Job(t, runner, action)
	j.Action.Name = "http_call"
	return j
}

func run(t *testing.T, runner, action *value.Dict) (petrel.Status, *value.Dict) {
	t.Helper()
	r := New(Options{})
	j := job(t, runner, action)
	if err := r.Prepare(t.Context(), j); err != nil {
		return "refused", value.DictOf("error", petrel.Message(err))
	}
	out := r.Run(t.Context(), j)
	d, ok := out.Result.(*value.Dict)
	if !ok {
		t.Fatalf("the result is %s", value.Repr(out.Result))
	}
	return out.Status, d
}

func jsonText(v value.Value) string {
	raw, err := value.ToJSON(v, value.JSONStyle{ItemSep: ", ", KeySep: ": "})
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func get(d *value.Dict, path ...string) value.Value {
	var v value.Value = d
	for _, name := range path {
		d, _ := v.(*value.Dict)
		if d == nil {
			return nil
		}
		v, _ = d.GetStr(name)
	}
	return v
}

func TestSuite(t *testing.T) {
	s := echo(t)
	runnertest.Run(t, runnertest.Subject{
		Runner: New(Options{}), Keys: []string{"status_code", "body", "parsed", "headers"},
		Good:    func(t *testing.T) *runners.Job { return job(t, value.DictOf("url", s.URL+"/json"), nil) },
		Bad:     func(t *testing.T) *runners.Job { return job(t, value.NewDict(), nil) },
		Failing: func(t *testing.T) *runners.Job { return job(t, value.DictOf("url", s.URL+"/status/404"), nil) },
		Late: func(t *testing.T) *runners.Job {
			return job(t, value.DictOf("url", s.URL+"/slow"), value.DictOf("timeout", int64(1)))
		},
	})
}

// TestResults holds results that StackStorm gave to the same calls.
func TestResults(t *testing.T) {
	s := echo(t)
	plain := func(path string, more ...value.Value) *value.Dict {
		return value.DictOf(append([]value.Value{"url", s.URL + path}, more...)...)
	}
	body := func(text string) *value.Dict { return value.DictOf("method", "POST", "body", text) }
	cases := []struct {
		name           string
		runner, action *value.Dict
		status         petrel.Status
		want           string
	}{
		{"json", plain("/json"), nil, "succeeded", `{"status_code": 200, "body": {"a": 1, "b": [true, null]}, "parsed": true, "headers": {"Content-Length": "27", "Content-Type": "application/json"}}`},
		{"text", plain("/text"), nil, "succeeded", `{"status_code": 200, "body": "{\"looks\": \"like json\"}", "parsed": false, "headers": {"Content-Length": "22", "Content-Type": "text/plain"}}`},
		{"charset", plain("/charset"), nil, "succeeded", `{"status_code": 200, "body": {"c": 2}, "parsed": true, "headers": {"Content-Length": "8", "Content-Type": "application/json; charset=utf-8"}}`},
		{"badjson", plain("/badjson"), nil, "succeeded", `{"status_code": 200, "body": "{not json", "parsed": false, "headers": {"Content-Length": "9", "Content-Type": "application/json"}}`},
		{"redirect", plain("/redirect"), nil, "failed", `{"status_code": 302, "body": "moved", "parsed": false, "headers": {"Content-Length": "5", "Content-Type": "text/plain", "Location": "/json"}}`},
		{"follow", plain("/redirect", "allow_redirects", true), nil, "succeeded", `{"status_code": 200, "body": {"a": 1, "b": [true, null]}, "parsed": true, "headers": {"Content-Length": "27", "Content-Type": "application/json"}}`},
		{"204", plain("/status/204"), nil, "succeeded", `{"status_code": 204, "body": "", "parsed": false, "headers": {"Content-Type": "text/plain"}}`},
		{"206", plain("/status/206"), nil, "succeeded", `{"status_code": 206, "body": "status 206", "parsed": false, "headers": {"Content-Length": "10", "Content-Type": "text/plain"}}`},
		{"404", plain("/status/404"), nil, "failed", `{"status_code": 404, "body": "status 404", "parsed": false, "headers": {"Content-Length": "10", "Content-Type": "text/plain"}}`},
		{"timeout", plain("/slow"), value.DictOf("timeout", int64(1)), "timeout", `{"error": "HTTPConnectionPool(host='127.0.0.1', port=$any): Read timed out. (read timeout=1.0)"}`},
		{"refused", value.DictOf("url", "http://127.0.0.1:9/x"), nil, "failed", `{"error": "HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded with url: /x (Caused by NewConnectionError('Failed to establish a new connection: [Errno ` + fmt.Sprint(int(syscall.ECONNREFUSED)) + `] Connection refused'))", "traceback": "$any"}`},
		{"blacklist", plain("/json", "url_hosts_blacklist", value.NewList("127.0.0.1")), nil, "failed", `{"error": "URL \"` + s.URL + `/json\" is blacklisted", "traceback": "$any"}`},
		{"whitelist", plain("/json", "url_hosts_whitelist", value.NewList("example.com")), nil, "failed", `{"error": "URL \"` + s.URL + `/json\" is not whitelisted", "traceback": "$any"}`},
		{"both lists", plain("/json", "url_hosts_whitelist", value.NewList("a"), "url_hosts_blacklist", value.NewList("b")), nil, "refused", `{"error": "\"url_hosts_blacklist\" and \"url_hosts_whitelist\" parameters are mutually exclusive. Only one should be provided."}`},
		{"json body that is none", plain("/echo", "headers", value.DictOf("Content-Type", "application/json")), body("oops"), "failed", `{"error": "malformed node or string on line 1: <ast.Name object at $any", "traceback": "$any"}`},
		{"no scheme", value.DictOf("url", "example.com/x"), nil, "failed", `{"error": "Invalid URL 'example.com/x': No scheme supplied. Perhaps you meant https://example.com/x?", "traceback": "$any"}`},
		{"other scheme", value.DictOf("url", "file:///etc/passwd"), nil, "failed", `{"error": "No connection adapters were found for 'file:///etc/passwd'", "traceback": "$any"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, got := run(t, c.runner, c.action)
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(c.want), `\$any`, "(?s:.*)") + "$"
			if text := jsonText(got); status != c.status || !regexp.MustCompile(pattern).MatchString(text) {
				t.Errorf("%s %s\nwant %s %s", status, text, c.status, c.want)
			}
		})
	}
}

// TestRequests is what arrives at the server.
func TestRequests(t *testing.T) {
	s := echo(t)
	jsonType := value.DictOf("content-type", "application/json", "X-Test", "t")
	cases := []struct {
		name           string
		runner, action *value.Dict
		want           string
	}{
		{"json anew", value.DictOf("headers", jsonType), value.DictOf("body", `{"x": 1}`), `{"body": "{\"x\":1}", "headers": {"content-length": "7", "content-type": "application/json", "x-stanley-action": "http_call", "x-test": "t"}, "method": "POST", "path": "/echo", "query": ""}`},
		{"python as json", value.DictOf("headers", jsonType), value.DictOf("body", `{'x': (1, None, True)}`, "method", "put"), `{"body": "{\"x\":[1,null,true]}", "headers": {"content-length": "19", "content-type": "application/json", "x-stanley-action": "http_call", "x-test": "t"}, "method": "PUT", "path": "/echo", "query": ""}`},
		{"text", nil, value.DictOf("method", "POST", "body", "a=b"), `{"body": "a=b", "headers": {"content-length": "3", "x-stanley-action": "http_call"}, "method": "POST", "path": "/echo", "query": ""}`},
		{"characters", nil, value.DictOf("body", "é"), `{"body": "é", "headers": {"content-length": "2", "x-stanley-action": "http_call"}, "method": "POST", "path": "/echo", "query": ""}`},
		{"form", nil, value.DictOf("body", value.DictOf("b", "x y", "a", value.NewList(int64(1), int64(2)), "n", nil)), `{"body": "b=x+y&a=1&a=2", "headers": {"content-length": "13", "content-type": "application/x-www-form-urlencoded", "x-stanley-action": "http_call"}, "method": "POST", "path": "/echo", "query": ""}`},
		{"params", nil, value.DictOf("params", value.DictOf("q", "a b", "n", int64(1), "t", true)), `{"body": "", "headers": {"x-stanley-action": "http_call"}, "method": "GET", "path": "/echo", "query": "q=a+b&n=1&t=True"}`},
		{"headers that are ours", value.DictOf("headers", value.DictOf("x-stanley-action", "forged", "user-agent", "forged", "Content-Length", "999")), value.DictOf("body", "x"), `{"body": "x", "headers": {"content-length": "1", "x-stanley-action": "http_call"}, "method": "POST", "path": "/echo", "query": ""}`},
		{"basic", value.DictOf("username", "u", "password", "p"), nil, `{"body": "", "headers": {"authorization": "Basic dTpw", "x-stanley-action": "http_call"}, "method": "GET", "path": "/echo", "query": ""}`},
		{"cookies", value.DictOf("cookies", value.DictOf("b", "2", "a", "1")), nil, `{"body": "", "headers": {"cookie": "b=2; a=1", "x-stanley-action": "http_call"}, "method": "GET", "path": "/echo", "query": ""}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			params := value.DictOf("url", s.URL+"/echo")
			if c.runner != nil {
				params.Update(c.runner)
			}
			status, got := run(t, params, c.action)
			if text := jsonText(get(got, "body")); status != "succeeded" || text != c.want {
				t.Errorf("%s %s\nwant %s", status, text, c.want)
			}
		})
	}
}

func TestRequest_File(t *testing.T) {
	s := echo(t)
	status, got := run(t, value.DictOf("url", s.URL+"/echo"), value.DictOf("file_name", "up.txt", "file_content", "hello", "file_content_type", "text/x-test",
		"body", value.DictOf("field", "v")))
	body := value.Str(get(got, "body", "body"))
	for _, want := range []string{`name="field"`, "v\r\n", `name="up.txt"; filename="up.txt"`, "Content-Type: text/x-test", "hello"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s lacks %q: %s", status, want, body)
		}
	}
	if kind := value.Str(get(got, "body", "headers", "content-type")); !strings.HasPrefix(kind, "multipart/form-data; boundary=") {
		t.Error(kind)
	}
	// What was recorded of StackStorm: its boundary has 32 characters.
	_, got = run(t, value.DictOf("url", s.URL+"/echo"), value.DictOf("file_name", "in.txt", "file_content", "from a file\n"))
	if length := get(got, "body", "headers", "content-length"); length != value.Value("156") {
		t.Errorf("the form has %v bytes", length)
	}
	if status, got = run(t, value.DictOf("url", s.URL+"/echo"), value.DictOf("file_name", "a", "file_content", "b", "body", "text")); status != "failed" || get(got, "error") != value.Value("Data must not be a string.") {
		t.Errorf("%s %s", status, jsonText(got))
	}
}

// raw serves one connection after another with a fixed answer.
func raw(t *testing.T, answer func(w io.Writer, head []string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var head []string
				lines := bufio.NewScanner(conn)
				for lines.Scan() && lines.Text() != "" {
					head = append(head, lines.Text())
				}
				answer(conn, head)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestResponse_HeadersKeepOrderAndSpelling(t *testing.T) {
	url := raw(t, func(w io.Writer, _ []string) {
		fmt.Fprint(w, "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 200 OK\r\nx-lower: 1\r\nX-MiXed: a\r\nset-cookie: a=1\r\nAlpha: \xe9\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok")
	})
	_, got := run(t, value.DictOf("url", url), nil)
	if text := jsonText(get(got, "headers")); text != `{"x-lower": "1", "X-MiXed": "a", "set-cookie": "a=1, b=2", "Alpha": "é", "Content-Length": "2"}` {
		t.Error(text)
	}
}

func TestRequest_HeadersKeepSpelling(t *testing.T) {
	heads := make(chan []string, 1)
	url := raw(t, func(w io.Writer, head []string) {
		heads <- head
		fmt.Fprint(w, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	run(t, value.DictOf("url", url+"/a?b=c", "headers", value.DictOf("x-odd-CASE", "1", "Host", "other.example")), value.DictOf("params", value.DictOf("d", "e")))
	text := strings.Join(<-heads, "\n")
	for _, want := range []string{"GET /a?b=c&d=e HTTP/1.1", "x-odd-CASE: 1", "Host: other.example", "User-Agent: st2/v", "Accept: */*", "Accept-Encoding: gzip, deflate"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Content-Length") {
		t.Errorf("a GET without a body says how long it is:\n%s", text)
	}
}

func TestHostileServers(t *testing.T) {
	bomb := func(w io.Writer, _ []string) {
		fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 24 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		_ = z.Close()
	}
	endless := func(w io.Writer, _ []string) {
		fmt.Fprint(w, "HTTP/1.1 200 OK\r\n\r\n")
		for chunk := make([]byte, 1<<16); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	drip := func(w io.Writer, _ []string) {
		fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
		for {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	headers := func(w io.Writer, _ []string) {
		fmt.Fprint(w, "HTTP/1.1 200 OK\r\n")
		for {
			if _, err := fmt.Fprintf(w, "X-Filler: %s\r\n", strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	}
	hangUp := func(io.Writer, []string) {}
	garbage := func(w io.Writer, _ []string) { fmt.Fprint(w, "SSH-2.0-x\r\n\r\n") }
	cases := []struct {
		name   string
		serve  func(io.Writer, []string)
		status petrel.Status
		want   string
	}{
		{"gzip bomb", bomb, "failed", "The response body is larger than the limit of 10485760 bytes."},
		{"endless body", endless, "failed", "The response body is larger than the limit of 10485760 bytes."},
		{"slow drip", drip, "timeout", "Read timed out. (read timeout=1.0)"},
		{"endless headers", headers, "failed", "HTTPConnectionPool"},
		{"hang up", hangUp, "failed", "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"},
		{"garbage", garbage, "failed", "HTTPConnectionPool"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			seconds := int64(30)
			if c.status == "timeout" {
				seconds = 1
			}
			status, got := run(t, value.DictOf("url", raw(t, c.serve)), value.DictOf("timeout", seconds))
			if text := value.Str(get(got, "error")); status != c.status || !strings.Contains(text, c.want) {
				t.Errorf("%s %.300s", status, jsonText(got))
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprintf("%s %q %q", r.Method, r.Header.Get("Authorization"), r.Header.Get("Cookie")))
	}))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "k", Value: "v", Path: "/"})
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, elsewhere+"/x", http.StatusFound)
		case "/keep":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/meta":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/end":
			fmt.Fprintf(w, "%s %s %s %s", r.Method, body, r.Header.Get("Authorization"), r.Header.Get("Cookie"))
		default:
			http.Redirect(w, r, "/end", http.StatusSeeOther)
		}
	}))
	defer s.Close()
	params := func(path string, more ...value.Value) *value.Dict {
		return value.DictOf(append([]value.Value{"url", s.URL + path, "allow_redirects", true, "username", "u", "password", "p", "cookies", value.DictOf("mine", "1")}, more...)...)
	}
	if _, got := run(t, params("/loop"), nil); get(got, "error") != value.Value("Exceeded 30 redirects.") {
		t.Error(jsonText(got))
	}
	if _, got := run(t, params("/keep"), value.DictOf("body", "data")); get(got, "body") != value.Value("POST data Basic dTpw mine=1; k=v") {
		t.Error(jsonText(got))
	}
	if _, got := run(t, params("/see"), value.DictOf("body", "data")); get(got, "body") != value.Value("GET  Basic dTpw mine=1; k=v") {
		t.Error(jsonText(got))
	}
	if status, got := run(t, params("/away"), nil); status != "succeeded" || len(seen) != 1 || seen[0] != `GET "" ""` {
		t.Errorf("%s %s: the other host saw %v", status, jsonText(got), seen)
	}
	if _, got := run(t, params("/away", "url_hosts_blacklist", value.NewList("LOCALHOST")), nil); !strings.Contains(value.Str(get(got, "error")), "is blacklisted") {
		t.Error(jsonText(got))
	}
	if _, got := run(t, params("/meta"), nil); get(got, "error") != value.Value("The address 169.254.169.254 may not be reached by actions.") {
		t.Error(jsonText(got))
	}
}

func TestDenied_TheAddressThatIsDialled(t *testing.T) {
	s := echo(t)
	r := New(Options{Denied: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "u:p@127.0.0.1"} {
		out := r.Run(t.Context(), job(t, value.DictOf("url", "http://"+host+":"+port+"/json"), nil))
		if out.Status != petrel.StatusFailed {
			t.Errorf("%s: %s %s", host, out.Status, value.Repr(out.Result))
		}
	}
}

func TestLists_AUserNameHidesNoHost(t *testing.T) {
	s := echo(t)
	u := strings.Replace(s.URL, "http://", "http://a:b@", 1)
	if _, got := run(t, value.DictOf("url", u+"/json", "url_hosts_blacklist", value.NewList("127.0.0.1")), nil); !strings.Contains(value.Str(get(got, "error")), "is blacklisted") {
		t.Error(jsonText(got))
	}
	if status, got := run(t, value.DictOf("url", s.URL+"/json", "url_hosts_whitelist", value.NewList("127.0.0.1")), nil); status != "succeeded" {
		t.Error(jsonText(got))
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["x-spelling"] = []string{"kept"}
		fmt.Fprint(w, r.Proto)
	}))
	defer s.Close()
	status, got := run(t, value.DictOf("url", s.URL), nil)
	if status != "failed" || !strings.Contains(value.Str(get(got, "error")), "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("%s %s", status, jsonText(got))
	}
	status, got = run(t, value.DictOf("url", s.URL, "verify_ssl_cert", false), nil)
	if status != "succeeded" || get(got, "body") != value.Value("HTTP/1.1") || get(got, "headers", "x-spelling") != value.Value("kept") {
		t.Errorf("%s %s", status, jsonText(got))
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	if out := New(Options{RootCAs: pool}).Run(t.Context(), job(t, value.DictOf("url", s.URL), nil)); out.Status != petrel.StatusSucceeded {
		t.Errorf("%s", value.Repr(out.Result))
	}
	status, got = run(t, value.DictOf("url", strings.Replace(echo(t).URL, "http:", "https:", 1)), nil)
	if status != "failed" || !strings.Contains(value.Str(get(got, "error")), "SSLError") {
		t.Errorf("%s %s", status, jsonText(got))
	}
}

func TestProxy(t *testing.T) {
	s := echo(t)
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		w.WriteHeader(203)
	}))
	defer proxy.Close()
	status, got := run(t, value.DictOf("url", s.URL+"/json", "http_proxy", proxy.URL), nil)
	if status != "succeeded" || get(got, "status_code") != value.Value(int64(203)) || len(asked) != 1 || asked[0] != s.URL+"/json" {
		t.Errorf("%s %s, the proxy was asked for %v", status, jsonText(got), asked)
	}
	status, got = run(t, value.DictOf("url", s.URL+"/json", "http_proxy", "http://127.0.0.1:9"), nil)
	if status != "failed" || !strings.Contains(value.Str(get(got, "error")), "Unable to connect to proxy") {
		t.Errorf("%s %s", status, jsonText(got))
	}
}

func TestCharsets(t *testing.T) {
	for kind, c := range map[string]struct{ raw, want string }{
		"text/plain":                       {"caf\xe9", "café"},
		"text/plain; charset=utf-8":        {"caf\xc3\xa9", "café"},
		"text/plain; charset=windows-1252": {"\x80", "€"},
		"application/octet-stream":         {"caf\xc3\xa9", "café"},
		"application/json":                 {`"caf` + "\xc3\xa9" + `"`, "café"},
		"text/plain; charset=nonsense":     {"a\xff", "a\uFFFD"},
	} {
		url := raw(t, func(w io.Writer, _ []string) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(c.raw), c.raw)
		})
		if _, got := run(t, value.DictOf("url", url), nil); get(got, "body") != value.Value(c.want) {
			t.Errorf("%s: %s", kind, jsonText(got))
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	arrived := make(chan struct{})
	slow := raw(t, func(w io.Writer, _ []string) { close(arrived); <-ctx.Done() })
	go func() { <-arrived; cancel(runners.ErrCanceled) }()
	out := New(Options{}).Run(ctx, job(t, value.DictOf("url", slow), nil))
	if out.Status != petrel.StatusCanceled {
		t.Errorf("%s %s", out.Status, value.Repr(out.Result))
	}
}

func TestPrepare_Refuses(t *testing.T) {
	u := func(more ...value.Value) *value.Dict {
		return value.DictOf(append([]value.Value{"url", "http://127.0.0.1/"}, more...)...)
	}
	cases := []struct {
		runner, action *value.Dict
		want           string
	}{
		{value.NewDict(), nil, "URL must be specified."},
		{u("headers", value.DictOf("X", "a\r\nB: c")), nil, "Invalid leading whitespace, reserved character(s), or return character(s) in header value of 'X'"},
		{u("headers", value.DictOf("X Y", "a")), nil, "Invalid header name 'X Y'"},
		{u(), value.DictOf("timeout", int64(0)), "parameter timeout: 0 is not between 0 and 86400 seconds"},
		{u("cookies", value.NewList()), nil, "parameter cookies must be an object, it is a list"},
		{u(), value.DictOf("auth", "x"), "parameter auth must be a list of a name and a password, it is a str"},
	}
	for _, c := range cases {
		if err := New(Options{}).Prepare(t.Context(), job(t, c.runner, c.action)); err == nil || petrel.Message(err) != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"http://a/b?c#d", "https://u:p@h:1/", "//x", "http:///", "http://[::1]:80/", "HTTP://A B", "file:///x", "http://a\r\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseURL(text)
		if err != nil {
			return
		}
		if u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q became %q", text, u)
		}
		if again, err := url.Parse(u.String()); err != nil || again.Hostname() != u.Hostname() {
			t.Errorf("%q is read as the hosts %q and %v", text, u.Hostname(), again)
		}
	})
}
