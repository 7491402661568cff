package actions

import (
	"fmt"
	"math/big"
	"path/filepath"
	"strings"

	"petrel"
	"petrel/expr/value"
)

// MaxWords is how many words a command line may have.
const MaxWords = 10_000

// ArgumentOptions are the parts of ParseArguments that only the command line
// has.
type ArgumentOptions struct {
	// AutoDict is --auto-dict: items like a:1 of an array make up an object.
	AutoDict bool
	// ReadFile reads the file of @key=path; nil refuses such words.
	ReadFile func(path string) ([]byte, error)
}

// ParseArguments makes parameters of the words behind the action in `st2 run`:
// key=value, cast by the type of the parameter; @key=path for the content of a
// file; from the first word without a = on, all words together are cmd. The
// texts of errors are those of the st2 command line.
func ParseArguments(words []string, spec *Spec, opts ArgumentOptions) (*value.Dict, error) {
	if len(words) > MaxWords {
		return nil, petrel.Errorf(petrel.Invalid, "%d words are given; the limit is %d", len(words), MaxWords)
	}
	p := &argumentParser{spec: spec, opts: opts, out: value.NewDict()}
	for i, word := range words {
		key, text, ok := strings.Cut(word, "=")
		if !ok {
			p.out.SetStr("cmd", strings.Join(words[i:], " "))
			break
		}
		var err error
		if name, isFile := strings.CutPrefix(key, "@"); isFile {
			err = p.file(name, text)
		} else {
			err = p.word(key, text)
		}
		if err != nil {
			return nil, &petrel.Error{Kind: petrel.Invalid, Message: err.Error(), Field: key}
		}
	}
	p.finishFile()
	return p.out, nil
}

type argumentParser struct {
	spec     *Spec
	opts     ArgumentOptions
	out      *value.Dict
	fileName string // of a file sent by core.http
}

// kindOf is the type by which a word is read: the runner's before the
// action's. A parameter without a type is a text.
func (p *argumentParser) kindOf(key string) string {
	if doc := dictAt(p.spec.Runner, key); doc != nil {
		return textAt(doc, "type")
	}
	if doc := dictAt(p.spec.Action, key); doc != nil {
		return textAt(doc, "type")
	}
	return ""
}

func (p *argumentParser) word(key, text string) error {
	kind := p.kindOf(key)
	var v value.Value
	var err error
	if kind == "array" {
		doc := dictAt(p.spec.Action, key)
		v, err = p.array(text, doc, p.opts.AutoDict && doc != nil)
		if old, again := p.out.GetStr(key); again && err == nil {
			v, err = joined(old, v)
		}
	} else {
		v, err = argument(kind, text)
	}
	if err != nil {
		return err
	}
	p.out.SetStr(key, v)
	return nil
}

// joined is what Python's += makes of an array that is given again.
func joined(old, more value.Value) (value.Value, error) {
	l, ok := old.(*value.List)
	if !ok {
		return nil, value.TypeErrorf("unsupported operand type(s) for +=: '%s' and '%s'", value.TypeName(old), value.TypeName(more))
	}
	items, err := value.CopyItems(nil, more)
	if err != nil {
		return nil, err
	}
	return value.NewList(append(append([]value.Value(nil), l.Items...), items...)...), nil
}

// argument reads a text by type; an array is read by array.
func argument(kind, text string) (value.Value, error) {
	switch kind {
	case "boolean":
		return value.ParseLiteral(value.Capitalize(text))
	case "integer":
		return value.ParseInt(text, 10)
	case "number":
		return castNumber(text)
	case "object":
		if strings.HasPrefix(text, "{") {
			return value.FromJSON([]byte(text))
		}
		pairs := value.NewDict()
		for _, pair := range strings.Split(text, ",") {
			if k, v, ok := strings.Cut(pair, "="); ok {
				pairs.SetStr(k, v)
			}
		}
		return pairs, nil
	}
	return text, nil
}

// array reads an array: one integer, JSON, or texts between commas.
func (p *argumentParser) array(text string, doc *value.Dict, autoDict bool) (value.Value, error) {
	var result value.Value
	if n, err := value.ParseInt(text, 10); err == nil {
		result = value.NewList(n)
	} else if result, err = value.FromJSON([]byte(text)); err != nil {
		l := &value.List{}
		for _, part := range strings.Split(text, ",") {
			l.Append(value.TrimSpace(part))
		}
		result = l
	}
	switch result.(type) {
	case bool, nil, float64, int64, *big.Int:
		return nil, value.TypeErrorf("'%s' object is not iterable", value.TypeName(result))
	}
	if !autoDict {
		return result, nil
	}
	items, err := value.CopyItems(nil, result)
	if err != nil {
		return nil, err
	}
	return p.autoDict(result, items, doc)
}

// autoDict makes one object of items like a:1; when an item is not like that,
// the array stays as it is.
func (p *argumentParser) autoDict(result value.Value, items []value.Value, doc *value.Dict) (value.Value, error) {
	for _, item := range items {
		if text, ok := item.(string); !ok || !strings.Contains(text, ":") {
			return result, nil
		}
	}
	properties := dictAt(doc, "properties")
	made := value.NewDict()
	for _, item := range items {
		parts := strings.Split(item.(string), ":")
		if len(parts) > 2 {
			return nil, value.ValueErrorf("too many values to unpack (expected 2)")
		}
		key, text := parts[0], parts[1]
		var v value.Value = text
		var err error
		if properties != nil && properties.Has(key) {
			// A runner's parameter of the same name decides the type, as
			// everywhere.
			kind := textAt(orEmpty(dictAt(properties, key)), "type")
			if inherited := dictAt(p.spec.Runner, key); inherited != nil {
				kind = textAt(inherited, "type")
			}
			if kind == "array" {
				v, err = p.array(text, dictAt(properties, key), true)
			} else {
				v, err = argument(kind, text)
			}
			if err != nil {
				return nil, err
			}
		}
		made.SetStr(key, v)
	}
	return value.NewList(made), nil
}

func (p *argumentParser) file(key, path string) error {
	if p.opts.ReadFile == nil {
		return fmt.Errorf("@%s: files can be given on the command line only", key)
	}
	content, err := p.opts.ReadFile(path)
	if err != nil {
		return err
	}
	if p.spec.ActionRef == "core.http" {
		p.fileName = filepath.Base(filepath.Clean(path))
		p.out.SetStr("file_content", string(content))
		return nil
	}
	p.out.SetStr(key, string(content))
	return nil
}

// finishFile gives an upload by core.http its method and name.
func (p *argumentParser) finishFile() {
	if !p.out.Has("file_content") {
		return
	}
	if !p.out.Has("method") {
		p.out.SetStr("method", "POST")
	}
	if !p.out.Has("file_name") && p.fileName != "" {
		p.out.SetStr("file_name", p.fileName)
	}
}
