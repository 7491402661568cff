package hostile_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"
)

// TestHostile_Bodies sends bodies that are no requests to every path that takes one.
func TestHostile_Bodies(t *testing.T) {
	h := open(t, options{})
	const json = "application/json"
	noop := `{"action": "core.noop", "parameters": {}`
	bomb := func() string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for range 64 {
			_, _ = z.Write(make([]byte, 1<<20))
		}
		_ = z.Close()
		return b.String()
	}()
	keys := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"action": "core.noop", "parameters": {"a": 1`)
		for i := range n {
			b.WriteString(`, "k`)
			b.WriteString(strings.Repeat(string(rune('a'+i%26)), 3))
			b.WriteString(strings.Repeat("x", i%7))
			for d := i; d > 0; d /= 10 {
				b.WriteByte(byte('0' + d%10))
			}
			b.WriteString(`":0`)
		}
		return b.String() + "}}"
	}
	for _, c := range []struct {
		row, contentType, body string
		status                 int
		says                   string
		header                 []string
	}{
		{"H03 lists", json, strings.Repeat("[", 100_000), 400, "deeper than 64", nil},
		{"H03 objects", json, strings.Repeat(`{"a":`, 100_000), 400, "deeper than 64", nil},
		{"H03 parameters", json, noop + `, "x": ` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "}", 400, "deeper than 64", nil},
		{"H07 twice", json, noop + `, "user": "a", "user": "admin"}`, 400, `"user" stands twice`, nil},
		{"H07 twice, escaped", json, noop + `, "user": "a", "\u0075ser": "admin"}`, 400, "stands twice", nil},
		{"H07 case", json, `{"ACTION": "core.noop"}`, 400, "'action' is a required property", nil},
		{"H08 two values", json, noop + `}{"x": 1}`, 400, "Extra data", nil},
		{"H10 1e400", json, `{"action": "core.noop", "delay": 1e400}`, 400, "out of range", nil},
		{"H10 1e999999999", json, `{"action": "core.noop", "delay": 1e999999999}`, 400, "out of range", nil},
		{"H10 digits", json, `{"action": "core.noop", "delay": ` + strings.Repeat("9", 10_000) + `}`, 400, "limit (4300 digits)", nil},
		{"H10 2^63", json, `{"action": "core.noop", "delay": 9223372036854775808}`, 400, "delay", nil},
		{"H10 NaN", json, `{"action": "core.noop", "delay": NaN}`, 400, "", nil},
		{"H11 value", json, `{"action": "core.local", "parameters": {"cmd": "a\u0000b"}}`, 400, "parameters.cmd holds a NUL", nil},
		{"H11 key", json, `{"action": "core.local", "parameters": {"a\u0000": 1}}`, 400, "NUL", nil},
		{"H12 bytes", json, "{\"action\": \"core.\xff\"}", 400, "not valid UTF-8", nil},
		{"H12 overlong", json, "{\"action\": \"\xc0\xaf\"}", 400, "not valid UTF-8", nil},
		{"H12 surrogate", json, `{"action": "core.local", "parameters": {"cmd": "\ud800"}}`, 400, "", nil},
		{"H12 mark", json, "\uFEFF{}", 400, "Failed to parse request body", nil},
		{"H15 body", json, `{"action": "core.noop", "x": "` + strings.Repeat("a", 11<<20) + `"}`, 413, "limit of", nil},
		{"H15 name", json, `{"action": "` + strings.Repeat("a", 1<<20) + `"}`, 400, "", nil},
		{"H15 items", json, `{"action": "core.noop", "parameters": {"x": [0` + strings.Repeat(",0", 1_000_000) + `]}}`, 400, "", nil},
		{"H16 keys", json, keys(200_000), 400, "", nil},
		{"H55 gzip", json, bomb, 415, "Content-Encoding", []string{"Content-Encoding", "gzip"}},
		{"H56 xml", "application/xml", "<a/>", 400, "Unsupported Content-Type", nil},
		{"H56 form", "application/x-www-form-urlencoded", "action=core.noop", 400, "", nil},
		{"H56 text", "text/plain", noop + "}", 400, "", nil},
		{"H56 multipart", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\ncore.noop", 400, "", nil},
		{"H56 utf-16", json + "; charset=utf-16", "\xff\xfe{\x00}\x00", 400, "not valid UTF-8", nil},
		{"H71 status", json, noop + `, "status": "succeeded", "id": "000000000000000000000001", "result": 1, "created_at": 1}`, 0, "", nil},
	} {
		t.Run(strings.ReplaceAll(c.row, " ", "/"), func(t *testing.T) {
			paths := []string{"/api/v1/executions"}
			if c.status != 0 {
				paths = append(paths, "/api/v1/actions", "/api/v1/actionalias", "/api/v1/actionalias/match", "/api/v1/aliasexecution",
					"/api/v1/aliasexecution/match_and_execute", "/api/v1/apikeys", "/api/v1/packs/register", "/auth/v1/tokens", "/api/v1/chat/messages")
			}
			if len(c.body) > 1<<20 {
				paths = paths[:2] // they all read bodies in the same way
			}
			before := counts(t, h)
			for i, path := range paths {
				var got answer
				within(t, path, 120<<20, func() {
					start := time.Now()
					got = h.do(t, "POST", path, c.body, append([]string{"Content-Type", c.contentType}, c.header...)...)
					quick(t, path, start, 2500*time.Millisecond)
				})
				if i == 0 && c.status != 0 && (got.status != c.status || !strings.Contains(got.fault(), c.says)) {
					t.Errorf("%s: %d %.300s, want %d with %q", path, got.status, got.text, c.status, c.says)
				}
				if got.status >= 500 {
					t.Errorf("%s: %d %.300s", path, got.status, got.text)
				}
				if len(got.text) > 4<<10 {
					t.Errorf("%s: %d bytes are given back", path, len(got.text))
				}
			}
			if after := counts(t, h); c.status != 0 && after != before {
				t.Errorf("something was saved: %v, before %v", after, before)
			}
			h.serves(t, c.row)
		})
	}
	t.Run("H71/ignored", func(t *testing.T) {
		got := h.do(t, "POST", "/api/v1/executions", noop+`, "status": "succeeded", "id": "000000000000000000000001", "result": 1, "user": "root"}`)
		var x execution
		if got.status == 201 {
			got.decode(t, &x)
		}
		if x.ID == "000000000000000000000001" || x.Status == "succeeded" && string(x.Result) == "1" {
			t.Errorf("the client chose what only Petrel may: %.500s", got.text)
		}
	})
}

// counts are the numbers of executions, actions and aliases there are.
func counts(t testing.TB, h *house) [3]int {
	t.Helper()
	return [3]int{h.count(t, "/api/v1/executions"), h.count(t, "/api/v1/actions"), h.count(t, "/api/v1/actionalias")}
}
