package packs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"petrel"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
	"petrel/schema"
	"petrel/schema/metadata"
)

// loaderVersion is part of every pack's hash, so that a release that reads packs
// differently registers them anew.
const loaderVersion = "1"

// Load reads the pack in a folder. The error says that there is no pack there, or
// none that can be used (its manifest is broken, a limit is passed); problems are
// about single files. The pack's folder itself may be a symbolic link; links
// inside it must not lead out of it.
func Load(dir string, limits Limits) (Content, []Problem, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Content{}, nil, fmt.Errorf("%s: %w", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return Content{}, nil, fmt.Errorf("%s: %w", abs, plain(err))
	}
	defer root.Close()
	l := &loader{root: root, dir: abs, limits: limits.WithDefaults(), sum: sha256.New()}
	l.content.Files = map[string]int{}
	l.left = l.limits.MetadataBytes
	if err := l.load(); err != nil {
		return Content{}, l.problems, err
	}
	return l.content, l.problems, nil
}

type loader struct {
	root     *os.Root
	dir      string
	limits   Limits
	left     int // bytes of metadata that may still be read
	listing  listing
	content  Content
	problems []Problem
	sum      hash.Hash
}

func (l *loader) load() error {
	io.WriteString(l.sum, loaderVersion+"\x00")
	var err error
	if l.listing, err = walk(l.root, l.limits); err != nil {
		return Problem{Pack: filepath.Base(l.dir), Dir: l.dir, Reason: err.Error()}
	}
	if err := l.manifest(); err != nil {
		return err
	}
	l.configSchema()
	for _, k := range kinds() {
		l.kind(k)
	}
	sorted := append([]string{}, l.listing.files...)
	sort.Strings(sorted)
	io.WriteString(l.sum, strings.Join(sorted, "\x00"))
	l.content.Pack.Hash = hex.EncodeToString(l.sum.Sum(nil))
	return nil
}

// kind reads all files of one kind.
func (l *loader) kind(k kind) {
	files := l.listing.metadata(k.folder, k.skip)
	l.content.Files[k.name] = len(files)
	if k.read == nil {
		return
	}
	if len(files) > l.limits.Items {
		l.problem(k.folder, yamldoc.Position{}, "the pack has %d %s, over the limit of %d; none is registered", len(files), k.name, l.limits.Items)
		return
	}
	for _, file := range files {
		doc, err := l.document(file)
		if err != nil {
			l.fail(file, err)
			continue
		}
		dict, ok := doc.Value.(*value.Dict)
		if !ok {
			l.problem(file, doc.At(), "a map of the %s's fields expected", k.word)
			continue
		}
		for _, w := range doc.Warnings {
			l.warn(file, w.Position, "%s", w.Text)
		}
		if l.belongs(file, doc, dict) {
			k.read(l, file, doc, dict)
		}
	}
}

// belongs checks that what is written in `pack` is this pack, and fills it in.
// st2: st2common/st2common/bootstrap/actionsregistrar.py
func (l *loader) belongs(file string, doc *yamldoc.Document, dict *value.Dict) bool {
	pack := l.content.Pack.Ref
	field, _ := dict.GetStr("pack")
	switch field {
	case nil, "":
		dict.SetStr("pack", pack)
	case pack:
	default:
		l.problem(file, doc.At("pack"), `Model is in pack "%s" but field "pack" is different: %s`, pack, cut(value.Repr(field)))
		return false
	}
	return true
}

// document reads a YAML file and takes it into the hash.
func (l *loader) document(file string) (*yamldoc.Document, error) {
	if l.left <= 0 {
		return nil, l.overall()
	}
	text, err := readFile(l.root, file, min(l.limits.FileBytes, l.left))
	var over errTooLarge
	if errors.As(err, &over) && l.left < l.limits.FileBytes {
		l.left, err = 0, l.overall()
	}
	if err != nil {
		fmt.Fprintf(l.sum, "%s\x00!%v\x00", file, err)
		return nil, err
	}
	l.left -= len(text)
	fmt.Fprintf(l.sum, "%s\x00%d\x00", file, len(text))
	l.sum.Write(text)
	return yamldoc.Load(file, text, yamldoc.Limits{Bytes: l.limits.FileBytes})
}

