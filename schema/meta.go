package schema

import (
	_ "embed"
	"sync"

	"petrel/expr/value"
)

// metaURL is the name under which draft 4's metaschema, and StackStorm's in
// its place, refers to itself.
const metaURL = "http://json-schema.org/draft-04/schema"

// metaText is JSON schema's metaschema of draft 4 (json-schema.org) with the
// keywords that StackStorm adds; metaDoc makes the variants of it.
//
//go:embed meta.json
var metaText []byte

var metaDocs = [...]func() *value.Dict{
	Custom: sync.OnceValue(func() *value.Dict {
		doc := parseMeta()
		dictAt(doc, "properties").SetStr("required", value.DictOf("type", "boolean", "default", false))
		return doc
	}),
	Draft4: sync.OnceValue(func() *value.Dict {
		doc := parseMeta()
		for _, own := range []string{"secret", "position", "immutable"} {
			dictAt(doc, "properties").Delete(own)
		}
		return doc
	}),
}

func metaDoc(d Dialect) *value.Dict { return metaDocs[d]() }

func parseMeta() *value.Dict {
	v, err := value.FromJSON(metaText)
	if err != nil {
		panic("schema: the metaschema: " + err.Error())
	}
	return v.(*value.Dict)
}

var metas [2]struct {
	once   sync.Once
	schema *Schema
}

// metaschema is what schemas of a dialect are held against.
func metaschema(d Dialect) *Schema {
	m := &metas[d]
	m.once.Do(func() { m.schema = MustCompile(metaDoc(d), Options{Dialect: d, Unchecked: true}) })
	return m.schema
}

// ParameterSchema is the metaschema of one parameter of an action, a runner or
// a configuration: StackStorm's dialect with a single type and no other key.
// Schemas inside it (items, properties) are held to the dialect only.
func ParameterSchema() *value.Dict {
	doc := OutputSchema()
	doc.SetStr("additionalProperties", false)
	return doc
}

// OutputSchema is the metaschema of output_schema: as ParameterSchema, other
// keys permitted.
func OutputSchema() *value.Dict {
	doc := value.Copy(metaDoc(Custom)).(*value.Dict)
	simple := value.DictOf("$ref", "#/definitions/simpleTypes")
	dictAt(doc, "properties").SetStr("type", value.DictOf("anyOf", value.NewList(simple)))
	return doc
}
