package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"petrel"
	"petrel/storage"
)

func pack(ref string) petrel.Pack {
	return petrel.Pack{
		ID: id(), UID: "pack:" + ref, Ref: ref, Name: ref, Version: "1.0.0", Author: "a <a@b>", Keywords: []string{"k"}, Files: []string{"pack.yaml"},
		Path: "/packs/" + ref, System: petrel.JSON(`{"z":1,"a":2}`), ConfigSchema: petrel.JSON(`{"token": {"secret": true}}`), Hash: "h1",
	}
}

func alias(ref petrel.Ref) petrel.Alias {
	return petrel.Alias{
		ID: id(), UID: "action_alias:" + ref.Pack() + ":" + ref.Name(), Ref: ref, Pack: ref.Pack(), Name: ref.Name(), Enabled: true, ActionRef: "core.local",
		Formats: []petrel.AliasFormat{
			{Display: "say {{ x }}", Representations: []string{"say {{ x }}"}, Bare: true},
			{Display: "tell", Representations: []string{"tell {{ x }}", "t {{ x }}"}, MatchMultiple: true},
		},
		Ack: petrel.JSON(`{"format":"ok","enabled":true}`), Result: petrel.JSON(`{"extra":{"z":1,"a":2}}`),
	}
}

// raised runs a change and says which generations it raised.
func raised(t *testing.T, s storage.Store, do func()) string {
	t.Helper()
	before, err := s.Generations(bg)
	ok(t, err)
	do()
	after, err := s.Generations(bg)
	ok(t, err)
	text := ""
	for _, kind := range []storage.Kind{storage.KindPack, storage.KindAction, storage.KindAlias, storage.KindRunner, storage.KindConfig, storage.KindRights} {
		if after[kind] > before[kind] {
			text += string(kind) + " "
		}
	}
	return text
}

func testPacks(t *testing.T, s storage.Store) {
	p := pack("core")
	content := storage.PackContent{Pack: p, Actions: []petrel.Action{action("core.b"), action("core.a")}, Aliases: []petrel.Alias{alias("core.say")}}
	equal(t, raised(t, s, func() { ok(t, s.PutPackContent(bg, content)) }), "pack action action_alias ")
	ok(t, s.PutPackContent(bg, storage.PackContent{Pack: pack("other"), Actions: []petrel.Action{action("other.a")}, Aliases: []petrel.Alias{alias("other.say")}}))
	for _, key := range []string{"core", string(p.ID)} {
		got, err := s.Pack(bg, key)
		ok(t, err)
		equal(t, got, p)
	}
	// Registered again: what exists keeps its id, what is not named goes, the other pack stays.
	again := storage.PackContent{Pack: pack("core"), Actions: []petrel.Action{action("core.b"), action("core.c")}}
	again.Pack.Version, again.Pack.Hash, again.Actions[0].Description, again.Actions[0].Enabled = "2.0.0", "h2", "changed", false
	ok(t, s.PutPackContent(bg, again))
	got, err := s.Pack(bg, "core")
	ok(t, err)
	if got.ID != p.ID || got.Version != "2.0.0" || got.Hash != "h2" {
		t.Fatalf("the pack is %+v", got)
	}
	actions, total, err := s.ActionList(bg, storage.ContentFilter{})
	ok(t, err)
	if total != 3 || actions[0].Ref != "core.b" || actions[0].ID != content.Actions[0].ID || actions[0].Description != "changed" || actions[0].Enabled || actions[1].Ref != "core.c" || actions[2].Ref != "other.a" {
		t.Fatalf("the actions are %+v", actions)
	}
	aliases, _, err := s.AliasList(bg, storage.ContentFilter{})
	ok(t, err)
	if len(aliases) != 1 || aliases[0].Ref != "other.say" {
		t.Fatalf("the aliases are %+v", aliases)
	}
	// A faulty member keeps all of the registration out.
	bad := again
	bad.Pack.Version = "3.0.0"
	bad.Actions = []petrel.Action{action("core.d"), action("core.e\x00")}
	field(t, s.PutPackContent(bg, bad), "name")
	got, err = s.Pack(bg, "core")
	ok(t, err)
	equal(t, got.Version, "2.0.0")
	bad.Actions = []petrel.Action{action("other.x")}
	field(t, s.PutPackContent(bg, bad), "pack")

	c := petrel.Config{ID: id(), Pack: "core", Values: petrel.JSON(`{"z": "{{ st2kv.system.k }}", "a": 1}`)}
	equal(t, raised(t, s, func() { ok(t, s.PutConfig(bg, c)) }), "config ")
	second := petrel.Config{ID: id(), Pack: "core", Values: petrel.JSON(`{}`)}
	ok(t, s.PutConfig(bg, second))
	config, err := s.Config(bg, "core")
	ok(t, err)
	equal(t, config, petrel.Config{ID: c.ID, Pack: "core", Values: second.Values})
	configs, total, err := s.ConfigList(bg, storage.ContentFilter{Packs: []string{"core", "none"}})
	ok(t, err)
	if total != 1 || len(configs) != 1 {
		t.Fatalf("%d configs", total)
	}

	equal(t, raised(t, s, func() { ok(t, s.DeletePack(bg, "core")) }), "pack action action_alias config ")
	kind(t, s.DeletePack(bg, "core"), petrel.NotFound)
	_, err = s.Config(bg, "core")
	kind(t, err, petrel.NotFound)
	_, err = s.Pack(bg, "core")
	kind(t, err, petrel.NotFound)
	_, err = s.Pack(bg, "\x00")
	kind(t, err, petrel.NotFound)
	actions, _, err = s.ActionList(bg, storage.ContentFilter{})
	ok(t, err)
	if len(actions) != 1 {
		t.Fatalf("the actions are %+v", actions)
	}
	equal(t, raised(t, s, func() { ok(t, s.PutPack(bg, pack("new"))) }), "pack ")
	packs, total, err := s.PackList(bg, storage.ContentFilter{Limit: 1, Offset: 1})
	ok(t, err)
	if total != 2 || len(packs) != 1 || packs[0].Ref != "other" {
		t.Fatalf("%d packs: %+v", total, packs)
	}
}

