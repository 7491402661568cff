package schema_test

import (
	"fmt"

	"petrel/expr/value"
	"petrel/schema"
)

func ExampleSchema_Clean() {
	doc, _ := value.FromJSON([]byte(`{"type": "object", "properties": {
		"name": {"type": "string", "required": true}, "retries": {"type": "integer", "maximum": 3, "default": 1}}}`))
	s := schema.MustCompile(doc, schema.Options{AllowNone: true})

	cleaned, err := s.Clean(value.DictOf("name", "x"))
	fmt.Println(value.Repr(cleaned), err)

	_, err = s.Clean(value.DictOf("name", "x", "retries", int64(9)))
	fmt.Println(schema.AsError(err).Text())
	// Output:
	// {'name': 'x', 'retries': 1} <nil>
	// 9 is greater than the maximum of 3
	//
	// Failed validating 'maximum' in schema['properties']['retries']:
	//     {'default': 1, 'maximum': 3, 'type': 'integer'}
	//
	// On instance['retries']:
	//     9
}
