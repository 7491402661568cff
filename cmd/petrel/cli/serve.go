package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"petrel/app"
	"petrel/app/config"
)

// serverFlags are the settings that are flags too.
type serverFlags struct {
	config, state, listen, level string
	roles                        []string
}

func (f *serverFlags) add(cmd *cobra.Command, p *Program) {
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config-file", p.Env("PETREL_CONFIG"), "petrel.yaml, or StackStorm's st2.conf")
	flags.StringVar(&f.state, "state", "", "folder of the database, unpacked packs and credentials (default ./petrel-data)")
	flags.StringVar(&f.listen, "listen", "", "address to serve (default 127.0.0.1:9101)")
	flags.StringVar(&f.level, "log-level", "", "debug, info, warn or error (default info)")
	flags.StringSliceVar(&f.roles, "roles", nil, "parts to run: api, worker, bot (default all)")
}

// load reads the configuration and lays the flags over it.
func (f *serverFlags) load(environ []string) (config.Config, []string, error) {
	cfg, notes, err := config.Load(f.config, environ)
	if err != nil {
		return cfg, nil, err
	}
	if f.state != "" {
		cfg.State = f.state
	}
	if f.listen != "" {
		cfg.Listen = f.listen
	}
	if f.level != "" {
		cfg.Log.Level = f.level
	}
	if len(f.roles) > 0 {
		cfg.Roles = f.roles
	}
	return cfg, notes, cfg.Check()
}

// logger writes as the settings say.
func logger(cfg config.Log, to io.Writer) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[cfg.Level]
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// guardCommand is this program as the guard of its own children.
func guardCommand() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{exe, "guard"}
}

func (p *Program) serveCommand() *cobra.Command {
	var f serverFlags
	var describeConfig bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Start Petrel", Args: cobra.NoArgs,
		Long: "Start Petrel: API, workers and chat in one process.\n\nWith nothing configured the state is kept in ./petrel-data and only this machine is served.\nDATABASE_URL=postgres://… keeps it in Postgres.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if describeConfig {
				return config.Describe(p.Out)
			}
			cfg, notes, err := f.load(os.Environ())
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), cfg, notes)
		},
	}
	f.add(cmd, p)
	cmd.Flags().BoolVar(&describeConfig, "help-config", false, "list every setting with its environment variable and default")
	return cmd
}

// serve runs until a signal. The first one drains, a second one does not wait.
func (p *Program) serve(ctx context.Context, cfg config.Config, notes []string) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	a, err := app.Start(ctx, app.Options{Config: cfg, Notes: notes, Version: Version, Log: logger(cfg.Log, p.Err), Guard: guardCommand()})
	if err != nil {
		return err
	}
	p.announce(a)
	var failure error
	select {
	case <-signals:
	case <-ctx.Done():
	case failure = <-a.Failed():
	}
	p.printf("Stopping: running actions may end; a second signal does not wait for them.\n")
	stopCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-stopCtx.Done():
		}
	}()
	return errors.Join(failure, a.Stop(stopCtx))
}

// announce says where the process is and, once in its life, the admin's password.
func (p *Program) announce(a *app.App) {
	p.printf("Petrel is ready on %s\n", a.URL())
	if user, password := a.FirstStart(); password != "" {
		p.printf("\nThe user %q was made. Its password is told this once:\n\n    %s\n\n", user, password)
	}
}

func (p *Program) migrateCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{Use: "migrate", Short: "Bring the database's tables up to date", Args: cobra.NoArgs,
		Long: "Bring the database's tables up to date. `petrel serve` does this by itself; before an upgrade of several nodes it can be done by hand.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := f.load(os.Environ())
			if err != nil {
				return err
			}
			if err := os.MkdirAll(cfg.State, 0o700); err != nil {
				return err
			}
			store, err := app.OpenStore(cmd.Context(), cfg, logger(cfg.Log, p.Err), nil)
			if err != nil {
				return err
			}
			if err := store.Ping(cmd.Context()); err != nil {
				return errors.Join(err, store.Close())
			}
			p.printf("The tables are up to date.\n")
			return store.Close()
		}}
	f.add(cmd, p)
	return cmd
}

// running is the login of a server that answers; false when none does.
func running(ctx context.Context, state string) (app.Login, bool) {
	login, err := app.ReadLogin(state)
	if err != nil {
		return login, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, login.URL+"/healthz", nil)
	if err != nil {
		return login, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return login, false
	}
	_ = resp.Body.Close()
	return login, resp.StatusCode == http.StatusOK
}

// embedded starts the whole product for a prompt; it logs into the state folder.
func (p *Program) embedded(ctx context.Context, state string) (*app.App, func() error, error) {
	f := serverFlags{config: p.Env("PETREL_CONFIG"), state: state}
	cfg, notes, err := f.load(os.Environ())
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(cfg.State, "petrel.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	a, err := app.Start(ctx, app.Options{Config: cfg, Notes: notes, Version: Version, Log: logger(cfg.Log, file), Guard: guardCommand()})
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	fmt.Fprintf(p.Err, "No server runs for %s, so one was started for this prompt (log: %s).\n", cfg.State, path)
	p.announce(a)
	return a, func() error {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Actions.Grace)
		defer cancel()
		return errors.Join(a.Stop(stopCtx), file.Close())
	}, nil
}
