package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/api"
	"petrel/auth"
	"petrel/storage"
)

// admin makes a user who holds the role admin and gives a token of theirs.
func (s server) admin(t testing.TB, site *site, name string) string {
	t.Helper()
	err := site.store.PutUser(context.Background(), petrel.User{ID: petrel.NewID(time.Now()), Name: name, Admin: true, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return s.token(t, name)
}

// TestRights_EveryRoute walks all routes as somebody without rights: none may
// answer with what it is about.
func TestRights_EveryRoute(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Enforced: true}, api.Config{}, api.ServerOptions{})
	carol, ada := s.token(t, "carol"), s.admin(t, site, "ada")
	run := s.do(t, "POST", "/api/v1/executions", `{"action": "core.noop"}`, "X-Auth-Token", ada)
	if run.status != 201 {
		t.Fatalf("the admin: %d %s", run.status, run.text)
	}
	id := run.at(t, "id")
	// What anybody may see who is known, and what needs nobody.
	free := map[string]bool{"GET /api/v1/": true, "GET /api/v1/user": true, "POST /auth/v1/tokens/validate": true}
	fill := strings.NewReplacer("{ref}", "core.noop", "{id}", id, "{name}", "noop", "{pack}", "conformance", "{attribute}", "status",
		"{key}", "000000000000000000000000", "{path...}", "pack.yaml", "{identity}", "slack:T1:U1")
	bodies := map[string]string{
		"POST /api/v1/actions":                          `{"name": "x", "pack": "conformance", "runner_type": "noop"}`,
		"PUT /api/v1/actions/{ref}":                     `{"name": "noop", "runner_type": "noop"}`,
		"POST /api/v1/actionalias":                      `{"name": "x", "pack": "conformance", "action_ref": "core.noop", "formats": ["x"]}`,
		"POST /api/v1/executions":                       `{"action": "core.noop"}`,
		"POST /api/v1/apikeys":                          `{}`,
		"POST /api/v1/packs/install":                    `{"packs": ["x"]}`,
		"POST /api/v1/actions/{ref}/clone":              `{"dest_pack": "conformance", "dest_action": "x"}`,
		"POST /api/v1/actionalias/match":                `{"command": "conf plain"}`,
		"POST /api/v1/aliasexecution":                   `{"name": "plain", "format": "conf plain", "command": "conf plain", "user": "u", "source_channel": "c"}`,
		"POST /api/v1/aliasexecution/match_and_execute": `{"command": "conf plain", "user": "u", "source_channel": "c"}`,
	}
	paths := strings.NewReplacer("/actionalias/{ref}", "/actionalias/conformance.plain", "/packs/{ref}", "/packs/core",
		"/packs/views/files/{ref}", "/packs/views/files/core", "/packs/views/file/{ref}", "/packs/views/file/core")
	walked := 0
	for _, r := range s.api.Routes() {
		method, pattern, open := r[0], r[1], r[2]
		if open != "" || free[method+" "+pattern] {
			continue
		}
		walked++
		path := fill.Replace(paths.Replace(pattern))
		if got := s.do(t, method, path, bodies[method+" "+pattern]); got.status != 401 {
			t.Errorf("%s %s without credential: %d", method, path, got.status)
		}
		got := s.do(t, method, path, bodies[method+" "+pattern], "X-Auth-Token", carol)
		switch got.status {
		case 403, 404:
		case 401: // clone answers so, as recorded
			if !strings.HasSuffix(pattern, "/clone") {
				t.Errorf("%s %s: 401 %s", method, path, got.text)
			}
		case 400: // a body that says nothing is refused before rights are asked for
			if strings.Contains(got.text, "core.noop") {
				t.Errorf("%s %s: %s", method, path, got.text)
			}
		default:
			t.Errorf("%s %s without rights: %d %.200s", method, path, got.status, got.text)
		}
	}
	if walked < 45 {
		t.Errorf("only %d routes were walked", walked)
	}
	got := s.do(t, "GET", "/api/v1/actions/core.local", "", "X-Auth-Token", carol)
	if got.fault() != `User "carol" doesn't have required permission "action_view" on resource "action:core:local"` {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// audited gives the newest entries about a permission.
func (site *site) audited(t testing.TB, action string) []petrel.AuditEntry {
	t.Helper()
	entries, err := site.store.AuditList(context.Background(), storage.AuditFilter{Action: action, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestAudit_EveryChangeAndEveryRefusal(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Enforced: true, HtpasswdFile: site.htpasswd()}, api.Config{}, api.ServerOptions{})
	carol, ada := s.token(t, "carol"), s.admin(t, site, "ada")
	key := ""
	for _, c := range []struct {
		permission, method, path, body string
		target                         string
		status                         int
	}{
		{"action_execute", "POST", "/api/v1/executions", `{"action": "conformance.local_secret", "parameters": {"password": "hunter2"}}`, "action:conformance:local_secret", 201},
		{"action_create", "POST", "/api/v1/actions", `{"name": "mine", "pack": "conformance", "runner_type": "noop"}`, "action:conformance:mine", 201},
		{"action_modify", "PUT", "/api/v1/actions/conformance.mine", `{"name": "mine", "runner_type": "noop"}`, "action:conformance:mine", 200},
		{"action_create", "POST", "/api/v1/actions/conformance.noop/clone", `{"dest_pack": "conformance", "dest_action": "copy"}`, "action:conformance:copy", 201},
		{"action_delete", "DELETE", "/api/v1/actions/conformance.mine", ``, "action:conformance:mine", 204},
		{"action_alias_create", "POST", "/api/v1/actionalias", `{"name": "mine", "pack": "conformance", "action_ref": "core.noop", "formats": ["mine"]}`, "action_alias:conformance:mine", 201},
		{"action_alias_delete", "DELETE", "/api/v1/actionalias/conformance.mine", ``, "action_alias:conformance:mine", 204},
		{"api_key_create", "POST", "/api/v1/apikeys", `{"user": "bob"}`, "api_key:", 201},
		{"pack_config", "PUT", "/api/v1/configs/conformance", `{"region": "north"}`, "pack:conformance", 200},
		{"pack_register", "POST", "/api/v1/packs/register", `{"packs": ["conformance"]}`, "pack", 200},
		{"user_modify", "PUT", "/api/v1/users/dora", `{"password": "long enough"}`, "user:dora", 200},
		{"show_secrets", "GET", "/api/v1/apikeys?show_secrets=true", ``, "api_key:list", 200},
	} {
		before := len(site.audited(t, c.permission))
		got := s.do(t, c.method, c.path, c.body, "X-Auth-Token", ada, "X-Request-ID", "req-"+c.permission)
		if got.status != c.status {
			t.Errorf("%s: %d %s", c.permission, got.status, got.text)
			continue
		}
		if c.permission == "api_key_create" {
			key = got.at(t, "key")
		}
		entries := site.audited(t, c.permission)
		if len(entries) != before+1 {
			t.Errorf("%s: %d entries, %d before", c.permission, len(entries), before)
			continue
		}
		e := entries[0]
		if !e.Allowed || e.User != "ada" || !strings.HasPrefix(e.Target, c.target) || !strings.Contains(e.Reason, "role admin") ||
			e.From != "127.0.0.1" || e.RequestID != "req-"+c.permission {
			t.Errorf("%s: %+v", c.permission, e)
		}
		for _, secret := range []string{"hunter2", "long enough", key} {
			if secret != "" && strings.Contains(string(e.Arguments), secret) {
				t.Errorf("%s: a secret stands in the audit: %s", c.permission, e.Arguments)
			}
		}
	}
	for _, c := range []struct{ permission, method, path, body, target string }{
		{"action_execute", "POST", "/api/v1/executions", `{"action": "core.noop"}`, "action:core:noop"},
		{"action_list", "GET", "/api/v1/actions", ``, ""},
		{"pack_view", "GET", "/api/v1/packs/core", ``, "pack:core"},
		{"audit_list", "GET", "/api/v1/audit", ``, ""},
		{"stream_view", "GET", "/stream/v1/stream", ``, ""},
	} {
		got := s.do(t, c.method, c.path, c.body, "X-Auth-Token", carol)
		entries := site.audited(t, c.permission)
		if got.status != 403 || len(entries) == 0 || entries[0].Allowed || entries[0].User != "carol" || entries[0].Target != c.target ||
			!strings.Contains(entries[0].Reason, "does not hold the role admin") {
			t.Errorf("%s: %d %+v", c.permission, got.status, entries)
		}
	}
	// Logins, both ways.
	if got := s.do(t, "POST", "/auth/v1/tokens", "", "Authorization", "Basic YWxpY2U6d29uZGVyMQ=="); got.status != 201 {
		t.Errorf("login: %d %s", got.status, got.text)
	}
	if got := s.do(t, "POST", "/auth/v1/tokens", "", "Authorization", "Basic YWxpY2U6d3Jvbmc="); got.status != 401 {
		t.Errorf("wrong login: %d %s", got.status, got.text)
	}
	logins := site.audited(t, "login")
	if len(logins) != 2 || logins[0].Allowed || !logins[1].Allowed || logins[0].Target != "user:alice" || logins[1].Target != "user:alice" {
		t.Errorf("logins: %+v", logins)
	}
	for range 5 {
		s.do(t, "POST", "/auth/v1/tokens", "")
		s.do(t, "POST", "/auth/v1/tokens", "", "Authorization", "Bearer x")
	}
	if n := len(site.audited(t, "login")); n != 2 {
		t.Errorf("nonsense fills the audit: %d entries", n)
	}
	// The list, as the API shows it.
	list := s.do(t, "GET", "/api/v1/audit?limit=2&user=ada", "", "X-Auth-Token", ada)
	if list.status != 200 || strings.Count(list.text, `"timestamp":"`) != 2 || strings.Contains(list.text, "hunter2") {
		t.Errorf("%d %s", list.status, list.text)
	}
}

func TestUsers_OnlyAdminsManageThem(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{}, api.Config{}, api.ServerOptions{}) // rights are not enforced
	ann, ada := s.token(t, "ann"), s.admin(t, site, "ada")
	for _, c := range [][3]string{
		{"GET", "/api/v1/users", ""}, {"PUT", "/api/v1/users/ann", `{"admin": true}`}, {"PUT", "/api/v1/users/ann/chat/slack:T1:U1", ""},
		{"DELETE", "/api/v1/users/ann/chat/slack:T1:U1", ""},
	} {
		if got := s.do(t, c[0], c[1], c[2], "X-Auth-Token", ann); got.status != 403 {
			t.Errorf("%v by somebody: %d %s", c, got.status, got.text)
		}
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/api/v1/users/bea", `{"is_service": true}`, 200, `"is_service":true`},
		{"PUT", "/api/v1/users/bea", `{"admin": true}`, 200, `"is_service":true,"admin":true`},
		{"PUT", "/api/v1/users/bea", `{"name": "x"}`, 400, "Additional properties"},
		{"PUT", "/api/v1/users/bea", `{"password": "short"}`, 400, "must have 8 to 72"},
		{"PUT", "/api/v1/users/bea/chat/slack:T1:U1", ``, 200, `["slack:T1:U1"]`},
		{"PUT", "/api/v1/users/bea/chat/slack", ``, 400, "ADAPTER:WORKSPACE:USER"},
		{"PUT", "/api/v1/users/nobody/chat/slack:T1:U2", ``, 404, `There is no user \"nobody\".`},
		{"DELETE", "/api/v1/users/ann/chat/slack:T1:U1", ``, 404, "does not stand for the user"},
		{"DELETE", "/api/v1/users/bea/chat/slack:T1:U1", ``, 200, `"chat_identities":[]`},
		{"GET", "/api/v1/users", ``, 200, `"name":"bea"`},
	} {
		got := s.do(t, c.method, c.path, c.body, "X-Auth-Token", ada)
		if got.status != c.status || !strings.Contains(got.text, c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, got.status, got.text)
		}
	}
}
