package packs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/packs"
	"petrel/runners/runnertype"
	"petrel/storage"
	"petrel/storage/sqlite"
)

// bench is a registrar over a real store and folders of its own.
type bench struct {
	*packs.Registrar
	store   storage.Store
	user    string // user packs
	builtIn string
	configs string
	over    string
}

func newBench(t *testing.T) bench {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "petrel.db"), sqlite.Options{Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	b := bench{store: store, user: filepath.Join(dir, "packs"), builtIn: unpacked(t), configs: filepath.Join(dir, "configs"), over: filepath.Join(dir, "overrides")}
	search, err := packs.NewSearch([]packs.Root{{Dir: b.user}, {Dir: b.builtIn, BuiltIn: true}}, packs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b.Registrar, err = packs.New(packs.Config{Store: store, Search: search, Runners: runnertype.All(), Configs: []string{b.configs}, Overrides: []string{b.over}, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bench) register(t *testing.T, q packs.Request) packs.Result {
	t.Helper()
	result, err := b.Register(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (b bench) generations(t *testing.T) map[storage.Kind]int64 {
	t.Helper()
	g, err := b.store.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (b bench) action(t *testing.T, ref string) petrel.Action {
	t.Helper()
	a, err := b.store.Action(t.Context(), ref)
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	return a
}

func (b bench) gone(t *testing.T, ref string) {
	t.Helper()
	if _, err := b.store.Action(t.Context(), ref); !petrel.Is(err, petrel.NotFound) {
		t.Errorf("%s is still there: %v", ref, err)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestRegister_ConformancePack(t *testing.T) {
	b := newBench(t)
	copyTree(t, "testdata/conformance", filepath.Join(b.user, "conformance"))
	copyTree(t, "testdata/configs", b.configs)
	result := b.register(t, packs.Request{Packs: []string{"conformance"}, FailOnProblem: true})
	want := map[string]int{"runners": 14, "actions": 40, "aliases": 7, "configs": 1, "rules": 0, "rule_types": 0, "policies": 0, "policy_types": 0, "sensors": 0, "triggers": 0}
	if len(result.Counts) != len(want) {
		t.Errorf("counts %v", result.Counts)
	}
	for kind, n := range want {
		if got, ok := result.Counts[kind]; !ok || got != n {
			t.Errorf("%s: %d, want %d", kind, got, n)
		}
	}
	a := b.action(t, "conformance.script_args")
	if !a.ID.Valid() || a.UID != "action:conformance:script_args" || a.MetadataFile != "actions/script_args.yaml" {
		t.Errorf("%+v", a)
	}
	alias, err := b.store.AliasByName(t.Context(), "greet")
	if err != nil || len(alias.Formats) != 2 || !alias.Formats[0].Bare || alias.Formats[1].Display != "conf hail <name>" {
		t.Errorf("%+v %v", alias, err)
	}
	config, err := b.store.Config(t.Context(), "conformance")
	if err != nil || string(config.Values) != `{"region":"west","api_secret":"s3cr3t","db":{"host":"db.example","password":"hunter2"}}` {
		t.Errorf("%s %v", config.Values, err)
	}
	dir, ok := b.Search().PackDir("conformance")
	if !ok || dir != filepath.Join(b.user, "conformance") {
		t.Errorf("folder %q", dir)
	}
	entry, err := b.Search().EntryPoint(a)
	if err != nil || entry != filepath.Join(dir, "actions", "script_args.sh") {
		t.Errorf("entry point %q %v", entry, err)
	}
}

func TestRegister_Types(t *testing.T) {
	b := newBench(t)
	copyTree(t, "testdata/conformance", filepath.Join(b.user, "conformance"))
	result := b.register(t, packs.Request{Packs: []string{"conformance"}, Types: []string{"actions"}})
	if len(result.Counts) != 2 || result.Counts["actions"] != 40 || result.Counts["runners"] != 14 {
		t.Errorf("%v", result.Counts)
	}
	aliases, _, err := b.store.AliasList(t.Context(), storage.ContentFilter{Packs: []string{"conformance"}})
	if err != nil || len(aliases) != 0 {
		t.Errorf("%d aliases without being asked for: %v", len(aliases), err)
	}
	result = b.register(t, packs.Request{Types: []string{"alias"}, Packs: []string{"conformance"}})
	if len(result.Counts) != 1 || result.Counts["aliases"] != 7 {
		t.Errorf("%v", result.Counts)
	}
	b.action(t, "conformance.noop") // registering aliases does not take the actions away
	if _, err := b.Register(t.Context(), packs.Request{Types: []string{"nope"}}); !petrel.Is(err, petrel.Invalid) || err.Error() != "'nope' is not a type of content that can be registered" {
		t.Errorf("%v", err)
	}
	_, err = b.Register(t.Context(), packs.Request{Packs: []string{"nothing"}})
	if want := `Pack "nothing" not found on disk: Directory "` + b.user + `/nothing" doesn't exist`; !petrel.Is(err, petrel.Invalid) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestRegister_UnchangedPacksAreSkipped(t *testing.T) {
	b := newBench(t)
	folder(t, filepath.Join(b.user, "demo"), map[string]string{"pack.yaml": goodManifest, "actions/good.yaml": goodAction})
	first := b.register(t, packs.Request{})
	if len(first.Changed) != 7 {
		t.Errorf("changed %v", first.Changed)
	}
	before, id := b.generations(t), b.action(t, "demo.good").ID
	second := b.register(t, packs.Request{})
	if len(second.Changed) != 0 || second.Counts["actions"] != first.Counts["actions"] {
		t.Errorf("changed %v, counts %v", second.Changed, second.Counts)
	}
	for kind, n := range b.generations(t) {
		if n != before[kind] {
			t.Errorf("the generation of %s went from %d to %d", kind, before[kind], n)
		}
	}
	folder(t, filepath.Join(b.user, "demo"), map[string]string{"actions/more.yaml": "name: more\nrunner_type: local_shell_cmd\n"})
	third := b.register(t, packs.Request{})
	if strings.Join(third.Changed, " ") != "demo" {
		t.Errorf("changed %v", third.Changed)
	}
	after := b.generations(t)
	if after[storage.KindAction] <= before[storage.KindAction] || after[storage.KindRunner] != before[storage.KindRunner] {
		t.Errorf("generations %v, before %v", after, before)
	}
	if b.action(t, "demo.good").ID != id {
		t.Error("the id of an action changed")
	}
	if runner := b.action(t, "demo.more").RunnerType; runner != "local-shell-cmd" {
		t.Errorf("runner %q", runner)
	}
	forced := b.register(t, packs.Request{Packs: []string{"demo"}, Force: true})
	if len(forced.Changed) != 1 || b.action(t, "demo.good").ID != id {
		t.Errorf("forced: %v", forced.Changed)
	}
}

func TestRegister_WhatStaysAndWhatGoes(t *testing.T) {
	b := newBench(t)
	dir := folder(t, filepath.Join(b.user, "demo"), map[string]string{
		"pack.yaml": goodManifest, "actions/good.yaml": goodAction, "actions/old.yaml": "name: old\nrunner_type: noop\n",
		"actions/breaks.yaml": "name: breaks\nrunner_type: noop\n", "actions/renamed.yaml": "name: before\nrunner_type: noop\n",
	})
	b.register(t, packs.Request{})
	for _, a := range []petrel.Action{
		{Name: "made", MetadataFile: ""},
		{Name: "cloned", MetadataFile: "actions/cloned.yaml"},
	} {
		a.ID, a.Pack, a.Ref, a.UID, a.RunnerType, a.Enabled = petrel.NewID(time.Now()), "demo", petrel.MakeRef("demo", a.Name), "action:demo:"+a.Name, "noop", true
		if err := b.store.CreateAction(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "actions/old.yaml")); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"breaks.yaml": "name: [", "renamed.yaml": "name: after\nrunner_type: noop\n"} {
		if err := os.WriteFile(filepath.Join(dir, "actions", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	result := b.register(t, packs.Request{})
	if bad := packs.Errors(result.Problems); len(bad) != 1 || bad[0].File != "actions/breaks.yaml" || bad[0].Line != 1 {
		t.Errorf("%v", result.Problems)
	}
	for _, ref := range []string{"demo.good", "demo.breaks", "demo.after", "demo.made", "demo.cloned"} {
		b.action(t, ref)
	}
	b.gone(t, "demo.old")
	b.gone(t, "demo.before")

	if err := b.Unregister(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	b.gone(t, "demo.good")
	if err := b.Unregister(t.Context(), "core"); !petrel.Is(err, petrel.Invalid) {
		t.Errorf("core could be unregistered: %v", err)
	}
	if result := b.register(t, packs.Request{}); strings.Join(result.Changed, " ") != "demo" {
		t.Errorf("an unregistered pack that is on disk is not registered again: %v", result.Changed)
	}
}

func TestRegister_ProblemsOfRunnersAndConfigs(t *testing.T) {
	b := newBench(t)
	folder(t, filepath.Join(b.user, "demo"), map[string]string{
		"pack.yaml": goodManifest, "actions/good.yaml": goodAction, "config.schema.yaml": "port: {type: integer}\n",
		"actions/a.yaml":      "name: a\nrunner_type: no-such\n",
		"actions/b.yaml":      "name: b\nrunner_type: local-shell-cmd\nparameters:\n  timeout:\n    type: string\n",
		"actions/c.yaml":      "name: c\nrunner_type: local-shell-script\nparameters:\n  x: {position: 1}\n  y: {position: 3}\n",
		"aliases/broken.yaml": "name: broken\naction_ref: demo.good\nformats: [\"say (\"]\n",
	})
	folder(t, b.configs, map[string]string{"demo.yaml": "port: many\n"})
	result := b.register(t, packs.Request{Packs: []string{"demo"}})
	var got []string
	for _, p := range result.Problems {
		got = append(got, strings.TrimPrefix(p.Error(), filepath.Join(b.user, "demo")+"/"))
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		"actions/a.yaml:2:14: runner_type: there is no runner no-such",
		`The attribute "type" for the runner parameter "timeout" in action "demo.b" cannot be overridden.`,
		"Positions supplied [1, 3] for parameters are not contiguous.",
		"aliases/broken.yaml:3:1: the format \"say (\" is not a regular expression",
		`Failed validating attribute "port" in config for pack "demo"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no problem says %s in:\n%s", want, text)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d problems:\n%s", len(got), text)
	}
	b.action(t, "demo.good")
	b.gone(t, "demo.b")
	if _, err := b.store.Config(t.Context(), "demo"); !petrel.Is(err, petrel.NotFound) {
		t.Errorf("a wrong configuration was stored: %v", err)
	}
	if alias, err := b.store.AliasByName(t.Context(), "broken"); err != nil {
		t.Errorf("%+v %v", alias, err)
	}
	if _, err := b.Register(t.Context(), packs.Request{Packs: []string{"demo"}, FailOnProblem: true}); !petrel.Is(err, petrel.Invalid) || !strings.HasPrefix(err.Error(), `Failed to register "actions/a.yaml" from pack "demo": `) {
		t.Errorf("%v", err)
	}
}

func TestRegister_Overrides(t *testing.T) {
	b := newBench(t)
	folder(t, filepath.Join(b.user, "demo"), map[string]string{
		"pack.yaml": goodManifest, "actions/good.yaml": goodAction, "actions/closed.yaml": "name: closed\nrunner_type: noop\nenabled: false\n",
		"aliases/a.yaml": "name: a\naction_ref: demo.good\nformats: [a]\n",
	})
	folder(t, b.over, map[string]string{"_global.yaml": "aliases:\n  defaults:\n    enabled: false\n", "demo.yaml": "actions:\n  defaults: {enabled: false}\n  exceptions:\n    closed: {enabled: true}\n"})
	only := packs.Request{Packs: []string{"demo"}}
	result := b.register(t, only)
	if result.Counts["actions(overridden)"] != 2 || result.Counts["aliases(overridden)"] != 1 || len(result.Problems) > 0 {
		t.Errorf("%v %v", result.Counts, result.Problems)
	}
	if b.action(t, "demo.good").Enabled || !b.action(t, "demo.closed").Enabled {
		t.Error("the overrides do not hold")
	}
	write(t, filepath.Join(b.over, "demo.yaml"), "actions:\n  exceptions:\n    good: {enabled: true}\n")
	if result = b.register(t, only); len(result.Changed) != 1 || !b.action(t, "demo.good").Enabled || b.action(t, "demo.closed").Enabled {
		t.Errorf("a change of the overrides was not taken: %v", result.Changed)
	}
	for text, want := range map[string]string{
		"actions:\n  defaults: {enabled: true, name: x}\n": "demo.yaml:2:3: enabled alone can be overridden",
		"actions:\n  defaults: {enabled: 1}\n":             "demo.yaml:2:3: enabled must be true or false",
		"policies: {}\n":                                   `demo.yaml:1:1: "policies" is not a kind that can be overridden: actions, aliases, rules, sensors`,
		"actions:\n  nope: {}\n":                           `demo.yaml:2:3: "nope" is not known here`,
		"actions: [":                                       "demo.yaml:1:10: did not find expected node content",
	} {
		write(t, filepath.Join(b.over, "demo.yaml"), text)
		result = b.register(t, only)
		if len(result.Problems) != 1 || result.Problems[0].Error() != filepath.Join(b.over, want) {
			t.Errorf("%q: %v, want %s", text, result.Problems, want)
		}
	}
}

func TestSearch_Overrides(t *testing.T) {
	b := newBench(t)
	folder(t, filepath.Join(b.user, "my-st2"), map[string]string{"pack.yaml": strings.Replace(goodManifest, "name: demo", "name: st2\nref: st2", 1), "actions/good.yaml": goodAction})
	folder(t, filepath.Join(b.user, "core"), map[string]string{"pack.yaml": strings.Replace(goodManifest, "name: demo", "name: core", 1), "actions/evil.yaml": "name: local\nrunner_type: noop\n"})
	folder(t, filepath.Join(b.user, "notapack"), map[string]string{"README.md": "x"})
	folder(t, filepath.Join(b.user, "st2"), map[string]string{"pack.yaml": strings.Replace(goodManifest, "name: demo", "name: st2", 1)})
	result := b.register(t, packs.Request{})
	if dir, _ := b.Search().PackDir("st2"); dir != filepath.Join(b.user, "my-st2") {
		t.Errorf("st2 is in %s", dir)
	}
	if dir, _ := b.Search().PackDir("core"); dir != filepath.Join(b.builtIn, "core") {
		t.Errorf("core is in %s", dir)
	}
	if b.action(t, "core.local").RunnerType != "local-shell-cmd" {
		t.Error("a folder replaced core.local")
	}
	b.gone(t, "st2.executions.list")
	var reasons []string
	for _, p := range result.Problems {
		if !p.Warning {
			t.Errorf("not a warning: %v", p)
		}
		reasons = append(reasons, p.Error())
	}
	want := filepath.Join(b.user, "core") + ": the pack core comes with Petrel and cannot be replaced; this folder is not used\n" +
		filepath.Join(b.user, "st2") + ": the pack st2 is taken from " + filepath.Join(b.user, "my-st2") + "; this folder is not used"
	if got := strings.Join(reasons, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	// A pack that comes later is found without a registration, and one that is not stays so.
	if _, ok := b.Search().PackDir("late"); ok {
		t.Error("a pack that is not there was found")
	}
}

func TestSearch_EntryPoints(t *testing.T) {
	b := newBench(t)
	dir := folder(t, filepath.Join(b.user, "demo"), map[string]string{
		"pack.yaml": goodManifest, "actions/x.sh": "#!/bin/sh\n", "actions/out": "->/etc/passwd", "actions/in": "->x.sh", "etc/y": "y",
	})
	b.register(t, packs.Request{})
	for _, c := range []struct{ entry, want, reason string }{
		{"", "", ""},
		{"x.sh", "actions/x.sh", ""},
		{"in", "actions/in", ""},
		{"../etc/y", "etc/y", ""},
		{dir + "/etc/y", "etc/y", ""},
		{"out", "", "the path leads out of the pack's folder"},
		{"nope", "", "no such file or directory"},
		{"../../core/pack.yaml", "", "leads out of the pack's folder"},
		{"/etc/passwd", "", "leads out of the pack's folder"},
		{"..", "", "is not a regular file"},
		{"x.sh\x00", "", "is not a path"},
	} {
		got, err := b.Search().EntryPoint(petrel.Action{Pack: "demo", Ref: "demo.a", EntryPoint: c.entry})
		if c.reason != "" {
			if err == nil || !strings.Contains(err.Error(), c.reason) || !petrel.Is(err, petrel.Invalid) {
				t.Errorf("%q: %v, want %s", c.entry, err, c.reason)
			}
			continue
		}
		want := ""
		if c.want != "" {
			want = filepath.Join(dir, c.want)
		}
		if err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", c.entry, got, err, want)
		}
	}
	if _, err := b.Search().EntryPoint(petrel.Action{Pack: "gone", EntryPoint: "x"}); err == nil || !strings.Contains(err.Error(), `The folder of the pack "gone" is not on this machine. Searched in: `+b.user+":") {
		t.Errorf("%v", err)
	}
}

func TestStart_ChangesAreSeenWithoutARestart(t *testing.T) {
	b := newBench(t)
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.action(t, "core.noop")
	before := b.generations(t)[storage.KindAction]
	folder(t, filepath.Join(b.user, "demo"), map[string]string{"actions/good.yaml": goodAction, "pack.yaml": goodManifest})
	b.until(t, func(ctx context.Context) bool { _, err := b.store.Action(ctx, "demo.good"); return err == nil })
	if after := b.generations(t)[storage.KindAction]; after <= before {
		t.Errorf("the generation stayed %d", after)
	}
	folder(t, b.configs, map[string]string{"demo.yaml": "a: 1\n"})
	b.until(t, func(ctx context.Context) bool { _, err := b.store.Config(ctx, "demo"); return err == nil })
	if err := os.Remove(filepath.Join(b.user, "demo/actions/good.yaml")); err != nil {
		t.Fatal(err)
	}
	b.until(t, func(ctx context.Context) bool {
		_, err := b.store.Action(ctx, "demo.good")
		return petrel.Is(err, petrel.NotFound)
	})
	for range 2 {
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// until waits for the watch to bring something about.
func (b bench) until(t *testing.T, done func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			t.Fatal("the change was not seen")
		case <-tick.C:
		}
	}
}
