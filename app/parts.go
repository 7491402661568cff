package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/app/config"
	"petrel/bot"
	"petrel/bot/console"
	"petrel/engine"
	"petrel/packs"
	"petrel/packs/content"
	"petrel/python"
	"petrel/runners"
	"petrel/runners/all"
	"petrel/runners/guard"
	"petrel/runners/runnertype"
	"petrel/storage"
	"petrel/storage/postgres"
	"petrel/storage/sqlite"
)

// OpenStore opens the store the settings name and brings its tables up to date.
// Its metrics go to the registry, nil for none.
func OpenStore(ctx context.Context, cfg config.Config, log *slog.Logger, registry prometheus.Registerer) (storage.Store, error) {
	if cfg.DatabaseURL != "" {
		return postgres.Open(ctx, cfg.DatabaseURL, postgres.Options{Log: log, Metrics: registry})
	}
	return sqlite.Open(ctx, filepath.Join(cfg.State, "petrel.db"), sqlite.Options{Log: log, Metrics: registry})
}

// builtIn is the folder the packs of the binary are unpacked to.
func (a *App) builtIn() string { return filepath.Join(a.cfg.State, "packs-builtin") }

// openPacks unpacks the packs of the binary, registers all packs and watches
// their folders.
func (a *App) openPacks(ctx context.Context) error {
	if err := content.Unpack(a.builtIn(), content.Options{Only: a.o.BuiltInPacks}); err != nil {
		return err
	}
	var roots []packs.Root
	for _, dir := range a.cfg.PackPaths() {
		roots = append(roots, packs.Root{Dir: dir})
	}
	roots = append(roots, packs.Root{Dir: a.builtIn(), BuiltIn: true})
	search, err := packs.NewSearch(roots, packs.Limits{})
	if err != nil {
		return err
	}
	a.packs, err = packs.New(packs.Config{
		Store: a.store, Search: search, Runners: registered(), Configs: []string{a.cfg.ConfigsPath()},
		Overrides: []string{filepath.Join(a.cfg.State, "overrides"), "/opt/stackstorm/overrides"},
		Poll:      a.cfg.Content.Reload, Log: a.log, Metrics: a.registry,
	})
	if err != nil {
		return err
	}
	if err := a.packs.Start(ctx); err != nil {
		return fmt.Errorf("packs: %w", err)
	}
	a.onStop("packs", a.packs.Stop)
	return nil
}

// registered are the runner types packs may use: those StackStorm has without
// its WinRM package, which came as a separate install.
func registered() []petrel.RunnerType {
	var types []petrel.RunnerType
	for _, t := range runnertype.All() {
		if !strings.HasPrefix(t.Name, "winrm-") {
			types = append(types, t)
		}
	}
	return types
}

// registrar gives the API the pack registrar in the shape it asks for.
type registrar struct{ packs *packs.Registrar }

// RegisterPacks implements api.Registrar.
func (r registrar) RegisterPacks(ctx context.Context, names, types []string, failOnFailure bool) (map[string]int, error) {
	result, err := r.packs.Register(ctx, packs.Request{Packs: names, Types: types, Force: true, FailOnProblem: failOnFailure})
	return result.Counts, err
}

// openEngine makes the runners with their guard, and the engine.
func (a *App) openEngine(ctx context.Context) error {
	works := a.cfg.Has("worker")
	mark := string(petrel.NewID(time.Now()))
	options := all.Options{
		Limits: runners.Limits{Output: a.cfg.Actions.OutputLimit}, Worker: mark, SystemUser: systemUser(a.cfg.SystemUser.User),
		Announcer: engine.Announcer{Feed: a.feed}, Configs: a.cfg.ConfigsPath(), LogLevel: a.cfg.Actions.PythonLogLevel,
		Python: python.Options{Binary: a.cfg.Actions.PythonBinary, Virtualenvs: a.cfg.VirtualenvsPath(), Cache: filepath.Join(a.cfg.State, "cache")},
		Log:    a.log, Metrics: a.registry,
	}
	if works && len(a.o.Guard) > 0 {
		g, err := guard.Start(a.o.Guard[0], a.o.Guard[1:], guard.Options{Worker: mark, Log: a.log})
		if err != nil {
			return fmt.Errorf("the guard process cannot be started: %w", err)
		}
		a.onStop("guard", func(context.Context) error { return g.Close() })
		options.Guard = g
	}
	e, err := engine.New(engine.Config{
		Store: a.store, Queue: a.queue, Feed: a.feed, Runners: all.New(options), NoWork: !works,
		Roles: a.cfg.Roles, Version: a.o.Version, StateDir: a.cfg.State, SystemUser: a.cfg.SystemUser.User,
		APIURL: a.URL() + "/api/v1", Slots: a.cfg.Actions.Slots, IdlePull: a.cfg.Engine.IdlePull,
		Lease: a.cfg.Engine.Lease, Renew: a.cfg.Engine.Renew, Grace: a.cfg.Actions.Grace, MaxDepth: a.cfg.Engine.MaxDepth,
		MaxResultSize: a.cfg.Actions.ResultLimit, TokenTTL: a.cfg.Auth.ServiceTokenTTL, NoStream: !a.cfg.Actions.StreamOutput,
		ValidateOutput: a.cfg.Actions.ValidateOutputSchema,
		KeepExecutions: a.cfg.Retention.Executions, KeepTokens: a.cfg.Retention.Tokens, KeepChats: a.cfg.Retention.Chats, Log: a.log, Registry: a.registry,
	})
	if err != nil {
		return err
	}
	if err := e.Start(ctx); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	a.engine = e
	return nil
}

// systemUser is who actions run as: StackStorm's stanley only where that
// account exists, which the process host finds out for itself.
func systemUser(name string) string {
	if name == config.Default().SystemUser.User {
		return ""
	}
	return name
}

// webURL is the base of links in chat messages; none while nobody has said
// where a web console is, because a link to this machine leads people nowhere.
func (a *App) webURL() string {
	if a.cfg.WebUI.BaseURL == config.Default().WebUI.BaseURL {
		return ""
	}
	return strings.TrimSuffix(a.cfg.WebUI.BaseURL, "/")
}

// openBot starts chat with the console as its adapter.
func (a *App) openBot(ctx context.Context) error {
	if !a.cfg.Has("bot") {
		return nil
	}
	var adapters []bot.Adapter
	if a.cfg.Bot.Console {
		c, err := console.New(console.Config{Store: a.store, Feed: a.feed, Log: a.log})
		if err != nil {
			return err
		}
		a.console = c
		adapters = append(adapters, c)
	}
	b, err := bot.New(bot.Config{
		Store: a.store, Engine: a.engine, Queue: a.queue, Feed: a.feed, Auth: a.auth, Adapters: adapters,
		Prefix: a.cfg.Bot.Prefix, DefaultUser: a.cfg.Bot.DefaultUser, WebURL: a.webURL(),
		Log: a.log, Registry: a.registry,
	})
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return fmt.Errorf("bot: %w", err)
	}
	a.onStop("bot", b.Stop)
	return nil
}
