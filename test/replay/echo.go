package replay

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"petrel/expr/value"
)

// StartEcho starts the loopback server that http-request actions call. Its
// Close must be called.
func StartEcho() *httptest.Server { return httptest.NewServer(http.HandlerFunc(echo)) }

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	kind, status, out := "application/json", http.StatusOK, ""
	h := w.Header()
	h["Date"] = nil
	path := r.URL.EscapedPath()
	switch {
	case path == "/json":
		out = `{"a": 1, "b": [true, null]}`
	case path == "/text":
		kind, out = "text/plain", `{"looks": "like json"}`
	case path == "/charset":
		kind, out = "application/json; charset=utf-8", `{"c": 2}`
	case path == "/badjson":
		out = "{not json"
	case strings.HasPrefix(path, "/status/"):
		if status, err = strconv.Atoi(path[len("/status/"):]); err != nil || status < 200 || status > 599 {
			status = http.StatusBadRequest
		}
		kind, out = "text/plain", fmt.Sprintf("status %d", status)
		if status == http.StatusNoContent || status == http.StatusNotModified {
			out = ""
		}
	case path == "/redirect":
		status, kind, out = http.StatusFound, "text/plain", "moved"
		h.Set("Location", "/json")
	case path == "/slow":
		select {
		case <-time.After(5 * time.Second):
		case <-r.Context().Done():
			return
		}
		kind, out = "text/plain", "slow"
	default:
		headers := value.NewDict()
		for _, name := range []string{"content-type", "x-test", "authorization", "cookie", "x-stanley-action", "content-length"} {
			v := r.Header.Get(name)
			if name == "content-length" && r.ContentLength >= 0 && (r.ContentLength > 0 || r.Method != http.MethodGet && r.Method != http.MethodHead) {
				v = strconv.FormatInt(r.ContentLength, 10)
			}
			if v != "" {
				headers.SetStr(name, v)
			}
		}
		text, err := value.ToJSON(value.DictOf("method", r.Method, "path", path, "query", r.URL.RawQuery,
			"body", strings.ToValidUTF8(string(body), "\uFFFD"), "headers", headers), value.PythonJSON)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out = string(text)
	}
	h.Set("Content-Type", kind)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(out)))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, out)
	}
}
