package cli

import (
	"errors"
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
	name      string // in sentences: Action Alias
	plural    string
	path      string // /actions
	list      []string
	preferred []string // the first attributes of a property list
	getKey    string   // what `get` calls its positional: ref-or-id
	key       string   // what the commands that change something call it
	filters   []filter
	verbs     []string // of list, get, create, update, delete, clone, enable, disable
	// include sends include_attributes with list calls.
	include bool
	getHelp string
	// getAttributes are those of a get without --attr; nil is all.
	getAttributes []string
}

// filter is a flag of a list command that becomes a query parameter.
type filter struct {
	option argparse.Option
	query  string
}

func (r *resource) has(verb string) bool { return has(r.verbs, verb) }

// positional describes the argument that names an object.
func (r *resource) positional(key string, arity argparse.Arity) []argparse.Positional {
	lower := strings.ToLower(r.name)
	help := fmt.Sprintf("Reference or ID of the %s.", lower)
	switch key {
	case "name-or-id":
		help = fmt.Sprintf("Name or ID of the %s.", lower)
	case "key-or-id":
		help = fmt.Sprintf("Key_Or_Id of the %s.", lower)
	}
	return []argparse.Positional{{Name: key, Arity: arity, Help: help}}
}

func resourceCommands(r *resource) []*command {
	var all []*command
	lower := strings.ToLower(r.name)
	add := func(verb, description string, options []argparse.Option, positionals []argparse.Positional, run func(*call) error) {
		if r.has(verb) {
			all = append(all, &command{words: []string{r.word, verb}, run: run,
				spec: argparse.Spec{Description: description, Options: options2(std(true), options), Positionals: positionals}})
		}
	}
	listOptions := []argparse.Option{attrOption, widthOption}
	for _, f := range r.filters {
		listOptions = append(listOptions, f.option)
	}
	file := func(what string) argparse.Positional {
		return argparse.Positional{Name: "file", Arity: argparse.One, Help: fmt.Sprintf("JSON/YAML file containing the %s to %s.", lower, what)}
	}
	add("list", fmt.Sprintf("Get the list of %s.", strings.ToLower(r.plural)), listOptions, nil, r.runList)
	add("get", firstOf(r.getHelp, fmt.Sprintf("Get individual %s.", lower)), []argparse.Option{getAttrOption}, r.positional(r.getKey, argparse.OneOrMore), r.runGet)
	add("create", fmt.Sprintf("Create a new %s.", lower), nil, []argparse.Positional{file("create")}, r.runCreate)
	add("update", fmt.Sprintf("Updating an existing %s.", lower), nil, append(r.positional(r.key, argparse.One), file("update")), r.runUpdate)
	var deleteOptions []argparse.Option
	if r.word == "action" {
		deleteOptions = []argparse.Option{{Names: []string{"-r", "--remove-files"}, Help: "Remove action files from disk."}}
	}
	add("delete", fmt.Sprintf("Delete an existing %s.", lower), deleteOptions, r.positional(r.key, argparse.One), r.runDelete)
	add("clone", fmt.Sprintf("Clone a new %s.", lower), nil, nil, func(*call) error { return sentencef("clone '%s' is not implemented.", r.word) })
	add("enable", fmt.Sprintf("Enable an existing %s.", lower), nil, r.positional(r.key, argparse.One), func(c *call) error { return r.runEnable(c, true) })
	add("disable", fmt.Sprintf("Disable an existing %s.", lower), nil, r.positional(r.key, argparse.One), func(c *call) error { return r.runEnable(c, false) })
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

// asData says whether JSON or YAML was asked for.
func (c *call) asData() bool { return c.args.Given("json") || c.args.Given("yaml") }

// showList prints objects as a table, JSON or YAML.
func (c *call) showList(items []value.Value, attributes []string) error {
	if len(items) == 0 {
		c.printf("No matching items found\n")
		return nil
	}
	return c.showTable(items, attributes, nil)
}

// showTable is showList for commands that show a table without rows, too.
func (c *call) showTable(items []value.Value, attributes []string, t output.Transforms) error {
	if c.asData() {
		picked := make([]value.Value, len(items))
		for i, item := range items {
			picked[i] = output.Pick(item, attributes)
		}
		return c.showData(value.NewList(picked...))
	}
	table := output.List(items, attributes, c.widths(), c.width(), t)
	firstLine, _, _ := strings.Cut(table, "\n")
	c.tableWidth = len(firstLine)
	c.printf("%s\n", table)
	return nil
}

// showOne prints one object as a property list, JSON or YAML.
func (c *call) showOne(item value.Value, attributes, preferred []string, t output.Transforms) error {
	if c.asData() {
		return c.showData(output.Pick(item, attributes))
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
	text, err := output.YAML(v)
	if err != nil {
		return err
	}
	c.printf("%s\n", text)
	return nil
}

func (r *resource) runList(c *call) error {
	attributes := c.attributes(r.list)
	var q client.Query
	if r.include && !has(attributes, "all") {
		q.Add("include_attributes", strings.Join(attributes, ","))
	}
	for _, f := range r.filters {
		q.Add(f.query, c.args.Text(f.option.Key(), ""))
	}
	answer, err := c.api.Call(c.ctx, http.MethodGet, r.path, q, nil)
	if err != nil {
		return err
	}
	return c.showList(list(answer.Body), attributes)
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
	return c.fetch(r.path, name, nil)
}

func (c *call) fetch(path, name string, q client.Query) (value.Value, error) {
	if name == "" {
		return nil, nil
	}
	answer, err := c.api.Call(c.ctx, http.MethodGet, path+"/"+url.PathEscape(name), q, nil)
	if client.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// existing is the object that a command is to change.
func (r *resource) existing(c *call) (value.Value, error) {
	name := c.args.Text(r.key, "")
	kind := "id"
	switch r.key {
	case "ref-or-id":
		kind = "id or reference"
	case "name-or-id":
		kind = "id or name"
		answer, err := c.api.Call(c.ctx, http.MethodGet, r.path+"/", client.Query{{"name", name}}, nil)
		if err != nil && !client.NotFound(err) {
			return nil, err
		}
		switch found := list(answer.Body); {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, sentencef("More than one %s named %q are found.", strings.ToLower(strings.ReplaceAll(r.name, " ", "")), name)
		}
	}
	item, err := r.fetch(c, name)
	if err == nil && item == nil || isUnknown(err) {
		return nil, &missing{sentencef("Resource with %s \"%s\" doesn't exist.", kind, name)}
	}
	return item, err
}

// isUnknown says whether the server could make nothing of a name.
func isUnknown(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// missing is the error that an object is not there.
type missing struct{ error }

// several asks for objects by name. What is not found is told; it is an
// error when only one was asked for.
func (c *call) several(kind, path string, names []string, q client.Query) ([]value.Value, error) {
	var found []value.Value
	for _, name := range names {
		item, err := c.fetch(path, name, q)
		if err != nil && !isUnknown(err) {
			return nil, err
		}
		if item != nil {
			found = append(found, item)
			continue
		}
		c.printf("%s \"%s\" is not found.\n\n", kind, name)
		if len(names) == 1 {
			return nil, sentencef("Resource %s not found.", name)
		}
	}
	return found, nil
}

func (r *resource) runGet(c *call) error {
	items, err := c.several(r.name, r.path, c.args.List(r.getKey), nil)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := c.showOne(item, c.attributes(r.getAttributes), r.preferred, nil); err != nil {
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
	if err != nil || info.IsDir() {
		return nil, sentencef("File \"%s\" does not exist.", name)
	}
	ext := filepath.Ext(name)
	if ext != ".json" && ext != ".yaml" && ext != ".yml" {
		return nil, sentencef("Unsupported meta type %s, file %s. Allowed: ['.json', '.yaml', '.yml']", ext, name)
	}
	if info.Size() > maxMetaFile {
		return nil, fmt.Errorf("file %s is larger than %d bytes", name, maxMetaFile)
	}
	raw, err := os.ReadFile(c.path(name))
	if err != nil {
		return nil, err
	}
	var v value.Value
	if ext == ".json" {
		v, err = value.FromJSON(raw)
	} else {
		v, err = pyyaml.Load(raw, pyyaml.Limits{})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// changedOrder is the order of the first attributes in the answer of a change.
var changedOrder = []string{"id", "name", "pack", "description"}

func (c *call) showChanged(item value.Value) error {
	return c.showOne(item, []string{"all"}, changedOrder, nil)
}

func (r *resource) runCreate(c *call) error {
	body, err := c.readMeta(c.args.Text("file", ""))
	if err != nil {
		return failed(err)
	}
	answer, err := c.api.Call(c.ctx, http.MethodPost, r.path, nil, body)
	if err != nil {
		return failed(err)
	}
	return c.showChanged(answer.Body)
}

func (r *resource) runUpdate(c *call) error {
	item, err := r.existing(c)
	if err != nil {
		return err
	}
	body, err := c.readMeta(c.args.Text("file", ""))
	if err != nil {
		return err
	}
	d, ok := body.(*value.Dict)
	if !ok {
		return sentencef("%s holds no object.", c.args.Text("file", ""))
	}
	switch id := text(d, "id"); id {
	case "":
		d.SetStr("id", text(item, "id"))
	case text(item, "id"):
	default:
		return sentencef("The value for the %s id in the JSON/YAML file does not match the ID provided in the command line arguments.", strings.ToLower(r.name))
	}
	answer, err := c.api.Call(c.ctx, http.MethodPut, r.path+"/"+text(item, "id"), nil, d)
	if err != nil {
		return err
	}
	return c.showChanged(answer.Body)
}

func (r *resource) runDelete(c *call) error {
	name := c.args.Text(r.key, "")
	item, err := r.existing(c)
	var gone *missing
	if errors.As(err, &gone) {
		c.printf("%s \"%s\" is not found.\n\n", r.name, name)
		if r.word == "action" { // deleting what is not there is no failure
			return nil
		}
		return &exit{2, ""}
	}
	if err != nil {
		return err
	}
	var body value.Value
	if r.word == "action" {
		body = value.DictOf("remove_files", c.args.Given("remove_files"))
	}
	if _, err := c.api.Call(c.ctx, http.MethodDelete, r.path+"/"+text(item, "id"), nil, body); err != nil && !client.NotFound(err) {
		return err
	}
	c.printf("Resource with id \"%s\" has been successfully deleted.\n", name)
	return nil
}

func (r *resource) runEnable(c *call, enabled bool) error {
	item, err := r.existing(c)
	if err != nil {
		return err
	}
	d, ok := item.(*value.Dict)
	if !ok {
		return sentencef("The server's answer is not an object.")
	}
	d.SetStr("enabled", enabled)
	d.Delete("ref")
	answer, err := c.api.Call(c.ctx, http.MethodPut, r.path+"/"+text(item, "id"), nil, d)
	if err != nil {
		return err
	}
	return c.showChanged(answer.Body)
}
