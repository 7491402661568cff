package actions

import (
	"fmt"
	"sync"

	"petrel"
	"petrel/expr/pyre"
	"petrel/expr/value"
	"petrel/schema"
)

// output is an action's output schema, made ready.
type output struct {
	doc *value.Dict
	// valid says that the document is a schema with a type; validation takes
	// no other.
	valid    bool
	compiled *schema.Schema
	// masking is what secrets are found by: the schema, or the object schema
	// that the older form, a map of properties, stands for. nil for none.
	masking *value.Dict
}

// outputMeta is the schema of output schemas.
var outputMeta = sync.OnceValue(func() *schema.Schema {
	return schema.MustCompile(schema.OutputSchema(), schema.Options{Unchecked: true})
})

var outputs = newCache[*output](512)

// outputOf reads an output schema; one that cannot be read counts for nothing.
func outputOf(text petrel.JSON) *output {
	if text.Empty() {
		return nil
	}
	o, err := outputs.get([][]byte{text}, func() (*output, error) {
		doc, err := object(text)
		if err != nil {
			return nil, err
		}
		o := &output{doc: doc}
		if o.compiled, err = compileOutput(doc); err == nil {
			o.valid, o.masking = true, doc
			return o, nil
		}
		older := value.DictOf("type", "object", "properties", doc, "additionalProperties", true)
		if _, err := compileOutput(older); err == nil {
			o.masking = older
		}
		return o, nil
	})
	if err != nil {
		return nil
	}
	return o
}

// compileOutput compiles an output schema that keeps to the rules for one.
func compileOutput(doc *value.Dict) (*schema.Schema, error) {
	if !doc.Has("type") {
		return nil, petrel.Errorf(petrel.Invalid, "an output schema must have a type")
	}
	if _, err := outputMeta().Clean(doc); err != nil {
		return nil, err
	}
	return schema.Compile(doc, schema.Options{})
}

// MaskResult gives a copy of an execution's result in which what the action's
// output schema calls secret is masked. Only runners that name the key of
// their output have one.
func MaskResult(runner petrel.RunnerType, action petrel.Action, result value.Value) value.Value {
	d, ok := result.(*value.Dict)
	if !ok || runner.OutputKey == "" || !d.Has(runner.OutputKey) {
		return result
	}
	o := outputOf(action.OutputSchema)
	if o == nil || o.masking == nil {
		return result
	}
	out := d.Clone()
	part, _ := d.GetStr(runner.OutputKey)
	out.SetStr(runner.OutputKey, maskBy(o.masking, part, 0))
	return out
}

// maskBy masks by a full schema: properties, patternProperties,
// additionalProperties, items and additionalItems. It copies what it changes.
func maskBy(spec value.Value, v value.Value, depth int) value.Value {
	doc, ok := spec.(*value.Dict)
	if !ok {
		return v
	}
	if trueAt(doc, "secret") || depth > MaxDepth {
		return Masked
	}
	kind, _ := doc.GetStr("type")
	switch x := v.(type) {
	case *value.Dict:
		if kind == "object" {
			return maskObject(doc, x, depth)
		}
	case *value.List:
		if kind == "array" {
			return maskArray(doc, x, depth)
		}
	}
	return v
}

func maskObject(doc, d *value.Dict, depth int) *value.Dict {
	out := d.Clone()
	properties, patterns := dictAt(doc, "properties"), dictAt(doc, "patternProperties")
	more := dictAt(doc, "additionalProperties")
	type pattern struct {
		re   *pyre.Regexp
		spec value.Value
	}
	var compiled []pattern
	if patterns != nil {
		for k, spec := range patterns.All() {
			re, err := pyre.Compile(value.KeyText(k), 0)
			if err != nil {
				// A pattern that cannot be read may have meant any key.
				return value.DictOf(Masked, Masked)
			}
			compiled = append(compiled, pattern{re, spec})
		}
	}
keys:
	for k, item := range d.All() {
		if properties != nil {
			if spec, ok := properties.Get(k); ok {
				out.Set(k, maskBy(spec, item, depth+1))
				continue
			}
		}
		for _, p := range compiled {
			if m, err := p.re.Search(value.KeyText(k)); m != nil || err != nil {
				out.Set(k, maskBy(p.spec, item, depth+1))
				continue keys
			}
		}
		if more != nil && more.Len() > 0 {
			out.Set(k, maskBy(more, item, depth+1))
		}
	}
	return out
}

func maskArray(doc *value.Dict, l *value.List, depth int) *value.List {
	out := &value.List{Items: append([]value.Value(nil), l.Items...)}
	items, _ := doc.GetStr("items")
	byPlace, _ := items.(*value.List)
	more := dictAt(doc, "additionalItems")
	for i, item := range l.Items {
		var spec value.Value = items
		if byPlace != nil {
			spec = nil
			if i < len(byPlace.Items) {
				spec = byPlace.Items[i]
			} else if more != nil {
				spec = more
			}
		}
		out.Items[i] = maskBy(spec, item, depth+1)
	}
	return out
}

// ValidateOutput checks the result of an execution that succeeded against the
// schemas of its runner and action. One that does not fit fails the execution
// and is replaced by the error; its own content is lost, as in StackStorm. An
// action's schema in the older form, without a type, is not used here.
func ValidateOutput(runner petrel.RunnerType, action petrel.Action, status petrel.Status, result value.Value) (value.Value, petrel.Status) {
	if full, err := value.Truth(nil, result); status != petrel.StatusSucceeded || err != nil || !full || runner.OutputSchema.Empty() {
		return result, status
	}
	fail := func(text string, more ...value.Value) (value.Value, petrel.Status) {
		out := value.DictOf(more...)
		out.SetStr("error", text)
		out.SetStr("message", "Error validating output. See error output for more details.")
		return out, petrel.StatusFailed
	}
	if o := outputOf(runner.OutputSchema); o != nil && o.valid {
		if err := o.compiled.Validate(result); err != nil {
			return fail(wholeError(err))
		}
	}
	o := outputOf(action.OutputSchema)
	if o == nil || !o.valid {
		return result, status
	}
	d, _ := result.(*value.Dict)
	if d == nil || !d.Has(runner.OutputKey) {
		text := value.Quote(runner.OutputKey)
		return fail(text, "traceback", fmt.Sprintf("The result has no key %s for the output schema of the action to be applied to.", text))
	}
	part, _ := d.GetStr(runner.OutputKey)
	if err := o.compiled.Validate(part); err != nil {
		return fail(wholeError(err))
	}
	return result, status
}

// wholeError is what Python's str() gives for an error.
func wholeError(err error) string {
	if e := schema.AsError(err); e != nil {
		return e.Text()
	}
	return err.Error()
}
