// Package metadata holds the schemas of what packs contain and of the API's
// bodies for it: which keys may stand there and what they may hold. Keys,
// types, defaults and their order are StackStorm's, because they decide what
// is refused and in which words; descriptions are left out.
package metadata

import (
	"embed"
	"fmt"
	"sync"

	"petrel/expr/value"
	"petrel/schema"
)

// Kind names a schema.
type Kind string

// The kinds.
const (
	Action         Kind = "action"          // an action's file
	ActionCreate   Kind = "action_create"   // the body of POST /actions: with data_files
	ActionUpdate   Kind = "action_update"   // the body of PUT /actions/{ref}: pack has no default
	Alias          Kind = "alias"           // an alias's file, POST and PUT /actionalias
	AliasExecution Kind = "alias_execution" // the body of POST /aliasexecution
	AliasMatch     Kind = "alias_match"     // the body of POST /aliasexecution/match_and_execute
	Pack           Kind = "pack"            // pack.yaml
	ConfigSchema   Kind = "config_schema"   // {pack, attributes}, attributes being the file
	Config         Kind = "config"          // {pack, values}
	Parameters     Kind = "parameters"      // the parameters of an action by themselves
	Runner         Kind = "runner"
)

//go:embed *.json
var files embed.FS

var schemas = map[Kind]func() *schema.Schema{
	Action:         once(Action, nil),
	ActionCreate:   once(Action, withDataFiles),
	ActionUpdate:   once(Action, func(doc *value.Dict) { withDataFiles(doc); withoutPackDefault(doc) }),
	Alias:          once(Alias, nil),
	AliasExecution: once(AliasExecution, nil),
	AliasMatch:     once(AliasMatch, nil),
	Pack:           once(Pack, nil),
	ConfigSchema:   once(ConfigSchema, nil),
	Config:         once(Config, nil),
	Parameters:     once(Parameters, nil),
	Runner:         once(Runner, nil),
}

// Schema is the compiled schema of a kind. Its Clean gives a copy with the
// defaults filled in; null stands for a missing optional key. It panics for
// a kind that is none of the constants.
func Schema(kind Kind) *schema.Schema {
	s, ok := schemas[kind]
	if !ok {
		panic("metadata: no schema of kind " + string(kind))
	}
	return s()
}

// once compiles a schema when it is first asked for.
func once(file Kind, change func(*value.Dict)) func() *schema.Schema {
	return sync.OnceValue(func() *schema.Schema {
		doc := read(string(file)).(*value.Dict)
		if change != nil {
			change(doc)
		}
		return schema.MustCompile(doc, schema.Options{AllowNone: true})
	})
}

func withDataFiles(doc *value.Dict) {
	properties(doc).SetStr("data_files", read("data_files"))
}

// withoutPackDefault: an update does not move an action to the default pack.
func withoutPackDefault(doc *value.Dict) {
	pack, _ := properties(doc).GetStr("pack")
	pack.(*value.Dict).Delete("default")
}

func properties(doc *value.Dict) *value.Dict {
	p, _ := doc.GetStr("properties")
	return p.(*value.Dict)
}

// read gives the document of a file with the named parts put in: a text in
// round brackets stands for another document.
func read(name string) value.Value {
	raw, err := files.ReadFile(name + ".json")
	if err != nil {
		panic(fmt.Sprintf("metadata: %v", err))
	}
	doc, err := value.FromJSON(raw)
	if err != nil {
		panic(fmt.Sprintf("metadata: %s.json: %v", name, err))
	}
	return expand(doc)
}

func expand(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Dict:
		for k, item := range x.Clone().All() {
			x.Set(k, expand(item))
		}
	case string:
		switch x {
		case "(parameter)":
			return schema.ParameterSchema()
		case "(output)":
			return schema.OutputSchema()
		case "(notify)":
			return read("notify")
		case "(notification)":
			return read("notification")
		}
	}
	return v
}
