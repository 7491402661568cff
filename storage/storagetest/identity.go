package storagetest

import (
	"fmt"
	"testing"
	"time"

	"petrel"
	"petrel/storage"
)

func testUsers(t *testing.T, s storage.Store) {
	ann := petrel.User{ID: id(), Name: "ann", Admin: true, Password: "$2a$10$x", CreatedAt: now()}
	equal(t, raised(t, s, func() { ok(t, s.PutUser(bg, ann)) }), "rights ")
	got, err := s.User(bg, "ann")
	ok(t, err)
	equal(t, got, ann)
	_, err = s.User(bg, "bob")
	kind(t, err, petrel.NotFound)
	_, err = s.User(bg, "a\x00")
	kind(t, err, petrel.NotFound)
	field(t, s.PutUser(bg, petrel.User{ID: id(), Name: "a\x00"}), "name")
	bob := petrel.User{ID: id(), Name: "bob", IsService: true, CreatedAt: now()}
	ok(t, s.PutUser(bg, bob))
	changed := ann
	changed.ID, changed.Admin, changed.Password = id(), false, ""
	ok(t, s.PutUser(bg, changed))
	changed.ID = ann.ID

	slack := petrel.ChatIdentity{Adapter: "slack", Workspace: "T1", User: "U1"}
	equal(t, raised(t, s, func() { ok(t, s.LinkChat(bg, slack, "ann")) }), "rights ")
	kind(t, s.LinkChat(bg, slack, "none"), petrel.NotFound)
	field(t, s.LinkChat(bg, petrel.ChatIdentity{Adapter: "slack", User: "\x00"}, "ann"), "user")
	changed.Nicknames = map[string]string{"slack:T1": "U1"}
	got, err = s.ChatUser(bg, slack)
	ok(t, err)
	equal(t, got, changed)
	all, err := s.UserList(bg)
	ok(t, err)
	equal(t, all, []petrel.User{changed, bob})
	second := petrel.ChatIdentity{Adapter: "slack", Workspace: "T1", User: "U0"}
	ok(t, s.LinkChat(bg, second, "ann"))
	identities, err := s.ChatIdentities(bg, "ann")
	ok(t, err)
	equal(t, identities, []petrel.ChatIdentity{second, slack})
	ok(t, s.UnlinkChat(bg, second))
	ok(t, s.LinkChat(bg, slack, "bob")) // one user for each identity
	got, err = s.ChatUser(bg, slack)
	ok(t, err)
	equal(t, got.Name, "bob")
	ok(t, s.UnlinkChat(bg, slack))
	kind(t, s.UnlinkChat(bg, slack), petrel.NotFound)
	_, err = s.ChatUser(bg, slack)
	kind(t, err, petrel.NotFound)
	bob.Nicknames = map[string]string{"console:local": "bob"}
	ok(t, s.PutUser(bg, bob))
	got, err = s.ChatUser(bg, petrel.ChatIdentity{Adapter: "console", Workspace: "local", User: "bob"})
	ok(t, err)
	equal(t, got, bob)
	changed.Nicknames = bob.Nicknames
	kind(t, s.PutUser(bg, changed), petrel.Conflict)
}

func testTokens(t *testing.T, s storage.Store) {
	a := petrel.Token{ID: id(), User: "ann", Hash: "a", ExpiresAt: now().Add(-time.Hour), Metadata: petrel.JSON(`{"z":1,"a":"\u0000"}`)}
	b := petrel.Token{ID: id(), User: "ann", Hash: "b", ExpiresAt: now().Add(time.Hour), Service: true, ExecutionID: id()}
	ok(t, s.CreateToken(bg, a))
	ok(t, s.CreateToken(bg, b))
	for _, want := range []petrel.Token{a, b} {
		got, err := s.Token(bg, want.Hash)
		ok(t, err)
		equal(t, got, want)
	}
	same := b
	same.ID = id()
	kind(t, s.CreateToken(bg, same), petrel.Conflict)
	field(t, s.CreateToken(bg, petrel.Token{ID: id()}), "token.hash")
	n, err := s.PurgeTokens(bg, now(), 10)
	ok(t, err)
	equal(t, n, 1)
	_, err = s.Token(bg, "a")
	kind(t, err, petrel.NotFound)
	ok(t, s.DeleteToken(bg, "b"))
	kind(t, s.DeleteToken(bg, "b"), petrel.NotFound)
	_, err = s.Token(bg, "\xff")
	kind(t, err, petrel.NotFound)
}

