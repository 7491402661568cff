// Package cli is the command line: Petrel's own commands, and those of `st2`
// with its flags, its output and its exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/expr/value"
)

// Version is what `petrel version` prints; the build sets it.
var Version = "unversioned"

// Program is one run of the command line. Its fields are what a run sees of
// the world.
type Program struct {
	Name string // how it was called: petrel, or st2 for scripts that know nothing else
	In   io.Reader
	Out  io.Writer
	Err  io.Writer
	Env  func(string) string
	Now  func() time.Time
	Dir  string // where relative paths begin

	globals *argparse.Result
	config  fileConfig
	// tableWidth is that of the last table printed, which notes are made as wide as.
	tableWidth int
}

// New is the program of this process.
func New() *Program {
	dir, _ := os.Getwd()
	return &Program{Name: filepath.Base(os.Args[0]), In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Now: time.Now, Dir: dir}
}

func (p *Program) printf(format string, args ...any) { fmt.Fprintf(p.Out, format, args...) }

// call is one command with its words.
type call struct {
	*Program
	ctx  context.Context
	cmd  *command
	args *argparse.Result
	api  *client.Client
}

// command is one of st2's.
type command struct {
	words []string // "execution", "get"
	spec  argparse.Spec
	// anonymous commands get no client: they log in by themselves, or need no server.
	anonymous bool
	run       func(c *call) error
}

// exit is an error that is an exit code and, unless it is empty, a text for
// standard output.
type exit struct {
	code int
	text string
}

func (e *exit) Error() string { return e.text }

// sentencef is an error whose text is a sentence for the person at the
// terminal, in st2's words; scripts look for them.
func sentencef(format string, args ...any) error { return fmt.Errorf(format, args...) }

// failed is an operation that did not work out: exit code 2, as st2's
// OperationFailureException.
func failed(err error) error { return &exit{2, err.Error()} }

// globalSpec are the flags before the command.
var globalSpec = argparse.Spec{
	Options: []argparse.Option{
		{Names: []string{"-h", "--help"}, Help: "show this help message and exit"},
		{Names: []string{"--version"}, Help: "show program's version number and exit"},
		{Names: []string{"--url"}, Metavar: "BASE_URL", Arity: argparse.One, Help: "Base URL for the API servers. Assumes all servers use the same base URL and default ports are used. Get ST2_BASE_URL from the environment variables by default."},
		{Names: []string{"--auth-url"}, Arity: argparse.One, Help: "URL for the authentication service. Get ST2_AUTH_URL from the environment variables by default."},
		{Names: []string{"--api-url"}, Arity: argparse.One, Help: "URL for the API server. Get ST2_API_URL from the environment variables by default."},
		{Names: []string{"--stream-url"}, Arity: argparse.One, Help: "URL for the stream endpoint. Get ST2_STREAM_URLfrom the environment variables by default."},
		{Names: []string{"--api-version"}, Arity: argparse.One, Help: "API version to use. Get ST2_API_VERSION from the environment variables by default."},
		{Names: []string{"--cacert"}, Arity: argparse.One, Help: "Path to the CA cert bundle for the SSL endpoints. Get ST2_CACERT from the environment variables by default. If this is not provided, then SSL cert will not be verified."},
		{Names: []string{"--basic-auth"}, Arity: argparse.One, Help: "Optional additional basic auth credentials used to authenticate"},
		{Names: []string{"--config-file"}, Arity: argparse.One, Help: "Path to the CLI config file"},
		{Names: []string{"--print-config"}, Help: "Parse the config file and print the values"},
		{Names: []string{"--skip-config"}, Help: "Don't parse and use the CLI config file"},
		{Names: []string{"--debug"}, Help: "Enable debug mode"},
	},
}

// splitGlobals cuts the flags before the command off the words.
func splitGlobals(words []string) (globals, rest []string) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w, "-") || w == "-" {
			return words[:i], words[i:]
		}
		name, _, hasValue := strings.Cut(w, "=")
		for _, o := range globalSpec.Options {
			for _, n := range o.Names {
				if n == name && o.Arity == argparse.One && !hasValue {
					i++
				}
			}
		}
	}
	return words, nil
}

// treeSpec describes words that are followed by commands.
func treeSpec(prog, description, help string, options []argparse.Option, commands []argparse.Command) *argparse.Spec {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name
	}
	return &argparse.Spec{Prog: prog, Description: description, Options: options, Positionals: []argparse.Positional{
		{Name: "{" + strings.Join(names, ",") + "}", Arity: argparse.One, Help: help, Commands: commands},
		{Name: "...", Arity: argparse.One, Hidden: true},
	}}
}

// st2Spec describes the whole program as st2 does.
func (p *Program) st2Spec() *argparse.Spec {
	commands := make([]argparse.Command, len(topWords))
	for i, b := range topWords {
		commands[i] = argparse.Command{Name: b.word, Help: about(b.word)}
	}
	return treeSpec(p.Name, "CLI for StackStorm event-driven automation platform. https://stackstorm.com", "", globalSpec.Options, commands)
}

// st2Usage is the usage of the whole program as st2 prints it before an error.
func (p *Program) st2Usage() string { return argparse.Usage(p.st2Spec(), p.width()) }

