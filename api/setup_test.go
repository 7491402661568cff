package api_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"petrel"
	"petrel/api"
	"petrel/auth"
	"petrel/engine"
	"petrel/expr/value"
	"petrel/packs"
	"petrel/packs/content"
	"petrel/python"
	"petrel/queue"
	"petrel/queue/local"
	runners "petrel/runners/all"
	"petrel/runners/runnertype"
	"petrel/storage"
	"petrel/storage/sqlite"
)

// corpusFile finds a file of the corpus: in PETREL_CORPUS when it is set and
// has it, else in testdata.
func corpusFile(name string) string {
	if dir := os.Getenv("PETREL_CORPUS"); dir != "" {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return filepath.Join("testdata", name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// site is a whole installation in this process: store, engine, runners, packs.
// Several servers can stand on it, as StackStorm's services do over one
// database.
type site struct {
	t      testing.TB
	store  storage.Store
	feed   *local.Feed
	engine *engine.Engine
	packs  *packs.Registrar
	user   string // the system user
	dir    string
}

// announcer puts announcements on the feed.
type announcer struct{ feed queue.Feed }

func (a announcer) Announce(ctx context.Context, route string, payload petrel.JSON) error {
	return a.feed.Tell(ctx, queue.Event{Kind: "announcement", Op: "create", Route: route, Payload: payload, At: time.Now()})
}

// registrar is what the API sees of packs.
type registrar struct{ packs *packs.Registrar }

func (r registrar) RegisterPacks(ctx context.Context, names, types []string, failOnFailure bool) (map[string]int, error) {
	result, err := r.packs.Register(ctx, packs.Request{Packs: names, Types: types, Force: true, FailOnProblem: failOnFailure})
	return result.Counts, err
}

// newSite starts an installation on SQLite with the built-in packs and pack
// conformance.
func newSite(t testing.TB) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(context.Background(), filepath.Join(dir, "petrel.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newSiteOn(t, dir, store)
}

// newSiteOn starts an installation on a store, which it closes at the end.
func newSiteOn(t testing.TB, dir string, store storage.Store) *site {
	t.Helper()
	ctx := context.Background()
	s := &site{t: t, dir: dir, store: store}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	must(err)
	s.user = me.Username

	t.Cleanup(func() { _ = s.store.Close() })

	builtIn, own, configs := filepath.Join(s.dir, "builtin"), filepath.Join(s.dir, "packs"), filepath.Join(s.dir, "configs")
	must(content.Unpack(builtIn, content.Options{}))
	must(os.CopyFS(own, os.DirFS(corpusFile("packs"))))
	must(os.CopyFS(configs, os.DirFS(corpusFile("configs"))))
	must(filepath.Walk(own, func(path string, info os.FileInfo, err error) error {
		if err == nil && filepath.Ext(path) == ".sh" {
			err = os.Chmod(path, 0o755)
		}
		return err
	}))
	search, err := packs.NewSearch([]packs.Root{{Dir: own}, {Dir: builtIn, BuiltIn: true}}, packs.Limits{})
	must(err)
	s.packs, err = packs.New(packs.Config{Store: s.store, Search: search, Runners: runnertype.All(), Configs: []string{configs}})
	must(err)
	result, err := s.packs.Register(ctx, packs.Request{})
	must(err)
	for _, p := range packs.Errors(result.Problems) {
		t.Logf("registering: %v", p)
	}

	q := local.New(local.Options{})
	t.Cleanup(func() { _ = q.Close() })
	s.feed = local.NewFeed(0)
	all := runners.New(runners.Options{
		Announcer: announcer{s.feed}, SystemUser: s.user, Configs: configs,
		Python: python.Options{Cache: filepath.Join(s.dir, "python")},
	})
	s.engine, err = engine.New(engine.Config{
		Store: s.store, Queue: q, Feed: s.feed, Runners: all, SystemUser: s.user, Grace: time.Second,
		APIURL: "http://127.0.0.1:9101",
	})
	must(err)
	must(s.engine.Start(ctx))
	t.Cleanup(func() {
		stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.engine.Stop(stopping)
	})
	return s
}

// server is an API on a site.
type server struct {
	url  string
	api  *api.API
	auth *auth.Service
}

// bases are the prefixes of a scenario's paths.
func (s server) bases() map[string]string {
	return map[string]string{"/api": s.url + "/api", "/auth": s.url + "/auth", "/stream": s.url + "/stream"}
}

// serve starts a server on the site.
func (s *site) serve(a auth.Config, cfg api.Config, o api.ServerOptions) server {
	s.t.Helper()
	a.Store, a.SystemUser = s.store, s.user
	if a.PasswordCost == 0 {
		a.PasswordCost = 4
	}
	service, err := auth.New(a)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.Store, cfg.Auth, cfg.Engine, cfg.Feed, cfg.Packs = s.store, service, s.engine, s.feed, registrar{s.packs}
	cfg.ConfigDir = filepath.Join(s.dir, "configs")
	handler, err := api.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	h := api.NewServer(handler, o)
	h.RegisterOnShutdown(handler.Stop)
	go func() { _ = h.Serve(api.Bound(l, o)) }()
	s.t.Cleanup(func() {
		handler.Stop()
		_ = h.Close()
	})
	return server{url: "http://" + l.Addr().String(), api: handler, auth: service}
}

// htpasswd writes the users of the set-up "auth".
func (s *site) htpasswd() string {
	s.t.Helper()
	path := filepath.Join(s.dir, "htpasswd")
	// Made with htpasswd -m: MD5, SHA and bcrypt, one each.
	if err := os.WriteFile(path, []byte(htpasswdText), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

var _ http.Handler = (*api.API)(nil)

// htpasswdText holds the users of the set-up "auth", each with another kind of
// hash: alice/wonder1, bob/builder2, carol/singer3.
const htpasswdText = `alice:$2a$04$qtKKh.CeViK/lKpGmwR7TO9yxR5teXeKV4C3enk.STZdBRTR.TKUm
bob:{SHA}Mujj2tRsPFBsDvRpSSzX/HonYw8=
carol:$apr1$abcdefgh$Kq6wfow/q/BUKoPzhdaem/
`

func jsonText(v value.Value) (string, error) {
	text, err := value.ToJSON(v, value.CompactJSON)
	return string(text), err
}
