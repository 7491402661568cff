package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/term"

	"petrel"
	"petrel/bot"
	"petrel/bot/console"
)

// Config sets the terminal up. Client is required; the zero of every other
// field means the default it names.
type Config struct {
	Client  *Client
	In      *os.File            // default: os.Stdin
	Out     io.Writer           // default: os.Stdout
	Getenv  func(string) string // default: os.Getenv; TERM and NO_COLOR are asked for
	History string              // file that keeps what was said; default: none
	Prompt  string              // default: "petrel> "
	// Plain switches line editing, redrawing and colours off, as a dumb terminal
	// or a pipe does.
	Plain bool
}

// Terminal is an interactive chat. Make one with New.
type Terminal struct {
	cfg    Config
	screen *screen

	mu      sync.Mutex // screen and writing
	write   func(string)
	waiting map[petrel.ID]bool // events whose final answer did not come yet
	words   []bot.Command
}

// New checks the configuration.
func New(cfg Config) (*Terminal, error) {
	if cfg.Client == nil || cfg.Client.URL == "" {
		return nil, petrel.Errorf(petrel.Invalid, "terminal: Client with a URL is required")
	}
	if cfg.In == nil {
		cfg.In = os.Stdin
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Prompt == "" {
		cfg.Prompt = "petrel> "
	}
	return &Terminal{cfg: cfg, waiting: map[petrel.ID]bool{}}, nil
}

// Run chats until the input ends, Ctrl-D is typed, or the context ends.
func (t *Terminal) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := int(t.cfg.In.Fd())
	if !term.IsTerminal(in) {
		return t.piped(ctx)
	}
	dumb := t.cfg.Plain || t.cfg.Getenv("TERM") == "dumb" || t.cfg.Getenv("TERM") == ""
	if out, isFile := t.cfg.Out.(*os.File); !isFile || !term.IsTerminal(int(out.Fd())) {
		dumb = true
	}
	if dumb {
		return t.dumb(ctx)
	}
	return t.full(ctx, in)
}

// piped says the lines of the input one after the other, each when the one
// before was answered, and prints the final replies.
func (t *Terminal) piped(ctx context.Context) error {
	lines := bufio.NewScanner(t.cfg.In)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		reply, err := t.cfg.Client.Say(ctx, line, 0)
		switch petrel.KindOf(err) {
		case "":
		case petrel.Invalid, petrel.TooLarge:
			fmt.Fprintln(t.cfg.Out, petrel.Message(err))
			continue
		default:
			return err
		}
		s := newScreen(false)
		fmt.Fprint(t.cfg.Out, s.layout(console.Update{Message: bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: reply.Text}}}}))
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return petrel.Errorf(petrel.TooLarge, "A line of the input has more than 65536 bytes.")
	}
	return lines.Err()
}

// dumb chats on a terminal that cannot redraw: only final messages are printed.
func (t *Terminal) dumb(ctx context.Context) error {
	t.screen = newScreen(false)
	t.write = func(s string) { fmt.Fprint(t.cfg.Out, s) }
	lines := make(chan string)
	read := make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(t.cfg.In)
		scanner.Buffer(nil, 64<<10)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
		read <- scanner.Err()
	}()
	ended := t.listen(ctx, func(u console.Update) bool { return u.Final })
	fmt.Fprint(t.cfg.Out, t.cfg.Prompt)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case err := <-read:
			return err
		case line := <-lines:
			t.say(ctx, line)
			fmt.Fprint(t.cfg.Out, t.cfg.Prompt)
		}
	}
}

// full chats on a terminal with line editing, history, completion and messages that change in place.
func (t *Terminal) full(ctx context.Context, in int) error {
	state, err := term.MakeRaw(in)
	if err != nil {
		return t.dumb(ctx)
	}
	defer term.Restore(in, state) //nolint:errcheck // there is nobody left to tell
	out := t.cfg.Out
	editor := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{controlC{t.cfg.In}, out}, t.cfg.Prompt)
	history := openHistory(t.cfg.History)
	editor.History = history
	t.screen = newScreen(t.cfg.Getenv("NO_COLOR") == "")
	size := func() {
		if columns, rows, err := term.GetSize(in); err == nil && columns > 0 && (columns != t.screen.columns || rows != t.screen.rows) {
			t.screen.columns, t.screen.rows = columns, rows
			_ = editor.SetSize(columns, rows)
		}
	}
	size()
	t.write = func(s string) {
		if s != "" {
			_, _ = editor.Write([]byte(s))
		}
	}
	editor.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		return t.complete(line, pos)
	}
	t.load(ctx)
	ended := t.listen(ctx, func(console.Update) bool { size(); return true })
	type typed struct {
		line string
		err  error
	}
	lines := make(chan typed)
	go func() {
		for {
			line, err := editor.ReadLine()
			if errors.Is(err, term.ErrPasteIndicator) {
				err = nil
			}
			select {
			case lines <- typed{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case in := <-lines:
			if errors.Is(in.err, io.EOF) {
				t.write("\n")
				return nil
			}
			if in.err != nil {
				return in.err
			}
			t.mu.Lock()
			t.screen.moved()
			size()
			t.mu.Unlock()
			t.say(ctx, in.line)
		}
	}
}

// controlC makes of Ctrl-C what clears the line: to its end, and away with all before.
type controlC struct{ r io.Reader }

// Read implements io.Reader.
func (c controlC) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return c.r.Read(p)
	}
	n, err := c.r.Read(p[:len(p)/2])
	read := string(p[:n])
	if strings.IndexByte(read, 3) >= 0 {
		n = copy(p, strings.ReplaceAll(read, "\x03", "\x05\x15"))
	}
	return n, err
}

