package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
	"petrel/expr/value/pyyaml"
)

// resource is a kind of object with the commands all kinds share.
// st2: st2client/st2client/commands/resource.py
type resource struct {
	word      string // in the command: action-alias
	name      string // in sentences: Action
	plural    string
	path      string // /actions
	list      []string
	preferred []string // the first attributes of a property list
	pk        string   // what the positional is called: ref-or-id
	filters   []filter
	verbs     []string // of list, get, create, update, delete, enable, disable
	// include sends include_attributes with list calls.
	include bool
	// deleteMissingOK: deleting what is not there is no failure, as for actions.
	deleteMissingOK bool
	getAttributes   []string // of a get without --attr; nil is all
	transforms      output.Transforms
}

// filter is a flag of a list command that becomes a query parameter.
type filter struct {
	option argparse.Option
	query  string
}

func (r *resource) has(verb string) bool {
	for _, v := range r.verbs {
		if v == verb {
			return true
		}
	}
	return false
}

func resourceCommands(r *resource) []*command {
	var all []*command
	lower := strings.ToLower(r.name)
	pk := func(arity argparse.Arity) []argparse.Positional {
		return []argparse.Positional{{Name: r.pk, Arity: arity, Help: fmt.Sprintf("Reference or ID of the %s.", lower)}}
	}
	if r.has("list") {
		options := std(true)
		for _, f := range r.filters {
			options = append(options, f.option)
		}
		options = append(options, attrOption, widthOption)
		all = append(all, &command{words: []string{r.word, "list"},
			spec: argparse.Spec{Description: "Get the list of the latest " + strings.ToLower(r.plural) + ".", Options: options},
			run:  func(c *call) error { return r.runList(c) }})
	}
	if r.has("get") {
		all = append(all, &command{words: []string{r.word, "get"},
			spec: argparse.Spec{Description: fmt.Sprintf("Get individual %s.", lower), Options: append(std(true), attrOption), Positionals: pk(argparse.OneOrMore)},
			run:  func(c *call) error { return r.runGet(c) }})
	}
	file := argparse.Positional{Name: "file", Arity: argparse.One, Help: fmt.Sprintf("JSON/YAML file containing the %s to create or update.", lower)}
	if r.has("create") {
		all = append(all, &command{words: []string{r.word, "create"},
			spec: argparse.Spec{Description: fmt.Sprintf("Create a new %s.", lower), Options: std(true), Positionals: []argparse.Positional{file}},
			run:  func(c *call) error { return r.runCreate(c) }})
	}
	if r.has("update") {
		all = append(all, &command{words: []string{r.word, "update"},
			spec: argparse.Spec{Description: fmt.Sprintf("Updating an existing %s.", lower), Options: std(true), Positionals: append(pk(argparse.One), file)},
			run:  func(c *call) error { return r.runUpdate(c) }})
	}
	if r.has("delete") {
		options := std(true)
		if r.word == "action" {
			options = append(options, argparse.Option{Names: []string{"-r", "--remove-files"}, Help: "Remove action files from disk."})
		}
		all = append(all, &command{words: []string{r.word, "delete"},
			spec: argparse.Spec{Description: fmt.Sprintf("Delete an existing %s.", lower), Options: options, Positionals: pk(argparse.One)},
			run:  func(c *call) error { return r.runDelete(c) }})
	}
	for _, verb := range []string{"enable", "disable"} {
		if r.has(verb) {
			enabled := verb == "enable"
			all = append(all, &command{words: []string{r.word, verb},
				spec: argparse.Spec{Description: fmt.Sprintf("%s an existing %s.", strings.ToUpper(verb[:1])+verb[1:], lower), Options: std(true), Positionals: pk(argparse.One)},
				run:  func(c *call) error { return r.runEnable(c, enabled) }})
		}
	}
	return all
}

// attributes are those asked for, or the command's own.
func (c *call) attributes(otherwise []string) []string {
	if given := c.args.List("attr"); len(given) > 0 {
		return given
	}
	return otherwise
}

func (c *call) widths() []int {
	var all []int
	for _, w := range c.args.List("width") {
		n, _ := strconv.Atoi(w)
		all = append(all, n)
	}
	return all
}

// showList prints objects as a table, JSON or YAML.
func (c *call) showList(items []value.Value, attributes []string, t output.Transforms, emptyTable bool) error {
	if c.args.Given("json") || c.args.Given("yaml") {
		picked := make([]value.Value, len(items))
		for i, item := range items {
			picked[i] = output.Pick(item, attributes, t)
		}
		return c.showData(value.NewList(picked...))
	}
	if len(items) == 0 && !emptyTable {
		c.printf("No matching items found\n")
		return nil
	}
	table := output.List(items, attributes, c.widths(), c.width(), t)
	firstLine, _, _ := strings.Cut(table, "\n")
	c.tableWidth = len(firstLine)
	c.printf("%s\n", table)
	return nil
}

// showOne prints one object as a property list, JSON or YAML.
func (c *call) showOne(item value.Value, attributes, preferred []string, t output.Transforms) error {
	if c.args.Given("json") || c.args.Given("yaml") {
		return c.showData(output.Pick(item, attributes, t))
	}
	c.printf("%s\n", output.Properties(item, attributes, preferred, t))
	return nil
}

