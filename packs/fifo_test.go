//go:build unix

package packs_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"petrel/packs"
)

func TestLoad_SpecialFilesAreNotOpened(t *testing.T) {
	dir := folder(t, filepath.Join(t.TempDir(), "demo"), map[string]string{"pack.yaml": goodManifest, "actions/good.yaml": goodAction})
	if err := syscall.Mkfifo(filepath.Join(dir, "actions", "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan []packs.Problem, 1)
	go func() {
		_, problems, _ := packs.Load(dir, packs.Limits{})
		done <- problems
	}()
	select {
	case problems := <-done:
		if len(problems) != 1 || problems[0].Reason != "not a regular file" {
			t.Errorf("%v", problems)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loader waits for a pipe")
	}
}