func testActions(t *testing.T, s storage.Store) {
	a := action("core.a.b")
	a.Notify, a.OutputSchema = petrel.JSON(`{"on-complete":{"routes":["x"]}}`), petrel.JSON(`{"z":{},"a":{}}`)
	equal(t, raised(t, s, func() { ok(t, s.CreateAction(bg, a)) }), "action ")
	for _, key := range []string{"core.a.b", string(a.ID)} {
		got, err := s.Action(bg, key)
		ok(t, err)
		equal(t, got, a)
	}
	err := s.CreateAction(bg, action("core.a.b"))
	kind(t, err, petrel.Conflict)
	var e *petrel.Error
	if !errors.As(err, &e) || e.ID != a.ID {
		t.Fatalf("the conflict names %+v", e)
	}
	b := action("core.b")
	b.ID = a.ID
	kind(t, s.CreateAction(bg, b), petrel.Conflict)
	b.ID = id()
	b.Enabled = false
	ok(t, s.CreateAction(bg, b))
	b.Ref, b.Name = "core.a.b", "a.b"
	kind(t, s.UpdateAction(bg, b), petrel.Conflict)
	b.Ref, b.Name, b.Pack = "new.b", "b", "new"
	equal(t, raised(t, s, func() { ok(t, s.UpdateAction(bg, b)) }), "action ")
	got, err := s.Action(bg, "new.b")
	ok(t, err)
	equal(t, got, b)
	_, err = s.Action(bg, "core.b")
	kind(t, err, petrel.NotFound)
	enabled := false
	for _, c := range []struct {
		f    storage.ContentFilter
		want string
	}{
		{storage.ContentFilter{}, "[core.a.b new.b] 2"},
		{storage.ContentFilter{Packs: []string{"new"}}, "[new.b] 1"},
		{storage.ContentFilter{Names: []string{"b", "x\x00"}}, "[new.b] 1"},
		{storage.ContentFilter{Refs: []petrel.Ref{"core.a.b"}}, "[core.a.b] 1"},
		{storage.ContentFilter{IDs: []petrel.ID{b.ID}}, "[new.b] 1"},
		{storage.ContentFilter{Enabled: &enabled}, "[new.b] 1"},
		{storage.ContentFilter{Limit: 1}, "[core.a.b] 2"},
		{storage.ContentFilter{Offset: 1}, "[new.b] 2"},
	} {
		all, total, err := s.ActionList(bg, c.f)
		ok(t, err)
		refs := []petrel.Ref{}
		for _, a := range all {
			refs = append(refs, a.Ref)
		}
		if got := fmt.Sprint(refs, total); got != c.want {
			t.Errorf("%+v gives %s, not %s", c.f, got, c.want)
		}
	}
	wrong := action("core.c")
	wrong.Pack = "other"
	field(t, s.CreateAction(bg, wrong), "ref")
	wrong = action("core.c")
	wrong.ID = "1"
	field(t, s.CreateAction(bg, wrong), "id")
	ok(t, s.DeleteAction(bg, b.ID))
	kind(t, s.DeleteAction(bg, b.ID), petrel.NotFound)
	kind(t, s.UpdateAction(bg, b), petrel.NotFound)
}