func (c *call) showData(v value.Value) error {
	if c.args.Given("json") {
		text, err := output.JSON(v)
		if err != nil {
			return err
		}
		c.printf("%s\n", text)
		return nil
	}
	text, err := pyyaml.DumpWith(nil, v, pyyaml.DumpOptions{Indent: 4})
	if err != nil {
		return err
	}
	c.printf("%s\n", text)
	return nil
}

func (r *resource) runList(c *call) error {
	attributes := c.attributes(r.list)
	var q client.Query
	for _, f := range r.filters {
		q.Add(f.query, c.args.Text(f.option.Key(), ""))
	}
	if r.include && !has(attributes, "all") {
		q.Add("include_attributes", strings.Join(attributes, ","))
	}
	answer, err := c.api.Call(c.ctx, http.MethodGet, r.path, q, nil)
	if err != nil {
		return err
	}
	return c.showList(list(answer.Body), attributes, r.transforms, false)
}

func has(all []string, item string) bool {
	for _, a := range all {
		if a == item {
			return true
		}
	}
	return false
}

// fetch is one object by its reference, name or id; nil when there is none.
func (r *resource) fetch(c *call, name string) (value.Value, error) {
	answer, err := c.api.Call(c.ctx, http.MethodGet, r.path+"/"+url.PathEscape(name), nil, nil)
	if client.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

func (r *resource) runGet(c *call) error {
	for _, name := range c.args.List(r.pk) {
		item, err := r.fetch(c, name)
		if err != nil {
			return err
		}
		if item == nil {
			c.printf("%s %q is not found.\n\n", r.name, name)
			return sentencef("Resource %s not found.", name)
		}
		if err := c.showOne(item, c.attributes(r.getAttributes), r.preferred, r.transforms); err != nil {
			return err
		}
	}
	return nil
}

// maxMetaFile bounds a file that is sent to the server.
const maxMetaFile = 10 << 20

// readMeta reads a JSON or YAML file of the user's.
func (c *call) readMeta(name string) (value.Value, error) {
	info, err := os.Stat(c.path(name))
	if err != nil {
		return nil, failed(sentencef("File %q does not exist.", name))
	}
	ext := filepath.Ext(name)
	if ext != ".json" && ext != ".yaml" && ext != ".yml" {
		return nil, failed(sentencef("Unsupported meta type %s, file %s. Allowed: ['.json', '.yaml', '.yml']", ext, name))
	}
	if info.Size() > maxMetaFile {
		return nil, failed(fmt.Errorf("file %s is larger than %d bytes", name, maxMetaFile))
	}
	raw, err := os.ReadFile(c.path(name))
	if err != nil {
		return nil, failed(err)
	}
	var v value.Value
	if ext == ".json" {
		v, err = value.FromJSON(raw)
	} else {
		v, err = pyyaml.Load(raw, pyyaml.Limits{})
	}
	if err != nil {
		return nil, failed(fmt.Errorf("%s: %w", name, err))
	}
	return v, nil
}

// created is the order of attributes behind id, name, pack, description in the
// answer of a create or update.
var createdOrder = []string{"id", "name", "pack", "description"}

func (r *resource) runCreate(c *call) error {
	body, err := c.readMeta(c.args.Text("file", ""))
	if err != nil {
		return err
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, r.path, nil, body)
	if err != nil {
		return failed(err)
	}
	return c.showOne(answer.Body, []string{"all"}, createdOrder, r.transforms)
}

func (r *resource) runUpdate(c *call) error {
	name := c.args.Text(r.pk, "")
	item, err := r.fetch(c, name)
	if err != nil {
		return err
	}
	if item == nil {
		c.printf("%s %q is not found.\n\n", r.name, name)
		return failed(sentencef("Resource %s not found.", name))
	}
	body, err := c.readMeta(c.args.Text("file", ""))
	if err != nil {
		return err
	}
	if d, ok := body.(*value.Dict); ok {
		d.SetStr("id", text(item, "id"))
	}
	answer, err := c.api.Call(c.ctx, http.MethodPut, r.path+"/"+text(item, "id"), nil, body)
	if err != nil {
		return failed(err)
	}
	return c.showOne(answer.Body, []string{"all"}, createdOrder, r.transforms)
}

func (r *resource) runDelete(c *call) error {
	name := c.args.Text(r.pk, "")
	item, err := r.fetch(c, name)
	if err != nil {
		return err
	}
	if item == nil {
		c.printf("%s %q is not found.\n\n", r.name, name)
		if r.deleteMissingOK {
			return nil
		}
		return &exit{2, ""}
	}
	var body value.Value
	if r.word == "action" {
		body = value.DictOf("remove_files", c.args.Given("remove_files"))
	}
	if _, err := c.api.Call(c.ctx, http.MethodDelete, r.path+"/"+text(item, "id"), nil, body); err != nil {
		return failed(err)
	}
	c.printf("Resource with id %q has been successfully deleted.\n", name)
	return nil
}

func (r *resource) runEnable(c *call, enabled bool) error {
	name := c.args.Text(r.pk, "")
	item, err := r.fetch(c, name)
	if err != nil {
		return err
	}
	d, ok := item.(*value.Dict)
	if !ok {
		c.printf("%s %q is not found.\n\n", r.name, name)
		return failed(sentencef("Resource %s not found.", name))
	}
	d.SetStr("enabled", enabled)
	d.Delete("ref")
	answer, err := c.api.Call(c.ctx, http.MethodPut, r.path+"/"+text(item, "id"), nil, d)
	if err != nil {
		return failed(err)
	}
	return c.showOne(answer.Body, []string{"all"}, createdOrder, r.transforms)
}
