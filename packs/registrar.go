package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"petrel"
	"petrel/storage"
)

// Store is what the registrar needs of the store.
type Store interface {
	storage.Content
	InTx(ctx context.Context, do func(ctx context.Context, tx storage.Admin) error) error
}

// Config is what a Registrar works with. Store, Search and Runners are required.
type Config struct {
	Store  Store
	Search *Search
	// Runners are the descriptions of all runners; they are registered before
	// everything else, and an action of any other runner is refused.
	Runners []petrel.RunnerType
	// Configs are the folders of <pack>.yaml configurations; the first that has
	// a pack's file counts. None is no configuration from files.
	Configs []string
	// Overrides are the folders of files that turn content on and off
	// (_global.yaml and <pack>.yaml); the first that has a file counts.
	Overrides []string
	Limits    Limits
	// Poll is how often Start looks for changes; zero is never.
	Poll time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log is where changes and problems are told; nil is nowhere.
	Log *slog.Logger
	// Metrics takes the counters; nil keeps them unregistered.
	Metrics prometheus.Registerer
}

// Registrar registers packs with the store. It is safe for concurrent use.
type Registrar struct {
	c       Config
	runners map[string]petrel.RunnerType
	metrics metrics

	registering sync.Mutex         // one registration at a time
	seen        map[string]outcome // by folder, what was registered whole; under registering

	mu       sync.Mutex
	problems []Problem
	watch    *watcher
}

// New makes a Registrar.
func New(c Config) (*Registrar, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("packs: Config.Store is missing")
	case c.Search == nil:
		return nil, errors.New("packs: Config.Search is missing")
	case len(c.Runners) == 0:
		return nil, errors.New("packs: Config.Runners is empty")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.WithDefaults()
	r := &Registrar{c: c, runners: make(map[string]petrel.RunnerType, len(c.Runners)), metrics: newMetrics(c.Metrics), seen: map[string]outcome{}}
	for _, t := range c.Runners {
		r.runners[t.Name] = t
	}
	return r, nil
}

// Request says what to register.
type Request struct {
	// Packs are refs; empty is every pack along the search path.
	Packs []string
	// Types are kinds of content as POST /packs/register names them (action,
	// actions, alias, …, all); empty is all. Kinds that are not named keep what
	// the store has.
	Types []string
	// Force registers packs that did not change as well, so that what was changed
	// by the API is as the files say again.
	Force bool
	// FailOnProblem ends at the first problem that is not a warning, as an error.
	// Packs that were registered before it stay so.
	FailOnProblem bool
}

// Result is what became of a registration.
type Result struct {
	// Counts is how many of each kind were registered, as POST /packs/register
	// answers it: only the kinds that were asked for, unchanged packs included.
	Counts map[string]int
	// Changed are the refs of the packs that the store took.
	Changed []string
	// Problems are all problems, of warnings too.
	Problems []Problem
}

// Problems are the problems of the last registration of all packs.
func (r *Registrar) Problems() []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Problem{}, r.problems...)
}

// Search is the search path.
func (r *Registrar) Search() *Search { return r.c.Search }

// Register registers packs. It answers with an error of kind Invalid for a pack
// that is not on disk and for a type that does not exist, and with the store's
// errors; what is wrong with files is in Result.Problems.
func (r *Registrar) Register(ctx context.Context, q Request) (Result, error) {
	r.registering.Lock()
	defer r.registering.Unlock()
	start := r.c.Now()
	result, err := r.register(ctx, q)
	r.metrics.done(r.c.Now().Sub(start), err)
	if err == nil && len(q.Packs) == 0 {
		r.mu.Lock()
		r.problems = result.Problems
		r.mu.Unlock()
		r.metrics.problems.Set(float64(len(Errors(result.Problems))))
	}
	return result, err
}

