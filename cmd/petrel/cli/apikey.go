package cli

import (
	"net/http"

	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/expr/value"
)

func apiKeyCommands() []*command {
	list := &command{
		words: []string{"apikey", "list"},
		spec: argparse.Spec{Description: "Get the list of api keys.", Options: append(std(true), attrOption, widthOption,
			argparse.Option{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "Only return ApiKeys belonging to the provided user"},
			argparse.Option{Names: []string{"-d", "--detail"}, Help: "Full list of attributes."},
			argparse.Option{Names: []string{"--show-secrets"}, Help: "Full list of attributes."})},
		run: listAPIKeys,
	}
	create := &command{
		words: []string{"apikey", "create"},
		spec: argparse.Spec{Description: "Create a new api key.", Options: append(std(true),
			argparse.Option{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User for which to create API Keys."},
			argparse.Option{Names: []string{"-m", "--metadata"}, Arity: argparse.One, JSON: true, Help: "Optional metadata to associate with the API Keys."},
			argparse.Option{Names: []string{"-k", "--only-key"}, Help: "Only print API Key to the console on creation."})},
		run: createAPIKey,
	}
	load := &command{
		words: []string{"apikey", "load"},
		spec: argparse.Spec{Description: "Load api key from a file.", Options: append(std(true), widthOption),
			Positionals: []argparse.Positional{{Name: "file", Arity: argparse.One, Help: "JSON/YAML file containing the api key(s) to load."}}},
		run: loadAPIKeys,
	}
	all := []*command{list}
	for _, c := range resourceCommands(&apiKeyResource) {
		if all = append(all, c); c.words[1] == "get" {
			all = append(all, create)
		}
	}
	return append(all, load)
}

func listAPIKeys(c *call) error {
	var q client.Query
	if c.args.Given("show_secrets") {
		q.Add("show_secrets", "True")
	}
	q.Add("user", c.args.Text("user", ""))
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/apikeys", q, nil)
	if err != nil {
		return err
	}
	attributes := c.attributes(apiKeyResource.list)
	if c.args.Given("detail") {
		attributes = []string{"all"}
	}
	return c.showList(list(answer.Body), attributes)
}

func createAPIKey(c *call) error {
	body := value.NewDict()
	if user := c.args.Text("user", ""); user != "" {
		body.SetStr("user", user)
	}
	if raw := c.args.Text("metadata", ""); raw != "" {
		meta, err := value.FromJSON([]byte(raw))
		if err != nil {
			return failed(err)
		}
		if yes, err := value.Truth(nil, meta); err == nil && yes {
			body.SetStr("metadata", meta)
		}
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, "/apikeys", nil, body)
	if err != nil {
		return failed(err)
	}
	if c.args.Given("only_key") {
		c.printf("%s\n", text(answer.Body, "key"))
		return nil
	}
	return c.showChanged(answer.Body)
}

// loadAPIKeys makes or changes the keys that a file describes.
func loadAPIKeys(c *call) error {
	name := c.args.Text("file", "")
	body, err := c.readMeta(name)
	if err != nil {
		return err
	}
	keys := list(body)
	if _, single := body.(*value.Dict); single {
		keys = []value.Value{body}
	}
	if len(keys) == 0 {
		c.printf("No api key found in %s.\n", name)
		return nil
	}
	var loaded []value.Value
	for _, k := range keys {
		d, ok := k.(*value.Dict)
		if !ok {
			return sentencef("%s: an API key is an object with user and key_hash.", name)
		}
		data := value.NewDict()
		for _, field := range []string{"user", "key_hash", "metadata", "enabled", "id"} {
			v, found := d.GetStr(field)
			switch {
			case found:
			case field == "user" || field == "key_hash":
				return sentencef("'%s'", field) // a KeyError of Python's
			case field == "metadata":
				v = value.NewDict()
			case field == "enabled":
				v = false
			default:
				continue
			}
			data.SetStr(field, v)
		}
		if text(data, "id") == "" {
			return sentencef("%s: an API key has an id.", name)
		}
		answer, err := c.api.Call(c.ctx, http.MethodPut, "/apikeys/"+text(data, "id"), nil, data)
		if client.NotFound(err) {
			answer, err = c.api.Call(c.ctx, http.MethodPost, "/apikeys", nil, data)
		}
		if err != nil {
			return err
		}
		loaded = append(loaded, answer.Body)
	}
	return c.showList(loaded, apiKeyResource.list)
}