// unknown is the error about words that are no flags of the command.
func (p *Program) unknown(words []string) error {
	return &argparse.Error{Usage: p.st2Usage(), Prog: p.Name, Text: "unrecognized arguments: " + strings.Join(words, " ")}
}

// Run runs a command line and answers the exit code.
func (p *Program) Run(ctx context.Context, words []string) int {
	globalWords, rest := splitGlobals(words)
	spec := globalSpec
	spec.Prog = p.Name
	globals, err := argparse.Parse(&spec, globalWords, p.width())
	var wrong *argparse.Error
	switch {
	case errors.As(err, &wrong):
		wrong.Usage = p.st2Usage()
	case p.Name == "st2" && len(words) > 0 && len(rest) == 0 && !globals.Given("help") && !globals.Given("version") && !globals.Given("print_config"):
		err = &argparse.Error{Usage: p.st2Usage(), Prog: p.Name, Text: "the following arguments are required: parser"}
	case len(globals.Extras) > 0 && !globals.Given("help"):
		err = p.unknown(globals.Extras)
	}
	if err != nil {
		fmt.Fprintln(p.Err, err)
		return 2
	}
	p.globals = globals
	if globals.Given("help") && p.Name == "st2" {
		return p.st2Help()
	}
	switch {
	case globals.Given("version"):
		p.version()
		return 0
	case globals.Given("print_config"):
		config, err := p.readConfig()
		if err != nil {
			fmt.Fprintln(p.Err, err)
			return 1
		}
		config.print(p)
		return 3
	}
	if len(rest) > 0 {
		if cmd, args, known := find(rest); known {
			return p.runCommand(ctx, cmd, args)
		}
	}
	return p.runTree(ctx, globals.Given("help"), rest)
}

// version of st2 is the one whose behaviour Petrel has, so that scripts that
// compare versions go on working.
func (p *Program) version() {
	if p.Name == "st2" {
		p.printf("st2 3.9.0, on Petrel %s\n", Version)
		return
	}
	p.printf("petrel %s\n", Version)
}

// runCommand runs one of st2's commands.
func (p *Program) runCommand(ctx context.Context, cmd *command, words []string) int {
	spec := cmd.spec
	spec.Prog = p.Name + " " + strings.Join(cmd.words, " ")
	args, err := argparse.Parse(&spec, words, p.width())
	wantsHelp := false
	for _, w := range words {
		if w == "--" {
			break
		}
		wantsHelp = wantsHelp || w == "-h" || w == "--help"
	}
	own := len(cmd.words) > 0 && (cmd.words[0] == "run" || cmd.words[len(cmd.words)-1] == "execute" && cmd.words[0] == "action" || cmd.words[len(cmd.words)-1] == "re-run")
	if wantsHelp && (err != nil || !own || len(args.List(spec.Positionals[0].Name)) == 0) {
		p.printf("%s", argparse.Help(&spec, p.width()))
		return 0
	}
	if err == nil && len(args.Extras) > 0 {
		err = p.unknown(args.Extras)
	}
	if err != nil {
		fmt.Fprintln(p.Err, err)
		return 2
	}
	if p.config, err = p.readConfig(); err != nil {
		fmt.Fprintln(p.Err, "ERROR: "+err.Error())
		return 1
	}
	c := &call{Program: p, ctx: ctx, cmd: cmd, args: args}
	cfg := p.endpoints(p.config)
	if !cmd.anonymous {
		err = p.login(c, &cfg)
	}
	if err == nil {
		c.api, err = client.New(cfg)
	}
	if err == nil {
		err = cmd.run(c)
	}
	return p.report(err)
}

// report prints what went wrong and gives the exit code.
func (p *Program) report(err error) int {
	if err == nil {
		return 0
	}
	var usage *argparse.Error
	if errors.As(err, &usage) {
		fmt.Fprintln(p.Err, usage)
		return 2
	}
	var e *exit
	if errors.As(err, &e) {
		if e.text != "" {
			p.printf("ERROR: %s\n", e.text)
		}
		return e.code
	}
	p.printf("ERROR: %s\n\n", describe(err))
	return 1
}

// describe adds to a refused connection what can be done about it.
func describe(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return err.Error() + "\nIs the server running? `petrel serve` starts it; --url or ST2_API_URL say where it is."
	}
	return err.Error()
}

// usageError is an error in the command's own words, printed with its usage.
func (c *call) usageError(text string) error {
	spec := c.cmd.spec
	spec.Prog = c.Name + " " + strings.Join(c.cmd.words, " ")
	return &argparse.Error{Usage: argparse.Usage(&spec, c.width()), Prog: spec.Prog, Text: text}
}

// path makes a path of the user's absolute.
func (p *Program) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.Dir, name)
}

// text is an attribute of an answer as text; empty when it is not there.
func text(v value.Value, name string) string {
	d, ok := v.(*value.Dict)
	if !ok {
		return ""
	}
	found, ok := d.GetStr(name)
	if !ok || found == nil {
		return ""
	}
	return value.Str(found)
}

func list(v value.Value) []value.Value {
	if l, ok := v.(*value.List); ok {
		return l.Items
	}
	return nil
}
