package cli

import (
	"sort"
	"strings"

	"petrel/cmd/petrel/cli/textwrap"
	"petrel/expr/value"
)

// The widths of the lines of an action's help.
const (
	aboutWidth     = 70
	parameterWidth = 78
)

// actionHelp is `run pack.action -h`: the action's parameters.
func (c *call) actionHelp(ref string) error {
	action, runner, err := c.actionAndRunner(ref)
	if err != nil {
		c.printf("ERROR: Unable to print help for action \"%s\". %v\n", ref, err)
		return nil
	}
	if action == nil {
		c.printf("Action \"%s\" is not found. Use \"%s action list\" to see the list of available actions.\n", ref, c.Name)
		return nil
	}
	c.printf("\n%s\n\n", textwrap.Fill(text(action, "description"), aboutWidth, ""))
	required, optional := parametersOf(object(runner, "runner_parameters"), object(action, "parameters"))
	for _, group := range []struct {
		title string
		all   []parameter
	}{{"Required Parameters:", required}, {"Optional Parameters:", optional}} {
		if len(group.all) == 0 {
			continue
		}
		c.printf("%s\n", group.title)
		for _, p := range group.all {
			c.describeParameter(p)
		}
	}
	return nil
}

// parameter is one that an action takes.
type parameter struct {
	name   string
	schema value.Value
}

// parametersOf are the parameters that a person may give: the action's own go
// before its runner's, sorted by position, then by name.
func parametersOf(runner, action value.Value) (required, optional []parameter) {
	own, _ := action.(*value.Dict)
	inherited, _ := runner.(*value.Dict)
	all := value.NewDict()
	for _, from := range []*value.Dict{inherited, own} {
		if from == nil {
			continue
		}
		for k, v := range from.All() {
			all.Set(k, v)
		}
	}
	for k, schema := range all.All() {
		name := value.Str(k)
		switch {
		case isTrue(object(object(inherited, name), "immutable")) || isTrue(object(object(own, name), "immutable")):
		case isTrue(object(schema, "required")):
			required = append(required, parameter{name, schema})
		default:
			optional = append(optional, parameter{name, schema})
		}
	}
	sortParameters(required)
	sortParameters(optional)
	return required, optional
}

func sortParameters(all []parameter) {
	sort.SliceStable(all, func(i, j int) bool {
		a, hasA := value.AsInt(object(all[i].schema, "position"))
		b, hasB := value.AsInt(object(all[j].schema, "position"))
		if hasA && hasB && a != b {
			return a < b
		}
		if hasA != hasB {
			return hasA
		}
		return all[i].name < all[j].name
	})
}

func isTrue(v value.Value) bool {
	b, ok := v.(bool)
	return ok && b
}

func (c *call) describeParameter(p parameter) {
	const name, about = "    ", "        "
	c.printf("%s\n", textwrap.Fill(p.name, parameterWidth, name))
	line := func(text string) { c.printf("%s\n", textwrap.Fill(text, parameterWidth, about)) }
	if description := text(p.schema, "description"); description != "" {
		line(description)
	}
	if kind := object(p.schema, "type"); kind != nil {
		line("Type: " + value.Str(kind))
	}
	if enum := list(object(p.schema, "enum")); len(enum) > 0 {
		words := make([]string, len(enum))
		for i, e := range enum {
			words[i] = value.Str(e)
		}
		line("Enum: " + strings.Join(words, ", "))
	}
	if otherwise := object(p.schema, "default"); otherwise != nil {
		line("Default: " + value.Str(otherwise))
	}
	c.printf("\n")
}
