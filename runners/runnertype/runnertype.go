// Package runnertype holds the descriptions of all runners StackStorm has:
// names, parameters and output schemas as clients see them. A description may
// stand here before there is a runner for it, so that packs can be registered.
package runnertype

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"petrel"
)

// types.json is StackStorm's runner.yaml files as JSON, sorted by name.
//
//go:embed types.json
var typesJSON []byte

// All are the descriptions, sorted by name, without ids: a store gives these
// when a type is registered.
func All() []petrel.RunnerType {
	var all []petrel.RunnerType
	if err := json.Unmarshal(typesJSON, &all); err != nil {
		panic(fmt.Sprintf("runnertype: the built-in descriptions are broken: %v", err))
	}
	return all
}

// Named is one description; ok is false when there is none.
func Named(name string) (_ petrel.RunnerType, ok bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return petrel.RunnerType{}, false
}

// MustNamed is the description of a runner that this product is known to have.
func MustNamed(name string) petrel.RunnerType {
	t, ok := Named(name)
	if !ok {
		panic("runnertype: there is no description of " + name)
	}
	return t
}
