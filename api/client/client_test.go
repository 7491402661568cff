package client

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"petrel/expr/value"
)

func TestCall_ErrorsReadAsThoseOfTheOriginal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/fault":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"faultstring": "no such thing"}`)
		case "/v1/crash":
			w.WriteHeader(http.StatusBadGateway)
		case "/v1/away":
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		case "/v1/broken":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{not json`)
		}
	}))
	defer server.Close()
	c, err := New(Config{API: server.URL + "/v1", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/fault":  "404 Client Error: Not Found\nMESSAGE: no such thing for url: " + server.URL + "/v1/fault?a=b+c",
		"/crash":  "502 Server Error: Bad Gateway for url: " + server.URL + "/v1/crash?a=b+c",
		"/broken": "is not JSON",
	} {
		_, err := c.Call(t.Context(), http.MethodGet, path, Query{{"a", "b c"}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		if NotFound(err) != (path == "/fault") {
			t.Errorf("%s: NotFound", path)
		}
	}
	if _, err := c.Call(t.Context(), http.MethodGet, "/away", nil, nil); err != nil {
		t.Errorf("a redirect is not followed, so that credentials stay: %v", err)
	}
}

func TestCall_DebugShowsACommandWithoutSecrets(t *testing.T) {
	var basic, token string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		basic, token = r.Header.Get("Authorization"), r.Header.Get("X-Auth-Token")
	}))
	defer server.Close()
	var debug strings.Builder
	c, err := New(Config{API: server.URL, Auth: server.URL, Token: "token-secret", APIKey: "key-secret", BasicAuth: "u:p", Debug: &debug})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), http.MethodPost, "/x", nil, value.DictOf("it's", int64(1))); err != nil {
		t.Fatal(err)
	}
	if basic == "" || token != "token-secret" {
		t.Error("credentials are missing", basic, token)
	}
	for _, want := range []string{`curl -X POST`, `-H  'X-Auth-Token: ********'`, `-H  'St2-Api-Key: ********'`, `--data-binary '{"it'"'"'s":1}'`, server.URL + "/x"} {
		if !strings.Contains(debug.String(), want) {
			t.Errorf("%s is missing in %s", want, debug.String())
		}
	}
	if strings.Contains(debug.String(), "secret") {
		t.Error(debug.String())
	}
	if _, err := c.CreateToken(t.Context(), "user", "pass", 5); err != nil || token != "" {
		t.Error("a login carries no other credentials", err, token)
	}
}

func TestNew_Certificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	good, bad := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for cacert, works := range map[string]bool{"": true, "false": true, "TRUE": false, good: true} {
		c, err := New(Config{API: server.URL, CACert: cacert})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), http.MethodGet, "/", nil, nil); (err == nil) != works {
			t.Errorf("%q: %v", cacert, err)
		}
	}
	for _, cacert := range []string{bad, "/nosuch"} {
		if _, err := New(Config{CACert: cacert}); err == nil {
			t.Errorf("%q is no certificate", cacert)
		}
	}
}

func TestStream_TakesEventsUntilTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("events") != "e" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "\n\nevent: e\ndata: {\"n\": 1}\n\ndata:\n\nevent: e\ndata: {\"n\":\ndata: 2}\n\nevent: e\ndata: {\"n\": 3}\n\n")
	}))
	defer server.Close()
	c, err := New(Config{Stream: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	opened := false
	var got []string
	err = c.Stream(context.Background(), Query{{"events", "e"}}, func() { opened = true }, func(e Event) bool {
		got = append(got, e.Name+value.Str(e.Data))
		return len(got) < 2
	})
	if err != nil || !opened || strings.Join(got, " ") != "e{'n': 1} e{'n': 2}" {
		t.Errorf("%v %v %v", err, opened, got)
	}
	if err := c.Stream(t.Context(), nil, func() {}, func(Event) bool { return true }); err == nil || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
}