func (l *loader) overall() error {
	return fmt.Errorf("the pack's metadata is over the limit of %d bytes", l.limits.MetadataBytes)
}

// validate checks a file's content against a schema of package metadata.
func (l *loader) validate(file string, doc *yamldoc.Document, kind metadata.Kind, v value.Value) bool {
	err := metadata.Schema(kind).Validate(v)
	if err == nil {
		return true
	}
	at := doc.At()
	if e := schema.AsError(err); e != nil {
		at = place(doc, e)
		if m := quotedKey.FindStringSubmatch(e.Message); m != nil && strings.Contains(e.Message, "does not match any of the regexes") {
			l.problem(file, at, `Parameter name "%s" is invalid. Valid characters for parameter name are [a-zA-Z0-9_].`, cut(m[1]))
			return false
		}
		l.problem(file, at, "%s%s", within(e), cutLong(e.Message))
		return false
	}
	l.problem(file, at, "%s", cutLong(err.Error()))
	return false
}

var quotedKey = regexp.MustCompile(`^(?:Additional properties are not allowed \()?'([^']+)' (?:was|were|does not match)`)

// place finds what a schema error is about: the value, or the key that is too much.
func place(doc *yamldoc.Document, e *schema.Error) yamldoc.Position {
	path := make([]any, 0, len(e.Where))
	for _, step := range e.Where {
		switch s := step.(type) {
		case int64:
			path = append(path, int(s))
		default:
			path = append(path, s)
		}
	}
	if m := quotedKey.FindStringSubmatch(e.Message); m != nil {
		return doc.Key(path, m[1])
	}
	return doc.At(path...)
}

// within names the field an error is about, when it is inside one and the message
// does not say it.
func within(e *schema.Error) string {
	path := e.Where
	if e.Keyword == "required" && len(path) > 0 {
		path = path[:len(path)-1]
	}
	if len(path) == 0 {
		return ""
	}
	parts := make([]string, len(path))
	for i, step := range path {
		parts[i] = fmt.Sprint(step)
	}
	return cut(strings.Join(parts, ".")) + ": "
}

func (l *loader) problem(file string, at yamldoc.Position, format string, args ...any) {
	l.add(Problem{File: file, Line: at.Line, Column: at.Column, Reason: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(file string, at yamldoc.Position, format string, args ...any) {
	l.add(Problem{File: file, Line: at.Line, Column: at.Column, Reason: fmt.Sprintf(format, args...), Warning: true})
}

func (l *loader) add(p Problem) {
	p.Pack, p.Dir = l.content.Pack.Ref, l.dir
	if p.Pack == "" {
		p.Pack = filepath.Base(l.dir)
	}
	l.problems = append(l.problems, p)
}

// fail makes a problem of an error of reading a file.
func (l *loader) fail(file string, err error) {
	var e *yamldoc.Error
	if errors.As(err, &e) {
		l.problem(file, e.Position, "%s", e.Text)
		return
	}
	l.problem(file, yamldoc.Position{}, "%s", err)
}

// json is a value as the JSON text that is stored; nil for what is absent or null.
func (l *loader) json(file string, doc *yamldoc.Document, dict *value.Dict, field string) (petrel.JSON, bool) {
	v, found := dict.GetStr(field)
	if !found || v == nil {
		return nil, true
	}
	text, err := value.ToJSON(v, value.CompactJSON)
	if err != nil {
		l.problem(file, doc.At(field), "%s cannot be written as JSON: %v", field, err)
		return nil, false
	}
	return text, true
}

// cut shortens a text from outside for a message.
func cut(text string) string { return cutTo(text, 200) }

// cutLong shortens a schema's message, which says at its start what is wrong.
func cutLong(text string) string { return cutTo(text, 1000) }

func cutTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
