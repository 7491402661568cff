package actions

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"petrel"
	"petrel/expr"
	"petrel/expr/pyre"
	"petrel/expr/value"
	"petrel/schema"
)

// ConfigInput is what the resolving of a pack's configuration works on.
type ConfigInput struct {
	Pack string
	// Schema are the attributes of the pack's config.schema.yaml: name →
	// schema; nil when the pack has none.
	Schema *value.Dict
	// Values are what the administrator wrote; nil for none.
	Values *value.Dict
	KV     KV
	// User is whose keys st2kv.user reads; empty for DefaultUser.
	User string
}

// ResolveConfig gives the configuration an action of the pack sees: texts with
// an expression are rendered, those of secret attributes with the keys of the
// datastore in plain text; an empty outcome is null; then defaults are filled
// in, also inside objects and arrays. The error names the attribute.
func ResolveConfig(ctx context.Context, in ConfigInput) (*value.Dict, error) {
	user := in.User
	if user == "" {
		user = DefaultUser
	}
	r := &configResolver{in: in, ctx: ctx,
		plain:  &store{ctx: ctx, kv: in.KV, user: user},
		secret: &store{ctx: ctx, kv: in.KV, user: user, clear: true}}
	if in.KV != nil {
		r.ctx = context.WithValue(ctx, kvKey{}, in.KV)
	}
	config := value.NewDict()
	if in.Values != nil {
		config = value.Copy(in.Values).(*value.Dict)
	}
	attributes := orEmpty(in.Schema)
	if err := r.object(attributes, config, nil); err != nil {
		return nil, err
	}
	fillConfig(attributes, config, 0)
	return config, nil
}

type configResolver struct {
	in            ConfigInput
	ctx           context.Context
	plain, secret *store
}

// object renders the values of an object in place; properties are the schemas
// of its keys.
func (r *configResolver) object(properties, d *value.Dict, path []string) error {
	for _, k := range d.Keys() {
		v, _ := d.Get(k)
		spec, _ := properties.Get(k)
		resolved, err := r.value(spec, v, append(slices.Clip(path), value.Str(k)))
		if err != nil {
			return err
		}
		d.Set(k, resolved)
	}
	return nil
}

