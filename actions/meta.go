package actions

import (
	"sync"

	"petrel/schema"
)

// outputMeta is the schema of output schemas.
var outputMeta = sync.OnceValue(func() *schema.Schema {
	return schema.MustCompile(schema.OutputSchema(), schema.Options{Unchecked: true})
})
