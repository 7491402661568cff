// Package python finds Python interpreters and brings along the modules that
// packs import, so that Python actions and sensors run with nothing installed
// but an interpreter.
package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"petrel"
)

// MinMinor is the oldest Python 3 that the modules work with.
const MinMinor = 8

// askWait bounds the question to an interpreter what it is; version managers
// may be slow to answer the first time.
const askWait = 20 * time.Second

// Options of New. The zero value works.
type Options struct {
	// Binary is the interpreter for packs without a virtual environment.
	// Default: python3 on the PATH, else in the usual folders.
	Binary string
	// Virtualenvs is the folder with a virtual environment for each pack.
	Virtualenvs string
	// Cache is a folder for the modules; it must belong to this user.
	// Default: petrel in the user's cache folder.
	Cache string
	Log   *slog.Logger // default: slog.Default
}

// Interpreter is a real interpreter, not a version manager's stand-in.
type Interpreter struct {
	Path       string
	Version    [3]int
	Virtualenv string // the pack's environment; empty for none
}

// Pythons finds interpreters. It is safe for concurrent use.
type Pythons struct {
	o Options

	mu    sync.Mutex
	known map[string]Interpreter // by the path that was asked

	shimOnce sync.Mutex
	shim     string
}

// New makes a finder. It looks for nothing yet.
func New(o Options) *Pythons {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Pythons{o: o, known: map[string]Interpreter{}}
}

// For is the interpreter that runs a pack's Python: the one of the pack's
// virtual environment when there is one, else the default. An interpreter is
// asked once what it is.
func (p *Pythons) For(ctx context.Context, pack string) (Interpreter, error) {
	if p.o.Virtualenvs != "" && pack != "" && !petrel.IsSystemPack(pack) && filepath.IsLocal(pack) {
		env := filepath.Join(p.o.Virtualenvs, pack)
		binary := filepath.Join(env, "bin", "python")
		if _, err := os.Stat(binary); err == nil {
			found, err := p.ask(ctx, binary)
			if err != nil {
				return Interpreter{}, fmt.Errorf("virtual environment of pack %s: %w", pack, err)
			}
			// The environment is known by the path it is called by.
			found.Path, found.Virtualenv = binary, env
			return found, nil
		} else if _, err := os.Stat(env); err == nil {
			return Interpreter{}, petrel.Errorf(petrel.Invalid, "The virtual environment %s of pack %s has no bin/python.", env, pack)
		}
	}
	return p.Default(ctx)
}

// Default is the interpreter for packs without a virtual environment.
func (p *Pythons) Default(ctx context.Context) (Interpreter, error) {
	if p.o.Binary != "" {
		found, err := p.ask(ctx, p.o.Binary)
		if err != nil {
			return Interpreter{}, fmt.Errorf("the configured python_binary: %w", err)
		}
		return found, nil
	}
	var problems []error
	for _, candidate := range []string{"python3", "python", "/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"} {
		if !strings.Contains(candidate, "/") {
			path, err := exec.LookPath(candidate)
			if err != nil {
				continue
			}
			candidate = path
		} else if _, err := os.Stat(candidate); err != nil {
			continue
		}
		found, err := p.ask(ctx, candidate)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return Interpreter{}, err
		}
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return Interpreter{}, errors.Join(problems...)
	}
	return Interpreter{}, petrel.Errorf(petrel.Invalid,
		"There is no Python 3.%d or newer on this machine (looked for python3 on the PATH); install it or set python_binary.", MinMinor)
}

// question makes an interpreter tell its real path and version. -I and -S
// spare it the site packages and the user's settings.
const question = `import sys, json; print(json.dumps([sys.executable, list(sys.version_info[:3])]))`

func (p *Pythons) ask(ctx context.Context, binary string) (Interpreter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found, ok := p.known[binary]; ok {
		if _, err := os.Stat(found.Path); err == nil {
			return found, nil
		}
		delete(p.known, binary) // it was taken away
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-I", "-S", "-c", question)
	// A version manager chooses by the folder it is called in; it must be the
	// same for all.
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		if len(text) > 200 {
			text = text[:200]
		}
		return Interpreter{}, petrel.Wrap(petrel.Invalid, err, "%s does not work as a Python interpreter: %v %s", binary, err, text)
	}
	var (
		found  Interpreter
		answer [2]json.RawMessage
	)
	err := errors.Join(json.Unmarshal(stdout.Bytes(), &answer), json.Unmarshal(answer[0], &found.Path), json.Unmarshal(answer[1], &found.Version))
	if err != nil || found.Path == "" {
		return Interpreter{}, petrel.Errorf(petrel.Invalid, "%s does not answer as a Python 3 interpreter", binary)
	}
	if found.Version[0] != 3 || found.Version[1] < MinMinor {
		return Interpreter{}, petrel.Errorf(petrel.Invalid, "%s is Python %d.%d, needed is 3.%d or newer", binary, found.Version[0], found.Version[1], MinMinor)
	}
	p.o.Log.Debug("an interpreter was found", "asked", binary, "python", found.Path, "version", found.Version)
	p.known[binary] = found
	return found, nil
}

// Shim is the folder with the modules packs import; RunAction in it runs an
// action. It is unpacked once for each content.
func (p *Pythons) Shim() (string, error) {
	p.shimOnce.Lock()
	defer p.shimOnce.Unlock()
	if p.shim != "" {
		if _, err := os.Stat(filepath.Join(p.shim, RunAction)); err == nil {
			return p.shim, nil
		}
	}
	cache := p.o.Cache
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("a folder for the Python modules: %w", err)
		}
		cache = filepath.Join(dir, "petrel")
	}
	dir, err := unpack(cache)
	if err != nil {
		return "", fmt.Errorf("unpacking the Python modules: %w", err)
	}
	p.shim = dir
	return dir, nil
}

// unpack writes the modules to a folder named after their content.
func unpack(cache string) (string, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "python-"+contentHash())
	if _, err := os.Stat(filepath.Join(dir, RunAction)); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(cache, "python-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)
	err = fs.WalkDir(modules, moduleRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(moduleRoot, path)
		if err != nil {
			return err
		}
		if compiled(d) {
			return fs.SkipDir
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(staging, rel), 0o755)
		}
		data, err := modules.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(staging, rel), data, 0o644)
	})
	if err != nil {
		return "", err
	}
	if err := os.Chmod(staging, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(staging, dir); err != nil {
		if _, there := os.Stat(filepath.Join(dir, RunAction)); there == nil {
			return dir, nil // another process was faster
		}
		// Something of it was taken away; the whole comes anew.
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
		if err := os.Rename(staging, dir); err != nil {
			return "", err
		}
	}
	return dir, nil
}
