package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"petrel/expr/value"
)

// answer is what a server answered.
type answer struct {
	status int
	header http.Header
	text   string
}

// fault is the text of an error.
func (a answer) fault() string {
	d, _ := a.doc().(*value.Dict)
	if d == nil {
		return ""
	}
	v, _ := d.GetStr("faultstring")
	s, _ := v.(string)
	return s
}

func (a answer) doc() value.Value {
	v, err := value.FromJSON([]byte(a.text))
	if err != nil {
		return nil
	}
	return v
}

// at is a text in the answer.
func (a answer) at(t testing.TB, key string) string {
	t.Helper()
	d, ok := a.doc().(*value.Dict)
	if !ok {
		t.Fatalf("no object: %d %s", a.status, a.text)
	}
	v, _ := d.GetStr(key)
	s, ok := v.(string)
	if !ok {
		t.Fatalf("no text %s in %d %.300s", key, a.status, a.text)
	}
	return s
}

// do makes a request; headers come as name, value, name, value.
func (s server) do(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	// A connection of its own: what a server does to one must not reach the next test.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// token logs a user in.
func (s server) token(t testing.TB, user string) string {
	t.Helper()
	_, text, err := s.auth.CreateToken(t.Context(), tokenFor(user))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