// Reload registers what changed since the last registration, and tells the log.
func (r *Registrar) Reload(ctx context.Context) (Result, error) {
	result, err := r.Register(ctx, Request{})
	if err != nil {
		r.c.Log.Error("packs could not be registered", "error", err)
		return result, err
	}
	for _, p := range result.Problems {
		if p.Warning {
			r.c.Log.Warn("a pack has a flaw", "pack", p.Pack, "problem", p.Error())
		} else {
			r.c.Log.Error("a part of a pack was not registered", "pack", p.Pack, "problem", p.Error())
		}
	}
	if len(result.Changed) > 0 {
		r.c.Log.Info("packs were registered", "packs", result.Changed)
	}
	return result, nil
}

func (r *Registrar) register(ctx context.Context, q Request) (Result, error) {
	result := Result{Counts: map[string]int{}}
	want, err := selection(q.Types)
	if err != nil {
		return result, err
	}
	found, problems := r.c.Search.Scan()
	refs := q.Packs
	if len(refs) == 0 {
		result.Problems = problems
		here := make(map[string]bool, len(found))
		for ref, dir := range found {
			refs, here[dir] = append(refs, ref), true
		}
		for dir := range r.seen {
			if !here[dir] {
				delete(r.seen, dir)
			}
		}
		sort.Strings(refs)
	}
	for _, ref := range refs {
		if _, ok := found[ref]; !ok {
			first := ""
			if roots := r.c.Search.Roots(); len(roots) > 0 {
				first = roots[0].Dir
			}
			return result, petrel.Errorf(petrel.Invalid, `Pack "%s" not found on disk: Directory "%s/%s" doesn't exist`, cut(ref), first, cut(ref))
		}
	}
	for name := range want {
		result.Counts[name] = 0
	}
	if want["runners"] {
		if err := r.putRunners(ctx); err != nil {
			return result, err
		}
		result.Counts["runners"] = r.runnerCount()
	}
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		if err := r.pack(ctx, ref, found[ref], q, want, &result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// runnerCount counts runners; a second name of one (orchestra for orquesta) does
// not count. st2: st2common/st2common/bootstrap/runnersregistrar.py
func (r *Registrar) runnerCount() int {
	type code struct{ pack, module string }
	seen := map[code]bool{}
	for _, t := range r.c.Runners {
		seen[code{t.Package, t.Module}] = true
	}
	return len(seen)
}

// pack registers one pack and counts what it holds. A pack whose files look as they
// did when it was last registered whole is not read again.
func (r *Registrar) pack(ctx context.Context, ref, dir string, q Request, want map[string]bool, result *Result) error {
	look := r.packPrint(ref, dir)
	known, ok := r.seen[dir]
	if whole := len(q.Types) == 0; !ok || known.look != look || q.Force || !whole {
		var err error
		if known, err = r.read(ctx, ref, dir, q.Force, want); err != nil {
			return err
		}
		if known.changed {
			result.Changed = append(result.Changed, ref)
		}
		delete(r.seen, dir)
		if whole {
			known.look = look
			r.seen[dir] = known
		}
	}
	for kind, n := range known.counts {
		result.Counts[kind] += n
	}
	result.Problems = append(result.Problems, known.problems...)
	if bad := Errors(known.problems); q.FailOnProblem && len(bad) > 0 {
		return petrel.Errorf(petrel.Invalid, `Failed to register "%s" from pack "%s": %s`, bad[0].File, ref, bad[0].Error())
	}
	return nil
}

// outcome is what became of one pack.
type outcome struct {
	ref      string
	look     string // the fingerprint of its files before they were read
	changed  bool
	counts   map[string]int
	problems []Problem
}

// read reads a pack and stores it.
func (r *Registrar) read(ctx context.Context, ref, dir string, force bool, want map[string]bool) (outcome, error) {
	out := outcome{ref: ref, counts: map[string]int{}}
	content, problems, err := Load(dir, r.c.Limits)
	if err != nil {
		var p Problem
		if !errors.As(err, &p) {
			p = Problem{Pack: ref, Dir: dir, Reason: err.Error()}
		}
		out.problems = append(problems, p)
		return out, nil
	}
	if content.Pack.Ref != ref {
		// The folder changed between the scan and the reading.
		return out, petrel.Errorf(petrel.Conflict, `The pack in %s changed its ref while it was read`, dir)
	}
	over, overProblems := r.overrides(ref)
	content.Pack.Hash = r.hash(content.Pack.Hash, dir, over.texts)
	problems = append(problems, overProblems...)
	problems = append(problems, r.checkRunners(&content)...)
	problems = append(problems, checkAliases(content)...)
	for kind, n := range over.apply(&content) {
		if want[kind] {
			out.counts[kind+"(overridden)"] = n
		}
	}
	if out.changed, err = r.put(ctx, content, force, want); err != nil {
		return out, fmt.Errorf("registering pack %s: %w", ref, err)
	}
	if want["actions"] {
		out.counts["actions"] = len(content.Actions)
	}
	if want["aliases"] {
		out.counts["aliases"] = len(content.Aliases)
	}
	if want["configs"] {
		n, more, err := r.config(ctx, content.Pack)
		if err != nil {
			return out, fmt.Errorf("registering the configuration of pack %s: %w", ref, err)
		}
		out.counts["configs"] = n
		problems = append(problems, more...)
	}
	sortProblems(problems)
	out.problems = problems
	return out, nil
}

// hash is a pack's hash together with what else decides how it is registered: the
// overrides, the runners there are, and where it stands. Built-in packs stand in each node's own
// state folder, which must not make the nodes of one installation undo each other.
func (r *Registrar) hash(content, dir string, overrides []string) string {
	sum := sha256.New()
	fmt.Fprintln(sum, content)
	for _, text := range overrides {
		fmt.Fprintln(sum, len(text), text)
	}
	for _, t := range r.c.Runners {
		fmt.Fprintln(sum, t.Name)
	}
	if !r.c.Search.builtIn(dir) {
		fmt.Fprintln(sum, dir)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func sortProblems(problems []Problem) {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
}

// selection turns requested types into the names of counts. Actions bring the
// runners along, rules and policies their types.
// st2: st2api/st2api/controllers/v1/packs.py (PackRegisterController)
func selection(types []string) (map[string]bool, error) {
	want := map[string]bool{}
	all := len(types) == 0
	for _, t := range types {
		all = all || t == "all"
	}
	known := map[string]string{
		"runner": "runners", "runners": "runners", "rule_type": "rule_types", "rule_types": "rule_types",
		"policy_type": "policy_types", "policy_types": "policy_types", "config": "configs", "configs": "configs",
	}
	for _, k := range kinds() {
		known[k.name], known[k.singular] = k.name, k.name
	}
	for _, t := range types {
		if known[t] == "" && t != "all" {
			return nil, petrel.Errorf(petrel.Invalid, "'%s' is not a type of content that can be registered", cut(t))
		}
	}
	for t, name := range known {
		if all || contains(types, t) {
			want[name] = true
		}
	}
	want["runners"] = want["runners"] || want["actions"]
	want["rule_types"] = want["rule_types"] || want["rules"]
	want["policy_types"] = want["policy_types"] || want["policies"]
	for name, yes := range want {
		if !yes {
			delete(want, name)
		}
	}
	return want, nil
}

func contains(list []string, item string) bool {
	for _, s := range list {
		if s == item {
			return true
		}
	}
	return false
}

// Unregister takes a pack and all it carries out of the store; the folder stays.
func (r *Registrar) Unregister(ctx context.Context, ref string) error {
	if petrel.IsSystemPack(ref) {
		return petrel.Errorf(petrel.Invalid, `The pack "%s" belongs to the system and cannot be unregistered`, cut(ref))
	}
	r.registering.Lock()
	defer r.registering.Unlock()
	for dir, known := range r.seen {
		if known.ref == ref {
			delete(r.seen, dir)
		}
	}
	return r.c.Store.DeletePack(ctx, ref)
}
