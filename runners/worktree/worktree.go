// Package worktree checks out one revision of a pack into a folder of its own,
// for actions that ask for a content_version.
package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"petrel"
)

// gitWait bounds each call of git.
const gitWait = 60 * time.Second

// Tree is a pack at a revision.
type Tree struct {
	Dir  string // the checked-out folder
	pack string
}

// Add checks a revision of a pack's folder out. The caller removes the tree.
func Add(ctx context.Context, pack, packDir, revision string) (*Tree, error) {
	fail := func(format string, args ...any) error {
		return petrel.Errorf(petrel.Invalid, "Failed to create git worktree for pack %q: "+format, append([]any{pack}, args...)...)
	}
	if strings.HasPrefix(revision, "-") || strings.ContainsAny(revision, "\x00\n") {
		return nil, fail("%q is not a revision", revision)
	}
	if info, err := os.Stat(packDir); packDir == "" || err != nil || !info.IsDir() {
		return nil, fail("Pack directory %q doesn't exist.", packDir)
	}
	if _, err := os.Stat(filepath.Join(packDir, ".git")); err != nil {
		// git would look for a repository above and check that one out.
		return nil, fail("Pack directory %q is not a git repository. To utilize this functionality, pack directory needs to be a git repository.", packDir)
	}
	dir, err := os.MkdirTemp("", "petrel-worktree-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the revision %q: %w", revision, err)
	}
	tree := &Tree{Dir: dir, pack: packDir}
	if text, err := git(ctx, packDir, "worktree", "add", "--detach", "--force", dir, revision); err != nil {
		tree.Remove(context.WithoutCancel(ctx))
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return nil, fail("git is not installed.")
		case strings.Contains(text, "'worktree' is not a git command"):
			return nil, fail("Installed git version doesn't support git worktree command. To be able to utilize this functionality you need to use git >= 2.5.0.")
		case strings.Contains(text, "not a git repository"):
			return nil, fail("Pack directory %q is not a git repository. To utilize this functionality, pack directory needs to be a git repository.", packDir)
		case strings.Contains(text, "invalid reference"):
			return nil, fail("Invalid content_version %q provided. Make sure that git repository is up to date and contains that revision.", revision)
		}
		return nil, fail("%s", strings.TrimSpace(text))
	}
	// Actions run as another user must be able to read it.
	if err := os.Chmod(dir, 0o755); err != nil {
		tree.Remove(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("opening the folder of the revision: %w", err)
	}
	return tree, nil
}

// EntryPoint is a file of the pack inside the tree.
func (t *Tree) EntryPoint(entryPoint string) (string, error) {
	rel, err := filepath.Rel(t.pack, entryPoint)
	if err != nil || !filepath.IsLocal(rel) {
		return "", petrel.Errorf(petrel.Invalid, "entry_point is not located inside the pack directory")
	}
	return filepath.Join(t.Dir, rel), nil
}

// Remove takes the tree away again, as well as it can.
func (t *Tree) Remove(ctx context.Context) {
	_, _ = git(ctx, t.pack, "worktree", "remove", "--force", t.Dir)
	_ = os.RemoveAll(t.Dir)
	_, _ = git(ctx, t.pack, "worktree", "prune")
}

// git runs git without hooks, file system monitors and questions, so that
// nothing of the repository is executed.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitWait)
	defer cancel()
	safe := []string{"-C", dir, "-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false"}
	cmd := exec.CommandContext(ctx, "git", append(safe, args...)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return text.String(), err
}
