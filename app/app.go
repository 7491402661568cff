// Package app builds a Petrel process out of its parts, in the order they need
// each other, and takes it apart in reverse. It is the one place that knows
// which implementation stands behind each seam.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"petrel"
	"petrel/api"
	"petrel/app/config"
	"petrel/auth"
	"petrel/bot/console"
	"petrel/engine"
	"petrel/packs"
	"petrel/queue/local"
	"petrel/storage"
)

// Options are what a process is made of.
type Options struct {
	Config  config.Config
	Notes   []string // sentences about the configuration, for the log
	Version string
	Log     *slog.Logger // default: discard
	// Guard is the command of the guard process, program first; empty runs
	// without one, and the children of a killed worker live on.
	Guard []string
	// Listener is served in place of Config.Listen.
	Listener net.Listener
	// BuiltInPacks are the packs of the binary to register; empty is all.
	BuiltInPacks []string
}

// App is a running process. Start makes it.
type App struct {
	cfg      config.Config
	o        Options
	log      *slog.Logger
	registry *prometheus.Registry

	store   storage.Store
	queue   *local.Queue
	feed    *local.Feed
	auth    *auth.Service
	engine  *engine.Engine
	packs   *packs.Registrar
	console *console.Console // nil where the process has no console

	listeners []net.Listener
	closers   []closer
	failed    chan error

	firstUser, firstPassword string
}

// closer takes one part down again.
type closer struct {
	name  string
	close func(ctx context.Context) error
}

func (a *App) onStop(name string, close func(ctx context.Context) error) {
	a.closers = append(a.closers, closer{name, close})
}

// partsLimit is how long the parts other than running actions may take to stop.
const partsLimit = 20 * time.Second

// folders are made in the state folder.
var folders = []string{"packs", "configs", "virtualenvs", "cache"}

// Start builds and starts everything the roles name. When it returns, the
// process is ready. What it had started is stopped when a later part fails.
func Start(ctx context.Context, o Options) (_ *App, err error) {
	cfg := o.Config
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	state, err := filepath.Abs(cfg.State)
	if err != nil {
		return nil, err
	}
	cfg.State = state
	a := &App{cfg: cfg, o: o, log: o.Log, registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = a.Stop(stopCtx)
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, note := range o.Notes {
		a.log.Warn("a setting was ignored", "reason", note)
	}
	for _, step := range []func(context.Context) error{
		a.openState, a.openStore, a.openQueue, a.openAuth, a.listen, a.openPacks, a.openEngine, a.openBot, a.leaveLogin, a.openAPI,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	a.log.Info("petrel is ready", "url", a.URL(), "version", o.Version, "state", cfg.State)
	return a, nil
}

// openState makes the state folder and takes its lock.
func (a *App) openState(context.Context) error {
	if err := os.MkdirAll(a.cfg.State, 0o700); err != nil {
		return fmt.Errorf("the state folder cannot be made: %w", err)
	}
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(a.cfg.State, f), 0o700); err != nil {
			return fmt.Errorf("the state folder cannot be made: %w", err)
		}
	}
	lock, err := lockFolder(a.cfg.State)
	if err != nil {
		return err
	}
	a.onStop("lock", func(context.Context) error { return lock.release() })
	return nil
}

func (a *App) openStore(ctx context.Context) error {
	store, err := OpenStore(ctx, a.cfg, a.log, a.registry)
	if err != nil {
		return err
	}
	a.store = store
	a.onStop("store", func(context.Context) error { return store.Close() })
	return nil
}

func (a *App) openQueue(context.Context) error {
	a.queue = local.New(local.Options{})
	a.feed = local.NewFeed(0)
	a.onStop("queue", func(context.Context) error { return a.queue.Close() })
	return nil
}

// openAuth sets authentication up and, at the first start, makes the admin.
func (a *App) openAuth(ctx context.Context) error {
	service, err := auth.New(auth.Config{
		Store: a.store, Disabled: !a.cfg.Auth.Enable, Mode: auth.Mode(a.cfg.Auth.Mode), HtpasswdFile: a.cfg.Auth.Htpasswd,
		TokenTTL: a.cfg.Auth.TokenTTL, ServiceTokenTTL: a.cfg.Auth.ServiceTokenTTL, SystemUser: a.cfg.SystemUser.User, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.auth = service
	if a.firstUser, a.firstPassword, err = service.Bootstrap(ctx); err != nil {
		return fmt.Errorf("the admin user cannot be made: %w", err)
	}
	return nil
}

// listen takes the addresses, so that everything after it knows the URL. An
// address for older clients that is taken is told and left out.
func (a *App) listen(context.Context) error {
	l := a.o.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", a.cfg.Listen); err != nil {
			return fmt.Errorf("listen: %s cannot be served: %w", a.cfg.Listen, err)
		}
	}
	a.listeners = append(a.listeners, l)
	for _, address := range a.cfg.CompatAddresses() {
		extra, err := net.Listen("tcp", address)
		if err != nil {
			a.log.Warn("an address for clients that know StackStorm's ports is taken", "address", address, "error", err)
			continue
		}
		a.listeners = append(a.listeners, extra)
	}
	a.onStop("listeners", func(context.Context) error {
		for _, l := range a.listeners {
			_ = l.Close() // closed by the server before, as a rule
		}
		return nil
	})
	return nil
}

