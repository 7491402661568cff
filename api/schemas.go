package api

import (
	"embed"
	"fmt"
	"strings"

	"petrel"
	"petrel/expr/value"
	"petrel/schema"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

// bodySchemas reads the schemas of request bodies, by the names of their
// files. The order of their keywords is the order in which faults are found,
// so that the first one told is the one StackStorm tells.
// st2: st2common/st2common/openapi.yaml
func bodySchemas() (map[string]*schema.Schema, error) {
	files, err := schemaFiles.ReadDir("schemas")
	if err != nil {
		return nil, err
	}
	// The statuses are written once, at the root of the domain.
	words := make([]string, len(petrel.Statuses))
	for i, s := range petrel.Statuses {
		words[i] = `"` + string(s) + `"`
	}
	all := map[string]*schema.Schema{}
	for _, f := range files {
		text, err := schemaFiles.ReadFile("schemas/" + f.Name())
		if err != nil {
			return nil, err
		}
		doc, err := value.FromJSON([]byte(strings.ReplaceAll(string(text), `"$statuses"`, strings.Join(words, ", "))))
		if err != nil {
			return nil, fmt.Errorf("api: schemas/%s: %w", f.Name(), err)
		}
		s, err := schema.Compile(doc, schema.Options{Dialect: schema.Draft4})
		if err != nil {
			return nil, fmt.Errorf("api: schemas/%s: %w", f.Name(), err)
		}
		all[strings.TrimSuffix(f.Name(), ".json")] = s
	}
	return all, nil
}
