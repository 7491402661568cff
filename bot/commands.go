package bot

import (
	"context"
	"log/slog"
	"sort"
	"strings"
	"sync"

	"petrel"
	"petrel/aliases"
	"petrel/auth"
	"petrel/storage"
)

// commands is the node's copy of the aliases. Before each use the content's
// generation is asked for, so that a change on one node holds on all from the
// next line on.
type commands struct {
	store Store
	log   *slog.Logger

	mu         sync.Mutex
	generation int64
	loaded     *catalog
}

// maxOverlapCheck is how many formats are looked at for aliases in each other's
// way; with more it takes longer than a person should wait for a reload.
const maxOverlapCheck = 2000

// catalog is one generation of the aliases.
type catalog struct {
	*aliases.Index
	all  []petrel.Alias
	byID map[petrel.ID]*petrel.Alias
}

func newCommands(store Store, log *slog.Logger) *commands { return &commands{store: store, log: log} }

func (c *commands) index(ctx context.Context) (*catalog, error) {
	generations, err := c.store.Generations(ctx)
	if err != nil {
		return nil, err
	}
	now := generations[storage.KindAlias]
	c.mu.Lock()
	defer c.mu.Unlock()
	// An older generation than the loaded one is a late answer.
	if c.loaded != nil && c.generation >= now {
		return c.loaded, nil
	}
	all, _, err := c.store.AliasList(ctx, storage.ContentFilter{})
	if err != nil {
		return nil, err
	}
	var before *aliases.Index
	if c.loaded != nil {
		before = c.loaded.Index
	}
	next := &catalog{Index: before.Rebuild(all), all: all, byID: make(map[petrel.ID]*petrel.Alias, len(all))}
	for i := range all {
		next.byID[all[i].ID] = &all[i]
	}
	for _, p := range next.Problems() {
		c.log.Warn("An alias cannot be used.", "alias", p.Alias, "format", p.Format, "reason", p.Reason)
	}
	if next.Len() <= maxOverlapCheck {
		for _, o := range next.Overlaps() {
			c.log.Warn("Two aliases stand in each other's way; a line that fits both starts neither.",
				"first", o.First, "second", o.Second, "line", o.Line)
		}
	}
	c.generation, c.loaded = now, next
	return next, nil
}

// The built-in commands. They go before aliases, which cannot cover them.
var builtIn = []Command{
	{Display: "help", Pack: "petrel", Description: "Lists what can be said here."},
	{Display: "help <word>", Pack: "petrel", Description: "Lists what can be said here and has the word in it."},
}

// visible lists the commands a person may give.
func (b *Bot) visible(ctx context.Context, who auth.Principal, all []petrel.Alias) []Command {
	out := append([]Command(nil), builtIn...)
	allowed := map[petrel.Ref]bool{}
	for i := range all {
		a := &all[i]
		if !a.Enabled {
			continue
		}
		may, known := allowed[a.ActionRef]
		if !known {
			may = aliases.Runs(a) || b.cfg.Auth.Decide(ctx, who, permissionExecute, "action:"+a.ActionRef.Pack()+":"+a.ActionRef.Name()).Allow
			allowed[a.ActionRef] = may
		}
		if !may {
			continue
		}
		for _, f := range a.Formats {
			if f.Display != "" {
				out = append(out, Command{f.Display, a.Pack, a.Description})
			}
		}
	}
	return out
}

// Bounds of help in one message.
const maxHelp = 60

// renderHelp lists the commands that have the word in them.
func renderHelp(all []Command, word, prefix, to string) Message {
	m := Message{Version: messageVersion, Severity: SeverityInfo, To: to}
	word = strings.ToLower(strings.TrimSpace(word))
	var found []Command
	for _, c := range all {
		if word == "" || strings.Contains(strings.ToLower(c.Display+"\n"+c.Description+"\n"+c.Pack), word) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		m.Severity = SeverityWarning
		m.Blocks = []Block{{Kind: BlockText, Text: "No command has " + quote(word) + " in it. Say " + prefix + "help for all of them."}}
		return m
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Pack < found[j].Pack })
	var lines []string
	pack := ""
	for i, c := range found {
		if i == maxHelp {
			break
		}
		if c.Pack != pack {
			pack = c.Pack
			lines = append(lines, "["+pack+"]")
		}
		line := "  " + c.Display
		if c.Description != "" {
			line += " - " + strings.Join(strings.Fields(c.Description), " ")
		}
		lines = append(lines, line)
	}
	head := "You can say:"
	if word != "" {
		head = "You can say, with " + quote(word) + " in it:"
	}
	m.Blocks = []Block{{Kind: BlockText, Text: head}, {Kind: BlockCode, Text: strings.Join(lines, "\n")}}
	if more := len(found) - maxHelp; more > 0 {
		m.Blocks = append(m.Blocks, Block{Kind: BlockText, Text: plural(more, "more command", "more commands") + ". Say " + prefix + "help WORD to find one."})
	}
	return m
}
