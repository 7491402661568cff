package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"petrel/cmd/petrel/cli/argparse"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
)

var actionResource = resource{
	word: "action", name: "Action", plural: "Actions", path: "/actions", pk: "ref-or-id",
	list:      []string{"ref", "pack", "description"},
	preferred: []string{"id", "uid", "ref", "pack", "name", "description", "enabled", "entry_point", "runner_type", "parameters"},
	filters:   []filter{{packOption, "pack"}},
	verbs:     []string{"list", "get", "create", "update", "delete", "enable", "disable"},
	include:   true, deleteMissingOK: true,
}

var aliasResource = resource{
	word: "action-alias", name: "Action Alias", plural: "Runners", path: "/actionalias", pk: "ref-or-id",
	list:      []string{"ref", "pack", "description", "enabled"},
	preferred: []string{"id", "ref", "pack", "name", "description", "enabled", "action_ref", "formats"},
	filters:   []filter{{packOption, "pack"}},
	verbs:     []string{"list", "get", "create", "update", "delete"},
	include:   true,
}

var runnerResource = resource{
	word: "runner", name: "Runner", plural: "Runners", path: "/runnertypes", pk: "name-or-id",
	list:      []string{"name", "description"},
	preferred: []string{"id", "name", "description"},
	verbs:     []string{"list", "get", "enable", "disable"},
}

var packResource = resource{
	word: "pack", name: "Pack", plural: "Packs", path: "/packs", pk: "ref",
	list:          []string{"ref", "name", "description", "version", "author"},
	preferred:     []string{"name", "version", "author", "email", "keywords", "description"},
	getAttributes: []string{"name", "version", "author", "email", "keywords", "description"},
	verbs:         []string{"list", "get"},
}

var apiKeyResource = resource{
	word: "apikey", name: "API Key", plural: "API Keys", path: "/apikeys", pk: "key-or-id",
	list:      []string{"id", "user", "metadata"},
	preferred: []string{"id", "user", "metadata"},
	verbs:     []string{"get", "enable", "disable"},
}

