package api_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"petrel/api"
	"petrel/auth"
	"petrel/expr/value"
)

func TestExecution_UserValuesKeepTheirOrder(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	const given = `"zebra":1,"apple":{"z":1,"a":2},"mango":[{"y":1,"b":2}],"big":123456789012345678901234567890,"float":1.0,"text":"é\u001f\"<"`
	got := s.do(t, "POST", "/api/v1/executions", `{"action": "core.noop", "parameters": {`+given+`}}`)
	if got.status != 201 || strings.Count(got.text, `{`+strings.ReplaceAll(given, "é", "é")+`}`) != 2 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	again := s.do(t, "GET", "/api/v1/executions/"+got.at(t, "id")+"?include_attributes=parameters", "")
	if !strings.Contains(again.text, `{`+given+`}`) {
		t.Errorf("%s", again.text)
	}
}

func TestExecution_IdempotencyKey(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{}, api.ServerOptions{})
	ann, bob := s.token(t, "ann"), s.token(t, "bob")
	post := func(token, key string) answer {
		return s.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, "X-Auth-Token", token, "Idempotency-Key", key)
	}
	first, second := post(ann, "k1"), post(ann, "k1")
	if first.status != 201 || second.status != 201 || first.at(t, "id") != second.at(t, "id") || second.header.Get("Idempotency-Replayed") != "true" ||
		first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the same key: %s %s", first.text, second.text)
	}
	if other := post(bob, "k1"); other.at(t, "id") == first.at(t, "id") {
		t.Error("another user's key is the same key")
	}
	if other := post(ann, "k2"); other.at(t, "id") == first.at(t, "id") {
		t.Error("another key is the same key")
	}
	for name, key := range map[string]string{"too long": strings.Repeat("k", 256), "not ASCII": "schlüssel"} {
		if got := post(ann, key); got.status != 400 || !strings.Contains(got.fault(), "Idempotency-Key") {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

func TestExecution_TokenDiesWithTheRun(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{}, api.ServerOptions{})
	ann := s.token(t, "ann")
	got := s.do(t, "POST", "/api/v1/executions", `{"action": "core.local", "parameters": {"cmd": "echo $ST2_ACTION_AUTH_TOKEN; sleep 1"}}`, "X-Auth-Token", ann)
	id := got.at(t, "id")
	var text string
	eventually(t, "the action prints its token", func() bool {
		text = strings.TrimSpace(s.do(t, "GET", "/api/v1/executions/"+id+"/output", "", "X-Auth-Token", ann).text)
		return len(text) == 32
	})
	who := s.do(t, "GET", "/api/v1/user", "", "X-Auth-Token", text)
	if who.status != 200 || who.at(t, "username") != "ann" {
		t.Errorf("while it runs: %d %s", who.status, who.text)
	}
	eventually(t, "the run ends", func() bool {
		return strings.Contains(s.do(t, "GET", "/api/v1/executions/"+id+"/attribute/status", "", "X-Auth-Token", ann).text, "succeeded")
	})
	if who := s.do(t, "GET", "/api/v1/user", "", "X-Auth-Token", text); who.status != 401 {
		t.Errorf("after its end: %d %s", who.status, who.text)
	}
}

func TestExecution_RunAsAnotherUserTakesRights(t *testing.T) {
	site := newSite(t)
	open := site.serve(auth.Config{}, api.Config{}, api.ServerOptions{})
	ann := open.token(t, "ann")
	got := open.do(t, "POST", "/api/v1/executions", `{"action": "core.noop", "user": "bob"}`, "X-Auth-Token", ann)
	if got.status != 201 || !strings.Contains(got.text, `"user":"bob"`) {
		t.Errorf("rights off: %d %s", got.status, got.text)
	}
	entries := site.audited(t, "action_execute")
	if len(entries) == 0 || entries[0].User != "ann" || !strings.Contains(string(entries[0].Arguments), `"user":"bob"`) {
		t.Errorf("the audit names who asked: %+v", entries)
	}
	for name, header := range map[string]string{"user": `{"user": "bob"}`, "parent": `{"parent": {"user": "bob"}}`} {
		got := open.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, "X-Auth-Token", ann, "St2-Context", header)
		if got.status != 201 {
			t.Errorf("st2-context %s: %d %s", name, got.status, got.text)
		}
	}
	if got := open.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, "X-Auth-Token", ann, "St2-Context", `[1]`); got.fault() != "Unable to convert st2-context from the headers into JSON (was <class 'list'>)." {
		t.Errorf("%s", got.text)
	}
}

