package cli

import (
	"net/http"
	"net/url"
	"strings"

	"petrel/cmd/petrel/cli/argparse"
	"petrel/expr/value"
)

var actionResource = resource{
	word: "action", name: "Action", plural: "Actions", path: "/actions", getKey: "ref-or-id", key: "ref-or-id",
	list:      []string{"ref", "pack", "description"},
	preferred: []string{"id", "uid", "ref", "pack", "name", "description", "enabled", "entry_point", "runner_type", "parameters"},
	filters:   []filter{{packOption, "pack"}},
	verbs:     []string{"list", "get", "create", "update", "delete", "enable", "disable"},
	include:   true,
}

var aliasResource = resource{
	word: "action-alias", name: "Action Alias", plural: "Action Aliases", path: "/actionalias", getKey: "ref-or-id", key: "name-or-id",
	list:      []string{"ref", "pack", "description", "enabled"},
	preferred: []string{"id", "ref", "pack", "name", "description", "enabled", "action_ref", "formats"},
	filters:   []filter{{packOption, "pack"}},
	verbs:     []string{"list", "get", "create", "update", "delete", "clone"},
	include:   true,
}

var runnerResource = resource{
	word: "runner", name: "Runner", plural: "Runners", path: "/runnertypes", getKey: "name-or-id", key: "name-or-id",
	list:      []string{"id", "name", "description"},
	preferred: []string{"id", "name", "description"},
	verbs:     []string{"list", "get", "enable", "disable"},
	include:   true,
}

var packResource = resource{
	word: "pack", name: "Pack", plural: "Packs", path: "/packs", getKey: "ref", getHelp: "Get information about an installed pack.",
	list:          []string{"ref", "name", "description", "version", "author"},
	preferred:     []string{"name", "version", "author", "email", "keywords", "description"},
	getAttributes: []string{"name", "version", "author", "email", "keywords", "description"},
	verbs:         []string{"list", "get"},
	include:       true,
}

var apiKeyResource = resource{
	word: "apikey", name: "API Key", plural: "API Keys", path: "/apikeys", getKey: "key-or-id", key: "key-or-id",
	list:      []string{"id", "user", "metadata"},
	preferred: []string{"id", "user", "metadata"},
	verbs:     []string{"get", "delete", "clone", "enable", "disable"},
}

func packCommands() []*command {
	return []*command{{
		words: []string{"pack", "register"},
		spec: argparse.Spec{
			Description: "Register pack(s): sync all file changes with DB.",
			Options: append(std(true), argparse.Option{Names: []string{"--types"}, Arity: argparse.OneOrMore,
				Help: "Types of content to register."}),
			Positionals: []argparse.Positional{{Name: "pack", Arity: argparse.ZeroOrMore, Help: "Name of the pack(s) to register."}},
		},
		run: func(c *call) error {
			body := value.NewDict()
			if packs := c.args.List("pack"); len(packs) > 0 {
				body.SetStr("packs", texts(packs))
			}
			if types := c.args.List("types"); len(types) > 0 {
				body.SetStr("types", texts(types))
			}
			answer, err := c.api.Call(c.ctx, http.MethodPost, "/packs/register", nil, body)
			if err != nil {
				return failed(err)
			}
			return c.showChanged(answer.Body)
		},
	}}
}

func texts(all []string) *value.List {
	l := value.NewList()
	for _, s := range all {
		l.Items = append(l.Items, s)
	}
	return l
}

// actionCloneCommand copies an action into a pack.
func actionCloneCommand() *command {
	return &command{words: []string{"action", "clone"},
		spec: argparse.Spec{Description: "Clone a new action.",
			Options: append(std(true), argparse.Option{Names: []string{"-f", "--force"}, Help: "Overwrite action files on disk if destination exists."}),
			Positionals: []argparse.Positional{
				{Name: "source-ref-or-id", Arity: argparse.One, Help: "Reference or ID of the action."},
				{Name: "dest-pack-name", Arity: argparse.One, Help: "Dest_Pack_Name of the action."},
				{Name: "dest-action-name", Arity: argparse.One, Help: "Dest_Action_Name of the action."},
			}},
		run: cloneAction}
}

func cloneAction(c *call) error {
	source, pack, name := c.args.Text("source-ref-or-id", ""), c.args.Text("dest-pack-name", ""), c.args.Text("dest-action-name", "")
	told := func(err error) error { // a failed clone is told but is no failure, as in st2
		c.printf("ERROR: %s\n", err)
		return nil
	}
	item, err := actionResource.fetch(c, source)
	if err != nil {
		return told(err)
	}
	if item == nil {
		c.printf("%s \"%s\" is not found.\n\n", actionResource.name, source)
		return nil
	}
	there, err := actionResource.fetch(c, pack+"."+name)
	if err != nil {
		return told(err)
	}
	overwrite := false
	if there != nil {
		answer := "y"
		if !c.args.Given("force") {
			c.printf("The destination action already exists. Do you want to overwrite? (y/n): ")
			if answer, err = c.line(); err != nil {
				return told(err)
			}
		}
		if overwrite = has([]string{"y", "yes"}, strings.ToLower(answer)); !overwrite {
			c.printf("Action is not cloned.\n")
			return nil
		}
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, "/actions/"+url.PathEscape(source)+"/clone", nil,
		value.DictOf("dest_pack", pack, "dest_action", name, "overwrite", overwrite))
	if err != nil {
		return told(err)
	}
	return c.showChanged(answer.Body)
}