func packCommands() []*command {
	return []*command{{
		words: []string{"pack", "register"},
		spec: argparse.Spec{
			Description: "Register a pack with the server: load what changed in its folder.",
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
			return c.showOne(answer.Body, []string{"all"}, nil, nil)
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

func aliasCommands() []*command {
	line := []argparse.Positional{{Name: "command", Arity: argparse.One, Help: "Command to match, as it would be said in a chat."}}
	return []*command{{
		words: []string{"action-alias", "clone"},
		spec:  argparse.Spec{Description: "Clone an action alias.", Options: std(true), Positionals: []argparse.Positional{{Name: "ref-or-id", Arity: argparse.ZeroOrMore}}},
		run: func(*call) error {
			return failed(errors.New("aliases cannot be cloned; StackStorm's server cannot either"))
		},
	}, {
		words: []string{"action-alias", "match"},
		spec:  argparse.Spec{Description: "Get the list of action aliases that match the command text.", Options: append(std(true), attrOption, widthOption), Positionals: line},
		run: func(c *call) error {
			answer, err := c.api.Call(c.ctx, http.MethodPost, "/actionalias/match", nil, value.DictOf("command", c.args.Text("command", "")))
			if err != nil {
				return err
			}
			alias, _ := answer.Body.(*value.Dict).GetStr("actionalias")
			return c.showList([]value.Value{alias}, c.attributes([]string{"name", "description"}), nil, false)
		},
	}, {
		words: []string{"action-alias", "execute"},
		spec: argparse.Spec{Description: "Execute the command text by finding a matching action alias.", Options: append(std(true),
			argparse.Option{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User under which to run the action (admins only)."}), Positionals: line},
		run: func(c *call) error {
			body := value.DictOf("command", c.args.Text("command", ""), "user", c.args.Text("user", ""), "source_channel", "cli")
			answer, err := c.api.Call(c.ctx, http.MethodPost, "/aliasexecution/match_and_execute", nil, body)
			if err != nil {
				return err
			}
			results, _ := answer.Body.(*value.Dict).GetStr("results")
			for _, r := range list(results) {
				d, ok := r.(*value.Dict)
				if !ok {
					continue
				}
				alias, _ := d.GetStr("actionalias")
				execution, _ := d.GetStr("execution")
				c.printf("Matching Action-alias: '%s'\n", text(alias, "ref"))
				c.printf("To get the results, execute:\n %s execution get %s\n", c.Name, text(execution, "id"))
			}
			return nil
		},
	}, {
		words: []string{"action-alias", "test"},
		spec: argparse.Spec{Description: "Execute the command text by finding a matching Action Alias and format the result.", GroupUsage: runGroupUsage, Positionals: line,
			Options: options2(std(true), []argparse.Option{{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User under which to run the action (admins only)."}}, runOptions(), []argparse.Option{{Names: []string{"-a", "--async"}, Help: "Do not wait for action to finish."}})},
		run: testAlias,
	}}
}

// testAlias runs a line and prints the message a chat would get.
func testAlias(c *call) error {
	body := value.DictOf("command", c.args.Text("command", ""), "user", c.args.Text("user", ""), "source_channel", "cli")
	answer, err := c.api.Call(c.ctx, http.MethodPost, "/aliasexecution/match_and_execute", nil, body)
	if err != nil {
		return err
	}
	results, _ := answer.Body.(*value.Dict).GetStr("results")
	for _, r := range list(results) {
		d, ok := r.(*value.Dict)
		if !ok {
			continue
		}
		alias, _ := d.GetStr("actionalias")
		execution, _ := d.GetStr("execution")
		c.printf("Execution (%s) has been started, waiting for it to finish...\n\n", text(execution, "id"))
		if execution, err = c.wait(execution); err != nil {
			return err
		}
		format := value.DictOf("action", "chatops.format_execution_result", "parameters", value.DictOf("execution_id", text(execution, "id")))
		answer, err := c.api.Call(c.ctx, http.MethodPost, "/executions", nil, format)
		if err != nil {
			return err
		}
		done, err := c.wait(answer.Body)
		if err != nil {
			return err
		}
		shown, err := output.Execution(done, nil, nil, output.ExecutionOptions{Key: "result.message", HasKey: true})
		if err != nil {
			return err
		}
		rule := strings.Repeat("=", 80)
		c.printf("Formatted ChatOps result message of alias %s:\n\n%s\n%s\n%s\n", text(alias, "ref"), rule, shown, rule)
	}
	return nil
}

func apiKeyCommands() []*command {
	userOption := argparse.Option{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User for which to create API Keys."}
	return []*command{{
		words: []string{"apikey", "list"},
		spec: argparse.Spec{Description: "Get the list of API keys.", Options: append(std(true),
			argparse.Option{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "Only return ApiKeys belonging to the provided user"},
			argparse.Option{Names: []string{"-d", "--detail"}, Help: "Full list of attributes."},
			argparse.Option{Names: []string{"--show-secrets"}, Help: "Full list of attributes."}, attrOption, widthOption)},
		run: func(c *call) error {
			q := [][2]string{}
			if c.args.Given("user") {
				q = append(q, [2]string{"user", c.args.Text("user", "")})
			}
			if c.args.Given("show_secrets") {
				q = append(q, [2]string{"show_secrets", "True"})
			}
			answer, err := c.api.Call(c.ctx, http.MethodGet, "/apikeys", q, nil)
			if err != nil {
				return err
			}
			attributes := c.attributes(apiKeyResource.list)
			if c.args.Given("detail") {
				attributes = []string{"all"}
			}
			return c.showList(list(answer.Body), attributes, nil, false)
		},
	}, {
		words: []string{"apikey", "create"},
		spec: argparse.Spec{Description: "Create a new API Key.", Options: append(std(true), userOption,
			argparse.Option{Names: []string{"-m", "--metadata"}, Arity: argparse.One, Help: "User defined metadata for the API Key."},
			argparse.Option{Names: []string{"-k", "--only-key"}, Help: "Only print API Key to the console on creation."})},
		run: func(c *call) error {
			body := value.NewDict()
			if c.args.Given("user") {
				body.SetStr("user", c.args.Text("user", ""))
			}
			if raw := c.args.Text("metadata", ""); raw != "" {
				meta, err := value.FromJSON([]byte(raw))
				if err != nil {
					return c.usageError(fmt.Sprintf("argument -m/--metadata: invalid loads value: '%s'", raw))
				}
				body.SetStr("metadata", meta)
			}
			answer, err := c.api.Call(c.ctx, http.MethodPost, "/apikeys", nil, body)
			if err != nil {
				return failed(err)
			}
			if c.args.Given("only_key") {
				c.printf("%s\n", text(answer.Body, "key"))
				return nil
			}
			return c.showOne(answer.Body, []string{"all"}, createdOrder, nil)
		},
	}, {
		words: []string{"apikey", "delete"},
		spec:  argparse.Spec{Description: "Delete an existing API Key.", Options: std(true), Positionals: []argparse.Positional{{Name: "key-or-id", Arity: argparse.One, Help: "Reference or ID of the api key."}}},
		run: func(c *call) error {
			name := c.args.Text("key-or-id", "")
			item, err := apiKeyResource.fetch(c, name)
			if err != nil {
				return err
			}
			if item == nil {
				return sentencef("API Key %q is not found.", name)
			}
			if _, err := c.api.Call(c.ctx, http.MethodDelete, "/apikeys/"+text(item, "id"), nil, nil); err != nil {
				return failed(err)
			}
			c.printf("Resource with id %q has been successfully deleted.\n", name)
			return nil
		},
	}, {
		words: []string{"apikey", "load"},
		spec:  argparse.Spec{Description: "Load API Keys from a file.", Options: append(std(true), widthOption), Positionals: []argparse.Positional{{Name: "file", Arity: argparse.One, Help: "JSON/YAML file containing the ApiKeys to load."}}},
		run: func(c *call) error {
			body, err := c.readMeta(c.args.Text("file", ""))
			if err != nil {
				return err
			}
			keys := list(body)
			if _, single := body.(*value.Dict); single {
				keys = []value.Value{body}
			}
			var loaded []value.Value
			for _, k := range keys {
				answer, err := c.api.Call(c.ctx, http.MethodPut, "/apikeys/"+text(k, "id"), nil, k)
				if isNotFound(err) {
					answer, err = c.api.Call(c.ctx, http.MethodPost, "/apikeys", nil, k)
				}
				if err != nil {
					return failed(err)
				}
				loaded = append(loaded, answer.Body)
			}
			return c.showList(loaded, apiKeyResource.list, output.Transforms(nil), false)
		},
	}}
}