func testAPIKeys(t *testing.T, s storage.Store) {
	var all []petrel.APIKey
	for i := 0; i < 3; i++ {
		k := petrel.APIKey{ID: id(), UID: fmt.Sprint("api_key:h", i), User: "ann", Hash: fmt.Sprint("h", i), Metadata: petrel.JSON(`{"z":1}`), Enabled: i > 0, CreatedAt: now()}
		equal(t, raised(t, s, func() { ok(t, s.CreateAPIKey(bg, k)) }), "rights ")
		all = append(all, k)
	}
	for _, key := range []string{all[1].Hash, string(all[1].ID)} {
		got, err := s.APIKey(bg, key)
		ok(t, err)
		equal(t, got, all[1])
	}
	kind(t, s.CreateAPIKey(bg, petrel.APIKey{ID: id(), Hash: "h0"}), petrel.Conflict)
	kind(t, s.CreateAPIKey(bg, petrel.APIKey{ID: all[0].ID, Hash: "new"}), petrel.Conflict)
	all[0].Enabled, all[0].User = true, "bob"
	equal(t, raised(t, s, func() { ok(t, s.UpdateAPIKey(bg, all[0])) }), "rights ")
	taken := all[0]
	taken.Hash = "h1"
	kind(t, s.UpdateAPIKey(bg, taken), petrel.Conflict)
	got, total, err := s.APIKeyList(bg, 2, 0)
	ok(t, err)
	equal(t, []any{got, total}, []any{all[:2], 3})
	got, total, err = s.APIKeyList(bg, 0, 2)
	ok(t, err)
	equal(t, []any{got, total}, []any{all[2:], 3})
	equal(t, raised(t, s, func() { ok(t, s.DeleteAPIKey(bg, all[0].ID)) }), "rights ")
	kind(t, s.DeleteAPIKey(bg, all[0].ID), petrel.NotFound)
	kind(t, s.UpdateAPIKey(bg, all[0]), petrel.NotFound)
	_, err = s.APIKey(bg, "h0")
	kind(t, err, petrel.NotFound)
}

func testNodes(t *testing.T, s storage.Store) {
	clock, err := s.Now(bg)
	ok(t, err)
	if d := time.Since(clock); d > time.Minute || d < -time.Minute {
		t.Fatalf("the database's clock is off by %v", d)
	}
	register := func(host, folder string, lease time.Duration) petrel.Node {
		n := petrel.Node{ID: id(), Host: host, PID: 1, Roles: []string{"api", "worker"}, StateDir: folder, StartedAt: now(), Version: "v"}
		n.Incarnation = "i" + string(n.ID)
		ok(t, s.RegisterNode(bg, n, lease))
		return n
	}
	a := register("h", "/state", time.Minute)
	other := register("h2", "/state", time.Minute) // the same path on another machine
	short := register("h", "", -time.Second)
	kind(t, s.RegisterNode(bg, a, time.Minute), petrel.Conflict)
	ok(t, s.RenewNode(bg, a.Incarnation, time.Hour))
	dead, err := s.MarkDead(bg)
	ok(t, err)
	equal(t, dead, []string{short.Incarnation})
	dead, err = s.MarkDead(bg)
	ok(t, err)
	equal(t, len(dead), 0)
	kind(t, s.RenewNode(bg, short.Incarnation, time.Minute), petrel.NotOwner)
	kind(t, s.RenewNode(bg, "none", time.Minute), petrel.NotOwner)
	b := register("h", "/state", time.Minute) // took over the folder of a
	kind(t, s.RenewNode(bg, a.Incarnation, time.Minute), petrel.NotOwner)
	ok(t, s.RenewNode(bg, other.Incarnation, time.Minute))
	ok(t, s.RetireNode(bg, b.Incarnation))
	kind(t, s.RetireNode(bg, "none"), petrel.NotFound)
	all, err := s.NodeList(bg)
	ok(t, err)
	state := ""
	for _, n := range all {
		for i, want := range []petrel.Node{a, other, short, b} {
			if n.Incarnation == want.Incarnation {
				state += fmt.Sprintf("%d:%v ", i, n.Dead)
				want.Dead, want.LeaseUntil = n.Dead, n.LeaseUntil
				equal(t, n, want)
			}
		}
	}
	if len(all) != 4 || state != "0:true 1:false 2:true 3:true " {
		t.Fatalf("the nodes are %s", state)
	}
	if left := all[0].LeaseUntil.Sub(clock); left < 59*time.Minute || left > 61*time.Minute {
		t.Fatalf("the lease of a ends in %v", left)
	}
	// Long dead and without anything in its hands: forgotten.
	old := register("h3", "", -48*time.Hour)
	holder := register("h4", "", -48*time.Hour)
	begin(t, s, holder.Incarnation, newRun())
	_, err = s.MarkDead(bg)
	ok(t, err)
	all, err = s.NodeList(bg)
	ok(t, err)
	for _, n := range all {
		if n.Incarnation == old.Incarnation {
			t.Fatal("a node long dead was not forgotten")
		}
	}
	if len(all) != 5 {
		t.Fatalf("%d nodes are left, not 5", len(all))
	}
}