func testAliases(t *testing.T, s storage.Store) {
	a := alias("core.say")
	equal(t, raised(t, s, func() { ok(t, s.CreateAlias(bg, a)) }), "action_alias ")
	got, err := s.Alias(bg, "core.say")
	ok(t, err)
	equal(t, got, a)
	kind(t, s.CreateAlias(bg, alias("core.say")), petrel.Conflict)
	same := alias("chat.say") // the same name in another pack
	ok(t, s.CreateAlias(bg, same))
	got, err = s.AliasByName(bg, "say")
	ok(t, err)
	equal(t, got, same)
	a.Enabled, a.Description = false, "quiet"
	ok(t, s.UpdateAlias(bg, a))
	got, err = s.Alias(bg, string(a.ID))
	ok(t, err)
	equal(t, got, a)
	ok(t, s.DeleteAlias(bg, same.ID))
	kind(t, s.DeleteAlias(bg, same.ID), petrel.NotFound)
	_, err = s.AliasByName(bg, "none")
	kind(t, err, petrel.NotFound)
	all, total, err := s.AliasList(bg, storage.ContentFilter{Packs: []string{"core"}})
	ok(t, err)
	if total != 1 {
		t.Fatal("one alias is not listed")
	}
	equal(t, all[0], a)
}

func testRunners(t *testing.T, s storage.Store) {
	a, b := runner("noop"), runner("local-shell-cmd")
	b.ID = id()
	equal(t, raised(t, s, func() { ok(t, s.PutRunnerTypes(bg, []petrel.RunnerType{a, b})) }), "runner_type ")
	equal(t, raised(t, s, func() { ok(t, s.SetRunnerEnabled(bg, "noop", false)) }), "runner_type ")
	kind(t, s.SetRunnerEnabled(bg, "none", false), petrel.NotFound)
	again := runner("noop")
	again.ID, again.Description = id(), "new"
	ok(t, s.PutRunnerTypes(bg, []petrel.RunnerType{again}))
	got, err := s.RunnerType(bg, "noop")
	ok(t, err)
	again.ID, again.Enabled = a.ID, false
	equal(t, got, again)
	got, err = s.RunnerType(bg, string(b.ID))
	ok(t, err)
	equal(t, got, b)
	_, err = s.RunnerType(bg, "none")
	kind(t, err, petrel.NotFound)
	all, total, err := s.RunnerTypeList(bg, storage.ContentFilter{})
	ok(t, err)
	equal(t, []any{all, total}, []any{[]petrel.RunnerType{b, again}, 2})
}

func testInTx(t *testing.T, s storage.Store) {
	ok(t, s.PutUser(bg, petrel.User{ID: id(), Name: "ann", CreatedAt: now()}))
	boom := errors.New("boom")
	entry := petrel.AuditEntry{ID: id(), At: now(), Action: "x", Target: "y"}
	change := func(end error) error {
		return s.InTx(bg, func(ctx context.Context, tx storage.Admin) error {
			if err := tx.PutPackContent(ctx, storage.PackContent{Pack: pack("core"), Actions: []petrel.Action{action("core.a")}}); err != nil {
				return err
			}
			if err := tx.CreateToken(ctx, petrel.Token{ID: entry.ID, User: "ann", Hash: "h", ExpiresAt: now()}); err != nil {
				return err
			}
			if _, err := tx.Action(ctx, "core.a"); err != nil { // it sees its own changes
				return err
			}
			if err := tx.AppendAudit(ctx, entry); err != nil {
				return err
			}
			return end
		})
	}
	equal(t, raised(t, s, func() {
		if err := change(boom); !errors.Is(err, boom) {
			t.Fatalf("the error is %v", err)
		}
	}), "")
	_, err := s.Pack(bg, "core")
	kind(t, err, petrel.NotFound)
	_, err = s.Token(bg, "h")
	kind(t, err, petrel.NotFound)
	audit, err := s.AuditList(bg, storage.AuditFilter{})
	ok(t, err)
	equal(t, len(audit), 0)
	equal(t, raised(t, s, func() { ok(t, change(nil)) }), "pack action action_alias ")
	audit, err = s.AuditList(bg, storage.AuditFilter{})
	ok(t, err)
	equal(t, audit, []petrel.AuditEntry{entry})
	// A panic ends the transaction, not the process; a call around it is refused.
	kind(t, s.InTx(bg, func(context.Context, storage.Admin) error { panic("x") }), petrel.Internal)
	kind(t, s.InTx(bg, func(ctx context.Context, _ storage.Admin) error { return s.DeletePack(ctx, "core") }), petrel.Internal)
	_, err = s.Pack(bg, "core")
	ok(t, err)
}