func TestCookie_IsNotEnoughForAChangeFromAnotherSite(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{AllowOrigin: []string{"https://good.example"}}, api.ServerOptions{})
	cookie := "auth-token=" + s.token(t, "ann")
	post := func(headers ...string) int {
		return s.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, append([]string{"Cookie", cookie}, headers...)...).status
	}
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"no browser", nil, 201},
		{"the same site", []string{"Sec-Fetch-Site", "same-origin"}, 201},
		{"a listed origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://good.example"}, 201},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"another site, older browser", []string{"Origin", "https://evil.example"}, 403},
		{"no origin", []string{"Origin", "null"}, 403},
		{"a form", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, 403},
	} {
		if got := post(c.headers...); got != c.status {
			t.Errorf("%s: %d, want %d", c.name, got, c.status)
		}
	}
	if got := s.do(t, "GET", "/api/v1/actions", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); got.status != 200 {
		t.Errorf("reading is left to the browser's own rules: %d", got.status)
	}
}

func TestCORS_ExactOriginsOnly(t *testing.T) {
	site := newSite(t)
	listed := site.serve(auth.Config{Disabled: true}, api.Config{AllowOrigin: []string{"https://good.example", "https://other.example"}}, api.ServerOptions{})
	all := site.serve(auth.Config{Disabled: true}, api.Config{AllowOrigin: []string{"*"}}, api.ServerOptions{})
	for _, c := range []struct {
		s            server
		origin, want string
	}{
		{listed, "", "https://good.example"}, {listed, "https://other.example", "https://other.example"},
		{listed, "http://127.0.0.1:3000", "http://127.0.0.1:3000"}, {listed, "http://localhost:8080", "http://localhost:8080"},
		{listed, "null", "https://good.example"}, {listed, "https://good.example.evil.test", "https://good.example"},
		{listed, "http://good.example", "https://good.example"}, {listed, "https://good.example:444", "https://good.example"},
		{listed, "https://GOOD.example", "https://good.example"},
		{all, "https://anything.example", "https://anything.example"}, {all, "null", "*"},
	} {
		got := c.s.do(t, "GET", "/api/v1/", "", "Origin", c.origin)
		if got.header.Get("Access-Control-Allow-Origin") != c.want {
			t.Errorf("%q: %q, want %q", c.origin, got.header.Get("Access-Control-Allow-Origin"), c.want)
		}
	}
	if _, err := api.New(api.Config{Store: site.store, Auth: listed.auth, Engine: site.engine, Feed: site.feed, AllowOrigin: []string{"good.example"}}); err == nil {
		t.Error("an origin without a scheme is taken")
	}
}

func TestReady_AsksEveryPart(t *testing.T) {
	site := newSite(t)
	var broken atomic.Bool
	registry := prometheus.NewRegistry()
	s := site.serve(auth.Config{}, api.Config{
		Ready: []api.Check{
			{Name: "engine", Ask: site.engine.Ready},
			{Name: "part", Ask: func(context.Context) error {
				if broken.Load() {
					return errors.New("a detail nobody outside needs")
				}
				return nil
			}},
		},
		Registry: registry, Gatherer: registry,
	}, api.ServerOptions{})
	if got := s.do(t, "GET", "/readyz", ""); got.status != 200 || !strings.Contains(got.text, `"store":"ok","engine":"ok","part":"ok"`) {
		t.Errorf("%d %s", got.status, got.text)
	}
	broken.Store(true)
	if got := s.do(t, "GET", "/readyz", ""); got.status != 503 || !strings.Contains(got.text, `"part":"not ready"`) || strings.Contains(got.text, "detail") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := s.do(t, "GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz: %d", got.status)
	}
	if got := s.do(t, "GET", "/metrics", ""); got.status != 200 || !strings.Contains(got.text, `petrel_api_requests_total{method="GET",route="/readyz",status="503"} 1`) {
		t.Errorf("metrics: %d %.500s", got.status, got.text)
	}
	_ = site.store.Close()
	if got := s.do(t, "GET", "/readyz", ""); got.status != 503 || !strings.Contains(got.text, `"store":"not ready"`) {
		t.Errorf("without a store: %d %s", got.status, got.text)
	}
}