func testAudit(t *testing.T, s storage.Store) {
	var all []petrel.AuditEntry
	start := now()
	for i := 0; i < 6; i++ {
		all = append(all, petrel.AuditEntry{
			ID: id(), At: start.Add(time.Duration(i) * time.Second), User: []string{"ann", "bob"}[i%2], Chat: "slack:T:U", From: "10.0.0.1", Action: "action_execute",
			Target: fmt.Sprint("action:core:a", i%3), Allowed: i%2 == 0, Reason: "admin", Arguments: petrel.JSON(`{"z":"\u0000","a":1}`), RequestID: "r",
		})
	}
	ok(t, s.AppendAudit(bg, all[:3]...))
	ok(t, s.AppendAudit(bg, all[3:]...))
	ok(t, s.AppendAudit(bg))
	refused := false
	for _, c := range []struct {
		f    storage.AuditFilter
		want string
	}{
		{storage.AuditFilter{}, "5 4 3 2 1 0 "},
		{storage.AuditFilter{Limit: 2}, "5 4 "},
		{storage.AuditFilter{AfterID: all[4].ID, Limit: 2}, "3 2 "},
		{storage.AuditFilter{User: "bob", Target: "action:core:a1"}, "1 "},
		{storage.AuditFilter{Allowed: &refused, Action: "action_execute"}, "5 3 1 "},
		{storage.AuditFilter{From: all[1].At, To: all[3].At}, "3 2 1 "},
		{storage.AuditFilter{User: "\x00"}, ""},
	} {
		got, err := s.AuditList(bg, c.f)
		ok(t, err)
		text := ""
		for _, e := range got {
			for i := range all {
				if e.ID == all[i].ID {
					text += fmt.Sprint(i, " ")
					equal(t, e, all[i])
				}
			}
		}
		if text != c.want {
			t.Errorf("%+v gives %s, not %s", c.f, text, c.want)
		}
	}
	if err := s.AppendAudit(bg, all[0]); err == nil {
		t.Fatal("an entry was replaced")
	}
	field(t, s.AppendAudit(bg, petrel.AuditEntry{ID: id(), Target: "a\x00"}), "audit.target")
}

func testReady(t *testing.T, s storage.Store) {
	ok(t, s.Ping(bg))
	ok(t, s.Close())
	ok(t, s.Close())
	kind(t, s.Ping(bg), petrel.Unavailable)
	kind(t, s.Request(bg, []storage.NewExecution{newRun()})[0].Err, petrel.Unavailable)
	_, err := s.Execution(bg, id())
	kind(t, err, petrel.Unavailable)
}