// listen shows what the stream tells. The channel gives the error that ends it.
func (t *Terminal) listen(ctx context.Context, wanted func(console.Update) bool) <-chan error {
	ended := make(chan error, 1)
	s := &stream{c: t.cfg.Client}
	broken := false
	go func() {
		ended <- s.follow(ctx, func(i item) {
			t.mu.Lock()
			defer t.mu.Unlock()
			switch {
			case i.broken != nil:
				if !broken {
					t.screen.moved()
					t.write("(the connection is lost; it is taken up again)\n")
				}
				broken = true
			case i.hello:
				if broken {
					t.screen.moved()
					t.write("(connected again)\n")
				}
				broken = false
			case wanted(*i.update):
				t.write(t.screen.draw(*i.update))
			}
		})
	}()
	return ended
}

// say says a line, or takes the choice whose number it is.
func (t *Terminal) say(ctx context.Context, line string) {
	line = strings.TrimSpace(line)
	if line == "" {
		return
	}
	var err error
	if n, convErr := strconv.Atoi(strings.TrimPrefix(line, "/")); convErr == nil {
		t.mu.Lock()
		post, choice, ok := t.screen.choice(n)
		t.mu.Unlock()
		if ok {
			_, err = t.cfg.Client.Click(ctx, post, choice.ID)
			t.complain(err)
			return
		}
	}
	_, err = t.cfg.Client.Message(ctx, line)
	t.complain(err)
}

func (t *Terminal) complain(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen.moved()
	t.write(t.screen.color(red, petrel.Message(err)) + "\n")
}

// load asks for the commands, for completion; without them there is none.
func (t *Terminal) load(ctx context.Context) {
	go func() {
		all, err := t.cfg.Client.Commands(ctx)
		if err != nil {
			return
		}
		t.mu.Lock()
		t.words = all
		t.mu.Unlock()
	}()
}

// complete goes on with what is typed as far as the commands agree, and lists
// them when they do not.
func (t *Terminal) complete(line string, pos int) (string, int, bool) {
	t.mu.Lock()
	words := t.words
	t.mu.Unlock()
	next, candidates := completion(words, line[:pos])
	if next != line[:pos] {
		return next + line[pos:], len(next), true
	}
	if len(candidates) > 1 {
		t.mu.Lock()
		t.screen.moved()
		t.mu.Unlock()
		t.write("  " + strings.Join(candidates, "\n  ") + "\n")
	}
	return line, pos, true
}

// maxCandidates bounds how many commands completion lists.
const maxCandidates = 20

// completion is what a beginning can be made longer to without a doubt, and
// the commands it can become.
func completion(all []bot.Command, typed string) (next string, candidates []string) {
	mark := ""
	if strings.HasPrefix(typed, "!") {
		mark, typed = "!", typed[1:]
	}
	common, any := "", false
	for _, c := range all {
		literal := c.Display
		if at := strings.IndexAny(literal, "{<[("); at >= 0 {
			literal = literal[:at]
		}
		// Past the first parameter there is nothing to complete, but the command
		// is one that fits.
		if !strings.HasPrefix(literal, typed) && !strings.HasPrefix(typed, literal) || literal == "" {
			continue
		}
		if len(candidates) < maxCandidates {
			candidates = append(candidates, c.Display)
		}
		if !strings.HasPrefix(literal, typed) {
			literal = typed
		}
		if !any {
			common, any = literal, true
			continue
		}
		n := 0
		for n < len(common) && n < len(literal) && common[n] == literal[n] {
			n++
		}
		common = common[:n]
	}
	if !any || len(common) < len(typed) {
		return mark + typed, candidates
	}
	return mark + common, candidates
}
