// Package metadata holds the schemas of the content of packs, as StackStorm
// has them: which keys a file may have and what they may hold.
package metadata

import "petrel/schema"

// The schemas by the names of what they describe.
const (
	Action         = "action"        // an action file or an action in the API
	ActionCreate   = "action_create" // the body of POST /actions: an action with data_files
	ActionUpdate   = "action_update" // the body of PUT /actions/{ref}
	Alias          = "alias"
	Pack           = "pack"
	ConfigSchema   = "config_schema" // {pack, attributes}
	Config         = "config"        // {pack, values}
	Runner         = "runner"
	Execution      = "execution" // the body of POST /executions (StackStorm's liveaction)
	AliasExecution = "alias_execution"
)

// Schema gives the compiled schema of a name; it panics for an unknown one.
func Schema(name string) *schema.Schema { return schema.MustCompile(nil, schema.Options{}) }