func (r *configResolver) value(spec, v value.Value, path []string) (value.Value, error) {
	doc, _ := spec.(*value.Dict)
	doc = orEmpty(doc)
	if len(path) > MaxDepth {
		return nil, r.failed(path, v, fmt.Errorf("nested deeper than the limit of %d levels", MaxDepth), false)
	}
	switch x := v.(type) {
	case *value.Dict:
		properties, err := objectProperties(doc, x)
		if err != nil {
			return nil, err
		}
		return x, r.object(properties, x, path)
	case *value.List:
		specs := arrayItems(doc, len(x.Items))
		for i, item := range x.Items {
			var spec value.Value
			if i < len(specs) {
				spec = specs[i]
			}
			resolved, err := r.value(spec, item, append(slices.Clip(path), strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			x.Items[i] = resolved
		}
		return x, nil
	case string:
		if expr.HasJinja(x) {
			return r.render(doc, x, path)
		}
	}
	return v, nil
}

func (r *configResolver) render(doc *value.Dict, text string, path []string) (value.Value, error) {
	secret := trueAt(doc, "secret")
	s := r.plain
	if secret {
		s = r.secret
	}
	t, err := environment().Compile(text)
	if err != nil {
		return nil, r.failed(path, text, err, secret)
	}
	out, err := t.Render(r.ctx, value.DictOf("st2kv", datastore(s)))
	if err != nil {
		return nil, r.failed(path, text, err, secret)
	}
	if out == "" {
		return nil, nil
	}
	return out, nil
}

func (r *configResolver) failed(path []string, v value.Value, err error, secret bool) error {
	key := strings.Join(path, ".")
	shown := value.Str(v)
	if len(shown) > 1000 {
		shown = shown[:1000] + "..."
	}
	// The text of a secret attribute is a template; what it gave is not shown.
	reason := err.Error()
	if secret && !value.IsClass(err, "ValueError", "KeyError") {
		reason = strings.ReplaceAll(reason, shown, Masked)
	}
	return &petrel.Error{Kind: petrel.Invalid, Field: key, Err: err, Message: fmt.Sprintf(
		`Failed to render dynamic configuration value for key "%s" with value "%s" for pack "%s" config: %s`, key, shown, r.in.Pack, reason)}
}

// objectProperties gives each key of an object its schema: from properties,
// else from all patterns that it matches, else from additionalProperties.
// Properties without a value are there too, because they may have a default.
func objectProperties(doc, d *value.Dict) (*value.Dict, error) {
	properties, patterns, more := dictAt(doc, "properties"), dictAt(doc, "patternProperties"), dictAt(doc, "additionalProperties")
	out := value.NewDictSize(d.Len())
	for k := range d.All() {
		if properties != nil && properties.Has(k) {
			continue
		}
		joined := value.NewDict()
		if patterns != nil {
			for p, spec := range patterns.All() {
				re, err := pyre.Compile(value.KeyText(p), 0)
				if err != nil {
					return nil, fmt.Errorf("pattern %s of a configuration: %w", value.Repr(p), err)
				}
				m, err := re.Search(value.KeyText(k))
				if err != nil {
					return nil, fmt.Errorf("pattern %s of a configuration: %w", value.Repr(p), err)
				}
				if sub, ok := spec.(*value.Dict); ok && m != nil {
					joined.Update(sub)
				}
			}
		}
		if joined.Len() == 0 && more != nil {
			joined = more
		}
		out.Set(k, joined)
	}
	if properties != nil {
		out.Update(properties)
	}
	return out, nil
}

// arrayItems gives each item of an array its schema.
func arrayItems(doc *value.Dict, n int) []value.Value {
	items, _ := doc.GetStr("items")
	var specs []value.Value
	switch x := items.(type) {
	case *value.Dict:
		for range n {
			specs = append(specs, x)
		}
	case *value.List:
		specs = append(specs, x.Items...)
	}
	if more := dictAt(doc, "additionalItems"); more != nil {
		for len(specs) < n {
			specs = append(specs, more)
		}
	}
	return specs
}

// fillConfig fills in the defaults of attributes that have no value. An object
// or array whose schema says what is in it comes into being with it.
func fillConfig(properties, config *value.Dict, depth int) {
	if depth > MaxDepth {
		return
	}
	for k, v := range properties.All() {
		doc, ok := v.(*value.Dict)
		if !ok {
			continue
		}
		if def, has := doc.GetStr("default"); has && !config.Has(k) {
			config.Set(k, value.Copy(def))
		}
		current, _ := config.Get(k)
		if filled := fillConfigValue(doc, current, depth+1); filled != nil {
			config.Set(k, filled)
		}
	}
}

// fillConfigValue gives the value with what is inside it filled in, or nil
// when there is nothing to be done.
func fillConfigValue(doc *value.Dict, v value.Value, depth int) value.Value {
	full, _ := value.Truth(nil, v)
	switch textAt(doc, "type") {
	case "object":
		if !anyTrue(doc, "properties", "patternProperties", "additionalProperties") {
			return nil
		}
		d, ok := v.(*value.Dict)
		if !full {
			d, ok = value.NewDict(), true
		}
		if !ok {
			return nil
		}
		if properties, err := objectProperties(doc, d); err == nil {
			fillConfig(properties, d, depth)
		}
		return d
	case "array":
		if !anyTrue(doc, "items", "additionalItems") {
			return nil
		}
		l, ok := v.(*value.List)
		if !full {
			l, ok = &value.List{}, true
		}
		if !ok || depth > MaxDepth {
			return nil
		}
		specs := arrayItems(doc, len(l.Items))
		for i := range l.Items {
			if i >= len(specs) {
				break
			}
			if spec, isDict := specs[i].(*value.Dict); isDict {
				if filled := fillConfigValue(spec, l.Items[i], depth+1); filled != nil {
					l.Items[i] = filled
				}
			}
		}
		return l
	}
	return nil
}

func anyTrue(doc *value.Dict, keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return trueAt(doc, k) })
}

// CheckConfig checks a configuration against its schema, as registration and
// the API do: other attributes are permitted, optional ones may be null, and a
// secret attribute must not decrypt itself. File is named in the text of the
// error, which a pack's administrator reads.
func CheckConfig(pack, file string, configSchema, values *value.Dict) error {
	attributes, given := orEmpty(configSchema), orEmpty(values)
	compiled, err := schema.Compile(propertiesSchema(attributes, true), schema.Options{AllowNone: true})
	if err != nil {
		return petrel.Wrap(petrel.Invalid, err, "The config schema of pack %q cannot be used", pack)
	}
	cleaned, err := compiled.Clean(given)
	if err != nil {
		fault := schema.AsError(err)
		if fault == nil {
			return petrel.Wrap(petrel.Invalid, err, "The config of pack %q cannot be checked", pack)
		}
		spec := &Spec{secrets: maskOf(attributes)}
		return &petrel.Error{Kind: petrel.Invalid, Field: fault.Field(), Message: fmt.Sprintf(
			`Failed validating attribute "%s" in config for pack "%s" (%s): %s`, fault.Attribute(), pack, file, spec.veilFault(fault).Text())}
	}
	for k, v := range cleaned.(*value.Dict).All() {
		text, _ := v.(string)
		if !expr.HasJinja(text) || !strings.Contains(text, "decrypt_kv") {
			continue
		}
		if doc, _ := attributes.Get(k); doc != nil && trueAt(orEmpty(asDict(doc)), "secret") {
			return &petrel.Error{Kind: petrel.Invalid, Field: value.KeyText(k), Message: `Values specified as "secret: True" in config ` +
				"schema are automatically decrypted by default. Use of \"decrypt_kv\" jinja filter is not allowed for such values. " +
				"Please check the specified values in the config or the default values in the schema."}
		}
	}
	return nil
}

func asDict(v value.Value) *value.Dict {
	d, _ := v.(*value.Dict)
	return d
}
