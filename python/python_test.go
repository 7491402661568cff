package python

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// real is an interpreter of this machine.
func realPython(t *testing.T) Interpreter {
	t.Helper()
	found, err := New(Options{}).Default(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDefault_LooksBehindStandIns(t *testing.T) {
	real := realPython(t)
	if real.Version[0] != 3 || real.Version[1] < MinMinor || !filepath.IsAbs(real.Path) || strings.Contains(real.Path, "/shims/") {
		t.Fatalf("%+v", real)
	}
	// A stand-in as version managers have them, which counts its calls.
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	shim := write(t, filepath.Join(dir, "bin", "python3"), "#!/bin/sh\necho x >> "+calls+"\nexec "+real.Path+" \"$@\"\n", 0o755)
	t.Setenv("PATH", filepath.Dir(shim)+":/usr/bin:/bin")
	p := New(Options{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			found, err := p.For(context.Background(), "anything")
			if err != nil || found.Path != real.Path || found.Version != real.Version {
				t.Errorf("%+v %v, want %+v", found, err, real)
			}
		})
	}
	all.Wait()
	if raw, _ := os.ReadFile(calls); string(raw) != "x\n" {
		t.Errorf("the stand-in was asked %d times", len(raw)/2)
	}
}

func TestDefault_Errors(t *testing.T) {
	dir := t.TempDir()
	broken := write(t, filepath.Join(dir, "python3"), "#!/bin/sh\necho no such version >&2\nexit 1\n", 0o755)
	old := write(t, filepath.Join(dir, "old"), "#!/bin/sh\necho '[\"/usr/bin/python2\", [2, 7, 18]]'\n", 0o755)
	odd := write(t, filepath.Join(dir, "odd"), "#!/bin/sh\necho hello\n", 0o755)
	for binary, want := range map[string]string{
		broken:                       "does not work as a Python interpreter: exit status 1 no such version",
		old:                          "is Python 2.7, needed is 3.8 or newer",
		odd:                          "does not answer as a Python 3 interpreter",
		filepath.Join(dir, "absent"): "does not work as a Python interpreter",
	} {
		_, err := New(Options{Binary: binary}).Default(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "python_binary") {
			t.Errorf("%s: %v", binary, err)
		}
	}
}

func TestFor_VirtualEnvironment(t *testing.T) {
	real := realPython(t)
	envs := t.TempDir()
	if out, err := exec.Command(real.Path, "-m", "venv", "--without-pip", filepath.Join(envs, "mine")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := os.Mkdir(filepath.Join(envs, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := New(Options{Virtualenvs: envs, Binary: real.Path})
	found, err := p.For(t.Context(), "mine")
	if err != nil || found.Path != filepath.Join(envs, "mine", "bin", "python") || found.Virtualenv != filepath.Join(envs, "mine") {
		t.Errorf("%+v %v", found, err)
	}
	for _, pack := range []string{"other", "core", "../mine", ""} {
		if found, err = p.For(t.Context(), pack); err != nil || found.Path != real.Path || found.Virtualenv != "" {
			t.Errorf("%q: %+v %v", pack, found, err)
		}
	}
	if _, err = p.For(t.Context(), "empty"); err == nil || !strings.Contains(err.Error(), "has no bin/python") {
		t.Errorf("%v", err)
	}
}

func TestShim_UnpackedOnceAndHealed(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "a", "b")
	dir, err := New(Options{Cache: cache}).Shim()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{RunAction, "petrel_action.py", "st2common/__init__.py", "st2common/runners/base_action.py", "extra/st2client/client.py"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	before, err := os.Stat(filepath.Join(dir, RunAction))
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Cache: cache})
	again, err := p.Shim()
	after, _ := os.Stat(filepath.Join(dir, RunAction))
	if err != nil || again != dir || !os.SameFile(before, after) {
		t.Errorf("it was unpacked again: %s %v", again, err)
	}
	// A cleaner of caches took a file away.
	if err := os.Remove(filepath.Join(dir, RunAction)); err != nil {
		t.Fatal(err)
	}
	if again, err = p.Shim(); err != nil || again != dir {
		t.Errorf("%s %v", again, err)
	}
	if _, err := os.Stat(filepath.Join(dir, RunAction)); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "python-new-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestShim_ManyAtOnce(t *testing.T) {
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := New(Options{Cache: cache}).Shim()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "st2common", "log.py")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestShim_EveryPython compiles and imports the modules with each interpreter
// of this machine that is new enough.
func TestShim_EveryPython(t *testing.T) {
	dir, err := New(Options{Cache: t.TempDir()}).Shim()
	if err != nil {
		t.Fatal(err)
	}
	candidates := []string{realPython(t).Path}
	home, _ := os.UserHomeDir()
	more, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "3.*", "bin", "python3"))
	for _, binary := range append(candidates, more...) {
		found, err := New(Options{Binary: binary}).Default(t.Context())
		if err != nil {
			continue // too old
		}
		cmd := exec.Command(found.Path, "-c", "import petrel_action, st2common.log, st2common.services.datastore, st2common.constants.action\n"+
			"from st2common.runners.base_action import Action\nimport sys; sys.path.append('"+dir+"/extra')\nimport st2client.client, st2client.models")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONWARNINGS=error", "PYTHONDONTWRITEBYTECODE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", found.Path, err, out)
		}
	}
}
