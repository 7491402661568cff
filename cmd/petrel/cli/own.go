package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
	"petrel/runners/guard"
)

// runTree runs what is not one of st2's leaf commands: Petrel's own commands,
// help, completion, and the errors about words that are no command.
func (p *Program) runTree(ctx context.Context, help bool, words []string) int {
	if p.Name == "st2" {
		return p.st2Tree(words)
	}
	root := p.cobra(ctx)
	if help {
		words = append(words, "--help")
	}
	root.SetArgs(words)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	if err := root.ExecuteContext(ctx); err != nil {
		return p.report(err)
	}
	return 0
}

// st2Help prints the help of the whole program.
func (p *Program) st2Help() int {
	p.printf("%s", argparse.Help(p.st2Spec(), p.width()))
	return 0
}

// st2Tree answers as st2 does to words that are no leaf command.
func (p *Program) st2Tree(words []string) int {
	if len(words) == 0 {
		usage := "usage: Usage: " + p.Name + " [options] <command> <sub command> [options]\n\nFor example:\n\n    " + p.Name + " action list --pack=st2\n    " +
			p.Name + " run core.local cmd=date\n    " + p.Name + " --debug run core.local cmd=date"
		fmt.Fprint(p.Err, argparse.HelpBelow(usage, p.st2Spec(), p.width()))
		return 2
	}
	all := leaves(words[0])
	if len(all) == 0 && about(words[0]) != "" {
		p.printf("ERROR: The command %q is not part of this version of Petrel.\n", words[0])
		return 2
	}
	if len(all) == 0 {
		fmt.Fprintln(p.Err, &argparse.Error{Usage: p.st2Usage(), Prog: p.Name, Text: fmt.Sprintf("argument parser: invalid choice: %s (choose from %s)", value.Repr(words[0]), argparse.Quoted(branches()))})
		return 2
	}
	names := make([]string, len(all))
	commands := make([]argparse.Command, len(all))
	for i, c := range all {
		names[i] = c.words[1]
		commands[i] = argparse.Command{Name: c.words[1], Help: c.spec.Description}
	}
	spec := treeSpec(p.Name+" "+words[0], about(words[0]), fmt.Sprintf("List of commands for managing %s.", plural(words[0])),
		[]argparse.Option{{Names: []string{"-h", "--help"}, Help: "show this help message and exit"}}, commands)
	for i, w := range words[1:] {
		switch {
		case w == "-h" || w == "--help":
			p.printf("%s", argparse.Help(spec, p.width()))
			return 0
		case strings.HasPrefix(w, "-") && w != "-":
			continue
		}
		if _, _, known := find([]string{words[0], w}); known { // flags stand before the sub-command
			fmt.Fprintln(p.Err, p.unknown(words[1:i+1]))
			return 2
		}
		fmt.Fprintln(p.Err, &argparse.Error{Usage: argparse.Usage(spec, p.width()), Prog: spec.Prog,
			Text: fmt.Sprintf("argument %s: invalid choice: %s (choose from %s)", spec.Positionals[0].Name, value.Repr(w), argparse.Quoted(names))})
		return 2
	}
	if len(words) > 1 {
		fmt.Fprintln(p.Err, p.unknown(words[1:]))
		return 2
	}
	_ = p.st2Help()
	return 2
}

// plural is what the commands of a branch manage.
func plural(word string) string {
	for _, r := range []*resource{&actionResource, &aliasResource, &apiKeyResource, &packResource, &runnerResource} {
		if r.word == word {
			return strings.ToLower(r.plural)
		}
	}
	return "action " + word + "s"
}

// cobra is the command tree of `petrel`: help, completion and its own commands.
func (p *Program) cobra(ctx context.Context) *cobra.Command {
	root := &cobra.Command{
		Use:           p.Name,
		Short:         "Runs things when you say so in a chat, or when something happens",
		Long:          "Petrel runs actions, workflows and packs in StackStorm's formats, from a chat, by rules, by API and from this command line.\n\n`petrel serve` starts everything; `petrel chat` talks to it.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	for _, o := range globalSpec.Options { // they are read before the tree is; here they are for help and completion
		name := strings.TrimPrefix(o.Names[len(o.Names)-1], "--")
		switch {
		case name == "help":
		case o.Arity == argparse.One:
			root.PersistentFlags().String(name, "", o.Help)
		default:
			root.PersistentFlags().Bool(name, false, o.Help)
		}
	}
	for _, b := range tree {
		if leaf, _, known := find([]string{b.word}); known {
			root.AddCommand(p.leaf(ctx, leaf, b.help))
			continue
		}
		branch := &cobra.Command{Use: b.word, Short: b.help, RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return cmd.Help()
		}}
		for _, c := range leaves(b.word) {
			branch.AddCommand(p.leaf(ctx, c, c.spec.Description))
		}
		root.AddCommand(branch)
	}
	root.AddCommand(p.serveCommand(), p.chatCommand(), p.auditCommand(), p.userCommand(), p.migrateCommand(), p.doctorCommand(),
		&cobra.Command{Use: "version", Short: "Say which Petrel this is", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) { p.printf("petrel %s\n", Version) }},
		&cobra.Command{Use: "guard", Short: "Kill a worker's processes when the worker dies", Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			if code := guard.Main(p.In); code != 0 {
				return &exit{code, ""}
			}
			return nil
		}})
	return root
}