// URL is where the process is reached from this machine, without a path.
func (a *App) URL() string {
	if a.cfg.API.PublicURL != "" && a.o.Listener == nil {
		return a.cfg.API.PublicURL
	}
	return a.localURL()
}

func (a *App) localURL() string {
	host, port, err := net.SplitHostPort(a.listeners[0].Addr().String())
	if err != nil {
		return "http://" + a.listeners[0].Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// FirstStart is the admin user and the password that this start made; empty
// when there was one already. The password is not stored and not told again.
func (a *App) FirstStart() (user, password string) { return a.firstUser, a.firstPassword }

// Failed tells of a part that stopped by itself; the process should end then.
func (a *App) Failed() <-chan error { return a.failed }

// leaveLogin writes the login for the command line of the folder's owner. Its key is
// made once; a later start keeps it.
func (a *App) leaveLogin(ctx context.Context) error {
	if !a.cfg.Has("api") {
		return nil
	}
	login, err := ReadLogin(a.cfg.State)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.log.Warn("the stored login cannot be read and is made anew", "error", err)
		login = Login{}
	}
	login.URL, login.PID = a.localURL(), os.Getpid()
	if a.cfg.Auth.Enable && (login.APIKey == "" || !a.keyWorks(ctx, login.APIKey)) {
		login.User = auth.AdminUser
		metadata := petrel.JSON(`{"for":"the command line of the state folder's owner"}`)
		if _, login.APIKey, err = a.auth.CreateAPIKey(ctx, auth.APIKeyRequest{User: login.User, Metadata: metadata, Enabled: true}); err != nil {
			return fmt.Errorf("a key for the command line cannot be made: %w", err)
		}
	}
	return writeLogin(a.cfg.State, login)
}

func (a *App) keyWorks(ctx context.Context, key string) bool {
	_, err := a.auth.Key(ctx, key, auth.InHeader)
	return err == nil
}

// packDirs are the folders packs are looked for in.
func (a *App) packDirs() []string {
	var dirs []string
	for _, root := range a.packs.Search().Roots() {
		dirs = append(dirs, root.Dir)
	}
	return dirs
}

// openAPI serves HTTP.
func (a *App) openAPI(ctx context.Context) error {
	if !a.cfg.Has("api") {
		return nil
	}
	cfg := api.Config{
		Store: a.store, Auth: a.auth, Engine: a.engine, Feed: a.feed, Packs: registrar{a.packs},
		Ready:    []api.Check{{Name: "engine", Ask: a.engine.Ready}},
		Registry: a.registry, Gatherer: a.registry,
		WebURL: a.cfg.WebUI.BaseURL, APIURL: a.URL(), AllowOrigin: a.cfg.API.AllowOrigin,
		ShowSecrets: !a.cfg.API.MaskSecrets || !a.cfg.Log.MaskSecrets, MaxPageSize: a.cfg.API.MaxPageSize,
		InsecureCookie: !a.cfg.API.AuthCookieSecure, SameSite: a.cfg.API.AuthCookieSameSite,
		PackDirs: a.packDirs(), ConfigDir: a.cfg.ConfigsPath(), Heartbeat: a.cfg.Stream.Heartbeat, MaxBody: a.cfg.API.MaxBody, Timeout: a.cfg.API.RequestTimeout, Log: a.log,
	}
	if a.console != nil {
		cfg.Chat = a.console
	}
	handler, err := api.New(cfg)
	if err != nil {
		return err
	}
	bounds := api.ServerOptions{Log: a.log}
	server := api.NewServer(handler, bounds)
	server.BaseContext = func(net.Listener) context.Context { return context.WithoutCancel(ctx) }
	server.RegisterOnShutdown(handler.Stop)
	for _, l := range a.listeners {
		go func() {
			if err := server.Serve(api.Bound(l, bounds)); err != nil && !errors.Is(err, http.ErrServerClosed) {
				select {
				case a.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err):
				default:
				}
			}
		}()
	}
	a.onStop("http", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	return nil
}

// Stop takes everything down: no more work is taken, running actions may end
// within the grace time of the settings or the context, then the rest stops in
// reverse order. It may be called twice; the second call does not wait for running actions.
func (a *App) Stop(ctx context.Context) error {
	var problems []error
	if a.engine != nil {
		// The API goes on while actions end: they talk to it.
		if err := a.engine.Stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("engine: %w", err))
		}
	}
	// What comes after the actions is short. A caller who does not wait for
	// actions still gets every part taken down in order.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partsLimit)
	defer cancel()
	for len(a.closers) > 0 {
		last := a.closers[len(a.closers)-1]
		a.closers = a.closers[:len(a.closers)-1]
		if err := last.close(ctx); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", last.name, err))
		}
	}
	return errors.Join(problems...)
}