func TestLogin_ProxyTrustsOnlyTheProxy(t *testing.T) {
	site := newSite(t)
	near := site.serve(auth.Config{Mode: auth.Proxy}, api.Config{}, api.ServerOptions{})
	far := site.serve(auth.Config{Mode: auth.Proxy}, api.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, api.ServerOptions{})
	if got := near.do(t, "POST", "/auth/v1/tokens", "", "X-Forwarded-User", "ann"); got.status != 201 || got.at(t, "user") != "ann" {
		t.Errorf("by the proxy: %d %s", got.status, got.text)
	}
	if got := near.do(t, "POST", "/auth/v1/tokens", "", "Authorization", "Basic Ym9iOng="); got.status != 201 || got.at(t, "user") != "bob" {
		t.Errorf("by Basic: %d %s", got.status, got.text)
	}
	if got := near.do(t, "POST", "/auth/v1/tokens", ""); got.status != 401 {
		t.Errorf("nobody: %d", got.status)
	}
	for _, headers := range [][]string{{"X-Forwarded-User", "ann"}, {"Authorization", "Basic Ym9iOng="}} {
		if got := far.do(t, "POST", "/auth/v1/tokens", "", headers...); got.status != 401 {
			t.Errorf("by somebody who is no proxy: %d %s", got.status, got.text)
		}
	}
	// The address for the audit is what the trusted proxy says.
	_ = near.do(t, "POST", "/auth/v1/tokens", "", "X-Forwarded-User", "cy", "X-Forwarded-For", "203.0.113.7, 198.51.100.9")
	if logins := site.audited(t, "login"); logins[0].From != "198.51.100.9" {
		t.Errorf("from %s", logins[0].From)
	}
}

func TestSecrets_MaskedEverywhere(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{}, api.ServerOptions{})
	ann := s.token(t, "ann")
	const canary = "c4n4ry-8f3a"
	response, lines := s.listen(t, "/stream/v1/stream?events=st2.execution__*,st2.liveaction__*", "X-Auth-Token", ann)
	if response.StatusCode != 200 {
		t.Fatal(response.Status)
	}
	got := s.do(t, "POST", "/api/v1/executions", `{"action": "conformance.local_secret", "parameters": {"password": "`+canary+`", "cmd": "true", `+
		`"box": {"a": "`+canary+`"}, "list_of": ["`+canary+`"], "mixed": {"open": "seen", "closed": "`+canary+`"}}}`, "X-Auth-Token", ann)
	if got.status != 201 || !strings.Contains(got.text, `"open":"seen"`) {
		t.Fatalf("%d %s", got.status, got.text)
	}
	id := got.at(t, "id")
	texts := map[string]string{"POST": got.text}
	eventually(t, "the run ends", func() bool {
		texts["GET"] = s.do(t, "GET", "/api/v1/executions/"+id, "", "X-Auth-Token", ann).text
		return strings.Contains(texts["GET"], `"status":"succeeded"`)
	})
	for name, path := range map[string]string{
		"list": "/api/v1/executions?user=ann", "output": "/api/v1/executions/" + id + "/output", "audit": "/api/v1/audit", "children": "/api/v1/executions/" + id + "/children",
	} {
		texts[name] = s.do(t, "GET", path, "", "X-Auth-Token", ann).text
	}
	texts["re_run"] = s.do(t, "POST", "/api/v1/executions/"+id+"/re_run", `{}`, "X-Auth-Token", ann).text
	texts["cancel"] = s.do(t, "DELETE", "/api/v1/executions/"+id, "", "X-Auth-Token", ann).text
	for !strings.Contains(texts["stream"], `"status":"succeeded"`) {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		texts["stream"] += line
	}
	for name, text := range texts {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows the secret", name)
		}
	}
	shown := s.do(t, "GET", "/api/v1/executions/"+id+"?show_secrets=true", "", "X-Auth-Token", ann)
	if !strings.Contains(shown.text, canary) {
		t.Error("an administrator who asks is not shown the secret")
	}
	if entries := site.audited(t, "show_secrets"); len(entries) != 1 || entries[0].Target != "execution:"+id {
		t.Errorf("the showing is not in the audit: %+v", entries)
	}
}

func TestExecutionList_AllRowsPieceByPiece(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	const n = 450 // more than two pieces
	for range n {
		if got := s.do(t, "POST", "/api/v1/executions", `{"action": "core.noop", "user": "many"}`); got.status != 201 {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	for query, want := range map[string]int{"limit=-1": n, "limit=300": 300, "limit=-1&offset=440": 10, "limit=-1&sort=id": n, "": 100, "limit=401&offset=49": 401} {
		got := s.do(t, "GET", "/api/v1/executions?user=many&include_attributes=status&"+query, "")
		l, ok := got.doc().(*value.List)
		if !ok || l.Len() != want {
			t.Errorf("%s: %d %.200s", query, got.status, got.text)
			continue
		}
		seen := map[string]bool{}
		for _, item := range l.Items {
			id, _ := item.(*value.Dict).GetStr("id")
			seen[id.(string)] = true
		}
		if len(seen) != want || got.header.Get("X-Total-Count") != "450" {
			t.Errorf("%s: %d different rows, total %s", query, len(seen), got.header.Get("X-Total-Count"))
		}
	}
}