// leaf is one of st2's commands as a node of the tree, for help and completion.
func (p *Program) leaf(ctx context.Context, c *command, short string) *cobra.Command {
	return &cobra.Command{
		Use: c.words[len(c.words)-1], Short: short, DisableFlagParsing: true,
		ValidArgsFunction: func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return p.complete(ctx, c, toComplete)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if code := p.runCommand(ctx, c, args); code != 0 {
				return &exit{code, ""}
			}
			return nil
		},
	}
}

// complete gives a command's flags, and the references the server knows.
func (p *Program) complete(ctx context.Context, c *command, word string) ([]string, cobra.ShellCompDirective) {
	var found []string
	if strings.HasPrefix(word, "-") {
		for _, o := range c.spec.Options {
			for _, n := range o.Names {
				if strings.HasPrefix(n, word) {
					found = append(found, n+"\t"+o.Help)
				}
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
	path := map[string]string{"run": "/actions", "action": "/actions", "action-alias": "/actionalias", "pack": "/packs", "runner": "/runnertypes"}[c.words[0]]
	if path == "" || p.prepare() != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	api, err := p.client(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	answer, err := api.Call(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, item := range list(answer.Body) {
		if ref := firstOf(text(item, "ref"), text(item, "name")); strings.HasPrefix(ref, word) {
			found = append(found, ref+"\t"+text(item, "description"))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// prepare reads the configuration for a command of Petrel's own.
func (p *Program) prepare() (err error) {
	p.config, err = p.readConfig()
	return err
}

// client is a client with the user's credentials.
func (p *Program) client(ctx context.Context, cmd *command) (*client.Client, error) {
	args, err := argparse.Parse(&argparse.Spec{}, nil, p.width())
	if err != nil {
		return nil, err
	}
	cfg := p.endpoints(p.config)
	if err := p.login(&call{Program: p, ctx: ctx, cmd: cmd, args: args}, &cfg); err != nil {
		return nil, err
	}
	return client.New(cfg)
}

// ask calls the server for a command of Petrel's own.
func (p *Program) ask(ctx context.Context, method, path string, q client.Query, body value.Value) (value.Value, error) {
	if err := p.prepare(); err != nil {
		return nil, err
	}
	api, err := p.client(ctx, nil)
	if err != nil {
		return nil, err
	}
	answer, err := api.Call(ctx, method, path, q, body)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

func (p *Program) auditCommand() *cobra.Command {
	audit := &cobra.Command{Use: "audit", Short: "Who did what, and what was refused"}
	var user, action, target string
	var limit int
	var asJSON bool
	one := &cobra.Command{Use: "list", Short: "List the newest audit entries, oldest first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		var q client.Query
		q.Add("user", user)
		q.Add("action", action)
		q.Add("target", target)
		q.Add("limit", fmt.Sprint(limit))
		body, err := p.ask(cmd.Context(), http.MethodGet, "/audit", q, nil)
		if err != nil {
			return err
		}
		items := list(body)
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		if asJSON {
			text, err := output.JSON(value.NewList(items...))
			if err != nil {
				return err
			}
			p.printf("%s\n", text)
			return nil
		}
		p.printf("%s\n", output.List(items, []string{"timestamp", "user", "chat", "action", "target", "allowed", "reason"}, nil, p.width(), nil))
		return nil
	}}
	one.Flags().StringVar(&user, "user", "", "only this user's")
	one.Flags().StringVar(&action, "action", "", "only this permission, such as action_execute")
	one.Flags().StringVar(&target, "target", "", "only about this, such as action:core:local")
	one.Flags().IntVarP(&limit, "last", "n", 50, "how many")
	one.Flags().BoolVarP(&asJSON, "json", "j", false, "print JSON")
	audit.AddCommand(one)
	return audit
}

func (p *Program) userCommand() *cobra.Command {
	user := &cobra.Command{Use: "user", Short: "Users, and the people in chats that stand for them"}
	show := &cobra.Command{Use: "list", Short: "List users", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		body, err := p.ask(cmd.Context(), http.MethodGet, "/users", nil, nil)
		if err != nil {
			return err
		}
		p.printf("%s\n", output.List(list(body), []string{"name", "admin", "is_service", "chat_identities"}, nil, p.width(), nil))
		return nil
	}}
	var admin, service bool
	add := &cobra.Command{Use: "add NAME", Short: "Make a user; the password is read from standard input", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		c := &call{Program: p, ctx: cmd.Context(), args: &argparse.Result{}}
		secret, err := c.password()
		if err != nil {
			return err
		}
		body := value.DictOf("password", secret, "admin", admin, "is_service", service)
		if _, err := p.ask(cmd.Context(), http.MethodPut, "/users/"+url.PathEscape(args[0]), nil, body); err != nil {
			return err
		}
		p.printf("User %s is there.\n", args[0])
		return nil
	}}
	add.Flags().BoolVar(&admin, "admin", false, "may do everything")
	add.Flags().BoolVar(&service, "service", false, "a program, not a person")
	link := func(use, short, method, done string) *cobra.Command {
		return &cobra.Command{Use: use + " ADAPTER:WORKSPACE:USER NAME", Short: short, Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			path := "/users/" + url.PathEscape(args[1]) + "/chat/" + url.PathEscape(args[0])
			if _, err := p.ask(cmd.Context(), method, path, nil, nil); err != nil {
				return err
			}
			p.printf(done, args[0], args[1])
			return nil
		}}
	}
	user.AddCommand(show, add,
		link("link", "Make a person in a chat stand for a user", http.MethodPut, "%s now acts as %s.\n"),
		link("unlink", "Take that back", http.MethodDelete, "%s no longer acts as %s.\n"))
	return user
}

// stdinIsTerminal says whether somebody types.
func (p *Program) stdinIsTerminal() bool {
	f, ok := p.In.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
